"""Compiles one C++ file to a shared library, once for each version of its text.

Used for the plug-in provider and for the stand-in libraries. It refuses to guess where there is no
compiler: `compiler_availability` says what to install, and the notebooks replay a recording.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workbench import cache
from workbench.errors import UnavailableError
from workbench.measurement import Availability


def compiler() -> str | None:
    """Return the C++ compiler to use: ``$CXX``, g++ or clang++; None where there is none."""
    for name in (os.environ.get("CXX", ""), "g++", "clang++"):
        if name and shutil.which(name):
            return name
    return None


def compiler_availability() -> Availability:
    """Say whether C++ can be compiled here."""
    found = compiler()
    if found:
        return Availability(True, f"{found} at {shutil.which(found)}")
    return Availability(
        False, "there is no C++ compiler", "`apt install g++`, or set CXX to the compiler's name"
    )


def compiled(source: Path, flags: Sequence[str] = (), name: str = "") -> Path:
    """Return the shared library made from `source`, compiling it where that was not done yet.

    Parameters
    ----------
    source : Path
        A C++17 file.
    flags : sequence of str
        Further arguments for the compiler and the linker.
    name : str
        The library's file name; ``lib<stem>.so`` by default.

    Raises
    ------
    UnavailableError
        Where there is no compiler, or it refuses the file.
    """
    tool = compiler()
    if tool is None:
        missing = compiler_availability()
        raise UnavailableError(f"{source.name} cannot be compiled.", missing.reason, missing.remedy)
    name = name or f"lib{source.stem}.so"
    text = source.read_bytes() + repr((tool, tuple(flags), name)).encode()
    folder = cache.folder(
        "compiled", hashlib.sha256(text).hexdigest()[:16], holds="to keep what we compile"
    )
    library = folder / name
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = Path(scratch) / name
        command = [tool, "-std=c++17", "-O1", "-shared", "-fPIC", "-o", str(fresh), str(source)]
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
        if done.returncode:
            raise UnavailableError(
                f"{tool} refused {source.name}.", done.stderr[-2000:], "a C++17 compiler, g++ >= 9"
            )
        fresh.replace(library)  # atomic: thirty students may compile at once
    return library
