"""Running kernels of the shelf: shared by the targets that execute CUDA or Ascend kernels.

A shelf file says ``from workbench import cuda``, which is the workbench's own engine. For other
executors the file is loaded once more, as a module of its own, with that name meaning theirs, and
so are the shelf files that it imports from; the files themselves never change.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from workbench import catalog
from workbench.batch import each
from workbench.catalog import KernelFile
from workbench.errors import InputError, UnknownNameError
from workbench.measurement import Availability
from workbench.problem import Arrays, Problem
from workbench.targets import Runner

_door = threading.Lock()


def kernels(problem: Problem, dialect: str) -> list[KernelFile]:
    """Return the kernels of a problem in one dialect, first rung first."""
    return sorted(catalog.kernel_files(problem.name, dialect), key=_rung)


def _rung(file: KernelFile) -> tuple[int, str]:
    number = re.match(r"[a-z]+_(\d+)", file.name)
    return (int(number[1]) if number else 0, file.name)


def has_kernel(problem: Problem, dialect: str) -> Availability:
    """Answer `supports` for places that run kernels of `dialect`."""
    files = kernels(problem, dialect)
    if files:
        return Availability(True, ", ".join(file.name for file in files))
    return Availability(
        False,
        f"there is no {dialect} kernel for {problem.name}",
        f"write kernels/{problem.name}/{dialect}_1_naive.py with a launch function",
    )


def check_kernel(problem: Problem, target: str, dialect: str | None, kernel: str) -> None:
    """Raise where an address names a kernel that does not exist or that the target does not run.

    Raises
    ------
    InputError
        Saying which of the two.
    """
    if dialect is None:
        raise InputError(
            f"{target} does not run kernels of the shelf.",
            f"{target}/{kernel}",
            f"leave out /{kernel}, or name a target that does, such as simt",
        )
    choose(problem, dialect, kernel)


def choose(problem: Problem, dialect: str, kernel: str | None) -> KernelFile:
    """Return the kernel that was named, or the last rung.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    """
    files = {file.name: file for file in kernels(problem, dialect)}
    if kernel is None:
        return list(files.values())[-1]
    if kernel not in files:
        raise UnknownNameError(f"{dialect} kernel for {problem.name}", kernel, files)
    return files[kernel]


def load_with(file: KernelFile, cuda: ModuleType) -> ModuleType:
    """Load a shelf file with ``workbench.cuda`` meaning `cuda`, apart from its usual module."""
    name = f"_shelf_{cuda.__name__.replace('.', '_')}_{file.problem}_{file.name}"
    spec = importlib.util.spec_from_file_location(name, file.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _meaning(cuda), _fresh_siblings():
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _meaning(cuda: ModuleType) -> Iterator[None]:
    import workbench

    door: Any = workbench
    with _door:
        before = vars(door).get("cuda")
        door.cuda = cuda
        try:
            yield
        finally:
            if before is None:
                del door.cuda
            else:
                door.cuda = before


_SHELF_FILE = re.compile(r"workbench\.kernels\.\w+\.(cuda|ascend)_")


@contextlib.contextmanager
def _fresh_siblings() -> Iterator[None]:
    """Have shelf files that are imported meanwhile loaded anew; put back those that were there."""
    before = {name: module for name, module in sys.modules.items() if _SHELF_FILE.match(name)}
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _SHELF_FILE.match(name)]:
            del sys.modules[name]
        sys.modules.update(before)


class LaunchRunner(Runner):
    """A shelf file's ``launch(*inputs, *outputs)``.

    Parameters
    ----------
    problem : Problem
    inputs : tuple
    launch : callable
    to_device, to_host : callable
        Copy one array there and back.
    synchronize : callable
        Waits until the device has finished; part of what is timed.
    """

    def __init__(
        self,
        problem: Problem,
        inputs: tuple[Any, ...],
        launch: Callable[..., None],
        *,
        to_device: Callable[[np.ndarray], Any] = np.array,
        to_host: Callable[[Any], np.ndarray] = np.array,
        synchronize: Callable[[], Any] = lambda: None,
    ):
        self._problem, self._launch = problem, each(launch, problem.batch)
        self._to_device, self._to_host, self._synchronize = to_device, to_host, synchronize
        self.load(inputs)

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Copy the inputs and freshly poisoned outputs to the device."""
        values = (*inputs, *self._problem.outputs(*inputs))
        self._count = len(inputs)
        self._arguments = [
            self._to_device(value) if isinstance(value, np.ndarray) else value for value in values
        ]
        self._synchronize()

    def run(self) -> None:
        """Launch, and wait for the device."""
        self._launch(*self._arguments)
        self._synchronize()

    def fetch(self) -> Arrays:
        """Copy the outputs to the host."""
        return tuple(self._to_host(one) for one in self._arguments[self._count :])

    def close(self) -> None:
        """Drop the arrays, so that the device's memory can be reused."""
        self._arguments = []
