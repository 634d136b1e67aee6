"""What is in our folders: problems, kernels, targets and notebooks, found by looking.

Adding a file is registering it; there is no list to keep in step. This module lists and never
imports what it lists, so that asking what exists stays instant. It refuses to know anything about
what the files do.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from workbench.errors import (
    InputError,
    InstallationError,
    UnknownNameError,
    WorkbenchError,
)

if TYPE_CHECKING:
    from workbench.problem import Problem

ROOT = Path(__file__).resolve().parents[1]
"""The clone: the package runs from an editable install of it."""


@dataclass(frozen=True, order=True)
class KernelFile:
    """One file on the shelf.

    Attributes
    ----------
    problem : str
        Folder name.
    name : str
        File name without ``.py``, for instance ``cuda_2_tiled``.
    path : Path
    """

    problem: str
    name: str
    path: Path

    @property
    def dialect(self) -> str:
        """The programming model: ``"cuda"`` or ``"ascend"``."""
        return self.name.partition("_")[0]

    def load(self) -> ModuleType:
        """Import the file through the door and return its module."""
        return import_module(f"workbench.kernels.{self.problem}.{self.name}")


def folder(name: str) -> Path:
    """Return a top-level folder of the clone.

    Raises
    ------
    InstallationError
        Where the package does not run from a clone.
    """
    path = ROOT / name
    if not path.is_dir():
        raise InstallationError(
            f"The workbench's folder {name!r} is not there.",
            str(path),
            "run from a clone, installed with `pip install --editable .` or `scripts/lab`",
        )
    return path


def problem_names() -> list[str]:
    """Return the problems on the shelf, sorted."""
    return sorted(path.parent.name for path in folder("kernels").glob("*/problem.py"))


def load_problem(name: str) -> Problem:
    """Import and return one problem.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    InputError
        Where its file raises, or defines no ``problem``.
    """
    known = problem_names()
    if name not in known:
        raise UnknownNameError("problem", name, known)
    try:
        return import_module(f"workbench.kernels.{name}.problem").problem
    except WorkbenchError:
        raise
    except Exception as error:  # whatever a file of somebody's own may do
        raise InputError(
            f"The problem {name!r} cannot be loaded.",
            f"{type(error).__name__}: {error} in {folder('kernels') / name / 'problem.py'}",
            "mend the file; it must define `problem`",
        ) from error


def kernel_files(problem: str | None = None, dialect: str | None = None) -> list[KernelFile]:
    """Return the kernels on the shelf, sorted, of one problem and one dialect if asked."""
    found = [
        KernelFile(path.parent.name, path.stem, path)
        for pattern in ("cuda_*.py", "ascend_*.py")
        for path in folder("kernels").glob(f"*/{pattern}")
    ]
    return sorted(
        file
        for file in found
        if problem in (None, file.problem) and dialect in (None, file.dialect)
    )


def target_names() -> list[str]:
    """Return the places where work can run, by file name, sorted."""
    return sorted(path.stem for path in (ROOT / "workbench" / "targets").glob("[!_]*.py"))


def notebook_paths() -> list[Path]:
    """Return the notebooks of the series in reading order."""
    return sorted(folder("notebooks").glob("[0-9][0-9]_*.ipynb"))
