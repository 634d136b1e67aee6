"""What several targets say or do in the same words."""

from __future__ import annotations

from importlib import metadata

from workbench.measurement import Availability
from workbench.problem import Problem


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


def version(package: str) -> str | None:
    """Return the installed version of a distribution without importing it, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
