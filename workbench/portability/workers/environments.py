"""Environments for other builds of ONNX Runtime, installed on request, one folder each.

Two full builds in one environment overwrite each other without a word, and some need another NumPy.
So each build lives in a virtual environment under the user's cache, never in the user's own.
Nothing is installed unless asked for, the size is announced first, and a folder whose installation
did not finish is not used: it has no ``ready.json``. Asking again takes the packages that pip had
downloaded whole from its cache; one that was cut in the middle begins anew.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench import cache
from workbench.errors import InstallationError, UnavailableError, UnknownNameError
from workbench.measurement import Availability


@dataclass(frozen=True)
class Build:
    """One build of ONNX Runtime on PyPI.

    Attributes
    ----------
    name : str
    provider : str
        The execution provider it is installed for.
    packages : tuple of str
        Requirements, exact where the build is; installed without their dependencies.
    download_mb, unpacked_mb : int
        Of the build itself, from its page on PyPI, in megabytes.
    standin : str
        The stand-in that shows its placement with no hardware; empty where it needs none.
    real_library : str
        The vendor's library whose presence means that the real thing is used.
    compiles : bool
        Whether it compiles the nodes it takes: then the runtime cannot write its graph to a file.
    """

    name: str
    provider: str
    packages: tuple[str, ...]
    download_mb: int
    unpacked_mb: int
    standin: str = ""
    real_library: str = ""
    compiles: bool = False


NUMPY_MB = 70  # unpacked, as its wheels for Linux on PyPI are
BUILDS = {
    build.name: build
    for build in (
        Build(
            "cann",
            "CANNExecutionProvider",
            ("onnxruntime-cann==1.24.4", "numpy>=1.26,<2"),
            22,
            68,
            "ascend",
            "libascendcl.so",
        ),
        Build(
            "cuda",
            "CUDAExecutionProvider",
            ("onnxruntime-gpu==1.31.1", "numpy>=2,<3"),
            256,
            350,
            "nvidia",
            "libcuda.so.1",
        ),
        Build(
            "openvino",
            "OpenVINOExecutionProvider",
            ("onnxruntime-openvino==1.24.1", "numpy>=1.26,<3"),
            84,
            263,
            compiles=True,
        ),
    )
}


def build_named(name: str) -> Build:
    """Return a build by name, or raise naming the near misses."""
    if name not in BUILDS:
        raise UnknownNameError("provider build", name, BUILDS)
    return BUILDS[name]


def build_for(provider: str) -> Build | None:
    """Return the build that brings a provider, or None."""
    return next((build for build in BUILDS.values() if build.provider == provider), None)


def environment_folder(name: str) -> Path:
    """Return where a build is, or would be, installed."""
    return cache.place("providers", build_named(name).name)


def python_of(name: str) -> Path:
    """Return the interpreter of a build's environment.

    Raises
    ------
    UnavailableError
        Where the build is not installed.
    InstallationError
        Where an installation was begun and did not finish.
    """
    availability = build_availability(name)
    if not availability:
        kind = InstallationError if environment_folder(name).exists() else UnavailableError
        raise kind(
            f"The build {name!r} of ONNX Runtime cannot be used.",
            availability.reason,
            availability.remedy,
        )
    return environment_folder(name) / "bin" / "python"


def build_availability(name: str) -> Availability:
    """Say whether a build is installed, and if not, what it would take."""
    build, folder = build_named(name), environment_folder(name)
    remedy = f"`workbench providers add {name}` ({build.download_mb} MB to download)"
    if not folder.exists():
        return Availability(False, "it is not installed", remedy)
    try:
        found = json.loads((folder / "ready.json").read_text())
    except (OSError, ValueError):
        return Availability(False, "its installation did not finish", remedy)
    packages = found.get("packages") if isinstance(found, dict) else None
    if packages != list(build.packages):
        return Availability(False, f"another version is installed: {packages}", remedy)
    if not (folder / "bin" / "python").exists():
        return Availability(False, "its interpreter is gone (was Python upgraded?)", remedy)
    return Availability(True, f"{build.packages[0]} in {folder}")


def add_build(name: str, say: Callable[[str], None] = print) -> Path:
    """Install a build into its own environment, or finish an installation that was interrupted.

    Parameters
    ----------
    name : str
        A key of `BUILDS`.
    say : callable
        Given one line at a time: the size before anything is downloaded, then a line for each
        step of pip's, which shows no share of a download.

    Raises
    ------
    InstallationError
        Where pip fails; what it said last is in the message. Where the build is being installed
        by another process.
    """
    build, folder = build_named(name), environment_folder(name)
    if build_availability(name):
        say(f"{name} is installed in {folder}")
        return folder
    cache.folder("providers", holds="to install a build of ONNX Runtime")
    free_mb = shutil.disk_usage(folder.parent).free // 2**20
    say(
        f"{build.packages[0]}: {build.download_mb} MB to download, {build.unpacked_mb} MB on disk, "
        f"and NumPy, about 20 MB and 70 MB ({free_mb} MB free), into {folder}"
    )
    if free_mb < 2 * (build.unpacked_mb + NUMPY_MB):
        raise InstallationError(
            f"There is not enough room for {name}.",
            f"{free_mb} MB free at {folder.parent}",
            "free some, or set WORKBENCH_CACHE to a folder on another disk",
        )
    with _alone(folder):
        if not (folder / "bin" / "python").exists():
            venv.create(folder, with_pip=False, clear=folder.exists())
        _install(build, folder, say)
        (folder / "ready.json").write_text(json.dumps({"packages": list(build.packages)}))
    say(f"{name} is ready")
    return folder


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


def _install(build: Build, folder: Path, say: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    command += [
        "install",
        "--no-deps",
        "--no-input",
        "--no-color",
        "--progress-bar",
        "off",
        *build.packages,
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    last: list[str] = []
    with process:
        for line in process.stdout or ():
            last = [*last, line.strip()][-8:]
            if line.startswith(("Collecting", "Downloading", "Installing", "Successfully")):
                say(line.strip())
    if process.returncode:
        raise InstallationError(
            f"pip could not install {build.packages[0]}.",
            " | ".join(last),
            "look at the network and the Python version (wheels exist for some), then ask again",
        )


def remove(name: str) -> bool:
    """Remove a build's environment; say whether there was one."""
    folder = environment_folder(name)
    if not folder.exists():
        return False
    (folder / "ready.json").unlink(missing_ok=True)  # first: half a removal is not an installation
    shutil.rmtree(folder)
    return True
