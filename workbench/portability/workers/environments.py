"""Environments for other builds of ONNX Runtime, installed on request, one folder each.

Two full builds in one environment overwrite each other without a word, and some need another NumPy.
So each build lives in a virtual environment under the user's cache, never in the user's own.
A folder whose installation did not finish is not used: it has no ``ready.json``. It refuses to
install anything (`installing` does, on request).
"""

from __future__ import annotations

import json
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
        Of the build itself on Linux x86-64, about; `installing` asks the index for the exact size.
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
