"""Make the environment that the other scripts need: `.venv` with everything in it.

Standard library only, since it runs before anything is installed. It is safe to stop at any
moment: a stamp is written last, and without it the next run carries on where this one ended.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older Python must get a sentence, too)
    sys.exit(
        "This Python is too old for the workbench.\n"
        f"Seen: Python {sys.version.split()[0]}\n"
        f"Try: install Python 3.11, then: python3.11 {sys.argv[0]}"
    )

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tomllib
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
TORCH = "2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHONS = ((3, 11), (3, 14))  # from, up to and without: as in pyproject.toml
ROOM_BYTES = 3_000_000_000  # the installed environment takes about 2.2 GB

# what pip printed -> what happened and what to do; the first match is shown
_PIP_TROUBLE = (
    (r"No space left on device", "The disk is full.", "free some room, then run this again"),
    (
        r"Permission denied|EACCES|Read-only file system",
        "The folder cannot be written to.",
        "clone into a folder of your own",
    ),
    (
        r"name resolution|NewConnectionError|ConnectTimeout|Network is unreachable|Max retries"
        r"|ReadTimeout|Could not fetch URL",
        "The package index could not be reached.",
        "check the network (or pip's proxy and index settings), then run this again",
    ),
    (
        r"\(from versions: none\)",
        "The package index could not be reached, or does not have a package at all.",
        "check the network (or pip's proxy and index settings), then run this again",
    ),
    (
        r"No matching distribution found for|Could not find a version",
        "A package is not to be had for this Python or platform.",
        "use Python 3.11 on Linux x86-64, which is what is tested",
    ),
)


class SetupError(Exception):
    """Setting up failed: what happened, what we saw, what to try."""

    def __init__(self, happened: str, saw: str, advice: str):
        super().__init__(f"{happened}\nSeen: {saw}\nTry: {advice}")


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


def ensure(extras: tuple[str, ...] = ()) -> Path:
    """Return a Python that has the workbench and the extras, installing what is missing.

    The running Python is used as it is when it has everything already (Binder, a conda
    environment, a teacher's own image); otherwise `.venv` in the clone is made or completed.

    Raises
    ------
    SetupError
        Wrong Python, no room, no network, no write permission.
    """
    if not VENV.exists() and _has_everything(extras):
        say(f"Using the environment that is there: {sys.prefix}")
        return Path(sys.executable)
    python = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = VENV / ".complete"
    wanted = {f"{name}:{_digest()}" for name in ("base", *extras)}
    have = set(stamp.read_text().split()) if stamp.exists() else set()
    if python.exists() and wanted <= have:
        return python
    _check_room()
    if not _has_pip(python):
        _make_venv()
    say("[2/4] Bringing pip up to date")
    _pip(python, "install", "--upgrade", "pip>=24", "setuptools>=77")
    _install_torch(python)
    names = ",".join(extras)
    say(f"[4/4] Installing the workbench{f' with {names}' if names else ''}")
    _pip(python, "install", "--editable", f"{ROOT}[{names}]" if names else str(ROOT))
    current = {mark for mark in have if mark.endswith(_digest())}
    stamp.write_text("\n".join(sorted(current | wanted)) + "\n")
    return python


def has_nvidia_gpu() -> bool:
    """Return whether an Nvidia driver answers on this machine."""
    tool = shutil.which("nvidia-smi")
    return bool(tool) and subprocess.run([tool, "-L"], capture_output=True).returncode == 0


def _make_venv() -> None:
    base = _find_python()
    say(f"[1/4] Making {VENV} with {base}")
    words = [base, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(words, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            "The virtual environment could not be made.",
            (made.stderr or made.stdout).strip()[-500:],
            "on Debian and Ubuntu: apt-get install python3-venv; or check that the folder can be "
            "written to",
        )


def _has_pip(python: Path) -> bool:
    """Return whether the environment was made to its end: pip comes last."""
    words = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(words, capture_output=True).returncode == 0


def _install_torch(python: Path) -> None:
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
        return
    if has_nvidia_gpu():
        # Not tried by our tests: they run on machines without a GPU.
        say("[3/4] Installing PyTorch for your Nvidia GPU (several GB)")
        _pip(python, "install", f"torch=={TORCH}")
        return
    if sys.platform != "linux" or platform.machine() != "x86_64":
        # Elsewhere the index's own build has no CUDA in it. Not tried by our tests.
        say("[3/4] Installing PyTorch")
        _pip(python, "install", f"torch=={TORCH}")
        return
    say("[3/4] Installing PyTorch, the CPU build (about 200 MB)")
    wheel = f"torch=={TORCH}+cpu"
    try:
        _pip(python, "install", wheel)
    except SetupError:
        # Only PyTorch's own index has CPU builds; the usual index alone would bring gigabytes
        # of CUDA. torch alone comes from there, what it needs comes from the usual index.
        # Not tried by our tests: where they run, pip has the CPU build.
        say(f"      not in pip's own index, so from {TORCH_CPU_INDEX}")
        _pip(python, "install", "--no-deps", "--index-url", TORCH_CPU_INDEX, wheel)


def _pip(python: Path, *words: str) -> None:
    """Run pip, passing its output on, and explain its failures."""
    command = [str(python), "-m", "pip", *words, "--disable-pip-version-check"]
    tail: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                tail.append(line)
                if line.startswith(("Collecting", "  Downloading", "Installing", "Building")):
                    print("      " + line.strip()[:90], flush=True)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise _explain("".join(tail))


def _explain(text: str) -> SetupError:
    for pattern, happened, advice in _PIP_TROUBLE:
        for line in text.splitlines():
            if re.search(pattern, line):
                return SetupError(happened, line.strip()[:400], advice)
    return SetupError("pip failed.", text.strip()[-1500:], "run this again; then report it")


def _find_python() -> str:
    """Return a Python of a version that we support, the running one if it is."""
    if PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        return sys.executable
    for minor in range(PYTHONS[0][1], PYTHONS[1][1]):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise SetupError(
        "This Python is of a version that the workbench does not run on.",
        f"{sys.executable} is {platform.python_version()}",
        "install Python 3.11 (3.11 to 3.13 will do) and run this again with it",
    )


def _check_room() -> None:
    if not os.access(ROOT, os.W_OK):
        raise SetupError(
            "The clone cannot be written to.", str(ROOT), "clone into a folder of your own"
        )
    free = shutil.disk_usage(ROOT).free
    if free < ROOM_BYTES:
        raise SetupError(
            "There is too little room on the disk.",
            f"{free / 1e9:.1f} GB free at {ROOT}, {ROOM_BYTES / 1e9:.0f} GB needed",
            "free some room, or clone elsewhere",
        )


def _digest() -> str:
    """Return what ties an environment to what pyproject.toml asks for, and to this folder."""
    asked = (ROOT / "pyproject.toml").read_bytes()
    return hashlib.sha256(asked + os.fsencode(ROOT)).hexdigest()[:16]


def _requirements(extras: tuple[str, ...]) -> set[str]:
    """Return the distributions that pyproject.toml asks for, extras of extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines, todo, seen = list(project["dependencies"]), list(extras), set()
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for line in project["optional-dependencies"][extra]:
            own = re.match(r"accelerator-workbench\[(.*)\]", line)
            if own:
                todo += own.group(1).split(",")
            else:
                lines.append(line)
    return {re.split(r"[\[<>=!~ ;]", line)[0] for line in lines}


def _has_everything(extras: tuple[str, ...]) -> bool:
    """Return whether the running Python has this clone installed and all that it asks for."""
    spec = importlib.util.find_spec("workbench")
    if spec is None or spec.origin is None or ROOT not in Path(spec.origin).parents:
        return False
    try:
        for name in {*_requirements(extras), "accelerator-workbench"}:
            version(name)
    except PackageNotFoundError:
        return False
    return True
