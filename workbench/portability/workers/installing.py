"""Installs a build of ONNX Runtime into an environment of its own, and removes it.

Asked for, never by itself; the size is announced before anything is downloaded. What was downloaded
when it is interrupted, by Ctrl-C, a lost connection or a killed process, stays, and asking again
goes on in the middle of the file (`downloads`). It refuses to touch the user's own environment.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import cache
from workbench.errors import InstallationError
from workbench.portability.workers.downloads import Downloads, Wheel
from workbench.portability.workers.environments import (
    Build,
    build_availability,
    build_named,
    environment_folder,
)

Progress = Callable[[int, int], None]
NUMPY_MB = 70  # unpacked, as its wheels for Linux are
_MB = 1e6


def add_build(
    name: str, say: Callable[[str], None] = print, progress: Progress | None = None
) -> Path:
    """Install a build into its own environment, or go on with an installation that was interrupted.

    Parameters
    ----------
    name : str
        A key of `environments.BUILDS`.
    say : callable
        Given one line at a time; the first says what will be downloaded and where it goes.
    progress : callable, optional
        Given the bytes there are and the bytes in all, again and again; lines of `say`, one for
        each tenth, by default.

    Raises
    ------
    InstallationError
        Where a file cannot be found or fetched, where there is no room, where pip refuses, or
        where another process is installing this build.
    """
    build, folder = build_named(name), environment_folder(name)
    if build_availability(name):
        say(f"{name} is installed in {folder}")
        return folder
    cache.folder("providers", holds="to install a build of ONNX Runtime")
    with _alone(folder):
        with Downloads(_made(download_folder(name))) as downloads:
            wheels = [downloads.find(package) for package in build.packages]
            _announce(build, downloads, wheels, folder, say)
            files = _fetch(downloads, wheels, progress or _lines(say))
        say(f"Installing {', '.join(wheel.name for wheel in wheels)}")
        if not (folder / "bin" / "python").exists():
            venv.create(folder, with_pip=False, clear=folder.exists())
        _install(build, folder, files)
        (folder / "ready.json").write_text(json.dumps({"packages": list(build.packages)}))
        shutil.rmtree(download_folder(name))
    say(f"{name} is ready")
    return folder


def download_folder(name: str) -> Path:
    """Return where the files of a build wait until all have come."""
    return environment_folder(name).with_suffix(".downloads")


def downloaded_bytes(name: str) -> int:
    """Return how much of a build has come in an installation that did not finish."""
    return sum(path.stat().st_size for path in download_folder(name).glob("*"))


def remove(name: str) -> bool:
    """Remove a build's environment and what was downloaded of it; say whether there was one."""
    folder = environment_folder(name)
    there = folder.exists() or download_folder(name).exists()
    shutil.rmtree(download_folder(name), ignore_errors=True)
    if folder.exists():
        (folder / "ready.json").unlink(missing_ok=True)  # first: half removed is not installed
        shutil.rmtree(folder)
    return there


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _announce(
    build: Build, downloads: Downloads, wheels: list[Wheel], folder: Path, say: Callable
) -> None:
    total = sum(wheel.size or 0 for wheel in wheels)
    here = sum(downloads.here(wheel) for wheel in wheels)
    need_mb = build.unpacked_mb + NUMPY_MB
    free_mb = shutil.disk_usage(folder.parent).free // 2**20
    files = ", ".join(f"{w.name} ({(w.size or 0) / _MB:.1f} MB)" for w in wheels)
    kept = f", of which {here / _MB:.1f} MB are here already" if here else ""
    say(
        f"{build.name}: {total / _MB:.1f} MB to download{kept}, about {need_mb} MB on disk "
        f"({free_mb} MB free), into {folder}: {files}"
    )
    for wheel in wheels:
        if not wheel.sha256:
            say(f"{wheel.name}: the index promises no SHA-256, so that it cannot be checked")
    if free_mb < 2 * need_mb + (total - here) // 2**20:
        raise InstallationError(
            f"There is not enough room for {build.name}.",
            f"{free_mb} MB free at {folder.parent}",
            "free some, or set WORKBENCH_CACHE to a folder on another disk",
        )


def _fetch(downloads: Downloads, wheels: list[Wheel], progress: Progress) -> list[Path]:
    total, before, files = sum(wheel.size or 0 for wheel in wheels), 0, []
    for wheel in wheels:
        files.append(downloads.fetch(wheel, lambda size, done=before: progress(done + size, total)))
        before += files[-1].stat().st_size
        progress(before, total)
    return files


def _lines(say: Callable[[str], None]) -> Progress:
    """Return a progress that says a line for each tenth."""
    said = -1

    def progress(here: int, total: int) -> None:
        nonlocal said
        tenth = 10 * here // total if total else 0
        if tenth > said:
            said = tenth
            say(f"{here / _MB:.1f} of {total / _MB:.1f} MB")

    return progress


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the installation of one build; the lock ends with its process, however that ends."""
    import fcntl

    with folder.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise InstallationError(
                f"{folder.name} is being installed by another process.",
                str(folder),
                "wait for it, then ask again",
            ) from cause
        yield


def _install(build: Build, folder: Path, files: list[Path]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    command += ["--no-deps", "--no-index", "--no-input", "--no-color", "--progress-bar", "off"]
    done = subprocess.run(
        [*command, *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise InstallationError(
            f"pip could not install {build.packages[0]}.",
            " | ".join(done.stdout.strip().splitlines()[-8:]),
            "look at the Python version (wheels exist for some), then ask again",
        )
