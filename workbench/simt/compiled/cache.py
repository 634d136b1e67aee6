"""Generated modules on the user's disk: where they lie, and what their key holds."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types

from workbench import cache
from workbench.errors import UnavailableError
from workbench.simt.codegen.emit import Mode
from workbench.simt.codegen.module import Module
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.frontend.source import MISSING

_ENGINE = Path(__file__).parents[1]
_COSTS = "kernels are compiled again in each process, for seconds each"


def module_path(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> Path | None:
    """Return where a generated module lies on disk, or None where it cannot be kept.

    Warns
    -----
    CacheRefusedWarning
        Once, where the user's cache is to blame.
    """
    try:
        key = hashlib.sha256(repr(_key_parts(resolved, kinds, block, mode)).encode()).hexdigest()
    except NoKey:
        return None
    return place(f"{resolved.name}_{key[:24]}.py")


def place(file_name: str) -> Path | None:
    """Return where a file of this name lies in the user's cache, or None where there is none.

    Warns
    -----
    CacheRefusedWarning
        Once, where the user's cache is to blame.
    """
    try:
        home = cache.folder("simt", holds="to keep compiled kernels")
    except UnavailableError as error:
        cache.say_refused(error, _COSTS)
        return None
    return home / file_name


class NoKey(Exception):
    """The kernel sees an object whose content no key can hold."""


def _key_parts(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> list:
    parts: list[Any] = [numba.__version__, np.__version__, engine_stamp(), mode.name, block]
    parts.append([str(kind) for kind in kinds])
    for one in (resolved, *resolved.device_functions.values()):
        source = one.source
        parts.append(ast.dump(one.tree, include_attributes=True))
        parts.append((source.file_name, source.first_line))
        for name in sorted({n.id for n in ast.walk(one.tree) if isinstance(n, ast.Name)}):
            value = source.lookup(name)
            if name not in source.parameters and value is not MISSING:
                parts.append((name, _stamp(value)))
    return parts


def _stamp(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(), str(value.dtype)
    if isinstance(value, (bool, int, float, complex, str, type(None), np.generic, tuple)):
        return type(value).__name__, repr(value)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if name is None and isinstance(value, types.Type):
        name = str(value)
    return type(value).__name__, getattr(value, "__module__", ""), name


def engine_stamp() -> str:
    """Return what changes whenever the engine's own source does."""
    if not hasattr(engine_stamp, "value"):
        files = sorted(_ENGINE.rglob("*.py"))
        stamps = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files]
        engine_stamp.value = hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
    return engine_stamp.value


def write_module(path: Path, module: Module) -> Path | None:
    """Put a generated module on disk, whole or not at all; return the path, or None with a warning.

    Warns
    -----
    CacheRefusedWarning
        Once, where it could not be written: a full disk.
    """
    meta = {
        "function": module.function,
        "sites": module.sites,
        "shared_bytes": module.shared_bytes,
        "uses_dynamic": module.uses_dynamic,
        "facts": module.facts,
        "hidden": {
            name: [array.dtype.str, list(array.shape), np.ascontiguousarray(array).tobytes().hex()]
            for name, array in module.hidden.items()
        },
    }
    text = f"{module.text}\n# meta {json.dumps(meta)}\n"
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        scratch.write_text(text)
        os.replace(scratch, path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        cache.say_refused(error, _COSTS)
        return None
    return path


def read_module(path: Path) -> Module | None:
    """Return a generated module from disk, or None where there is none."""
    if not path.exists():
        return None
    text = path.read_text()
    body, marker, meta = text.rpartition("\n# meta ")
    if not marker:
        return None
    found = json.loads(meta)
    hidden = {
        name: np.frombuffer(bytes.fromhex(data), np.dtype(dtype)).reshape(shape)
        for name, (dtype, shape, data) in found["hidden"].items()
    }
    return Module(
        body,
        found["function"],
        hidden,
        {},
        found["sites"],
        found["shared_bytes"],
        found["uses_dynamic"],
        facts=found["facts"],
    )
