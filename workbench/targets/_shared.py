"""What several targets say or do in the same words."""

from __future__ import annotations

from importlib import metadata

from workbench.errors import InputError
from workbench.measurement import Availability
from workbench.problem import Problem

HOST = "this computer"


def only_one(index: int, found: str) -> Availability:
    """Answer `probe` for a place of which there is one."""
    if index == 0:
        return Availability(True, found)
    return Availability(
        False, f"there is no device number {index}, only number 0", "leave out the :" + str(index)
    )


def needs_torch_module(problem: Problem, how: str) -> Availability:
    """Answer `supports` for places that a problem reaches through its torch module."""
    if problem.torch_module is not None:
        return Availability(True, how)
    return Availability(
        False,
        f"{problem.name} has no torch module",
        f"give kernels/{problem.name}/problem.py a torch_module",
    )


def refuse_kernel(place: str, kernel: str | None) -> None:
    """Raise where an address names a kernel and the place runs none of the shelf's."""
    if kernel is not None:
        raise InputError(
            f"{place} does not run kernels of the shelf.",
            f"{place}/{kernel}",
            f"leave out /{kernel}, or name a target that does, such as simt",
        )


def version(package: str) -> str | None:
    """Return the installed version of a distribution without importing it, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
