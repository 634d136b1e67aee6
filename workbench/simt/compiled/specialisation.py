"""A kernel for one list of argument types and one block shape: compiled once, by who needs it."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import numba
import numpy as np

from workbench.simt import irregular
from workbench.simt.codegen.emit import DEBUG, PLAIN, Mode
from workbench.simt.compiled import build
from workbench.simt.compiled.pace import Pace
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.planning.nodes import Unplannable


class Specialisation:
    """A kernel for one list of argument types and one block shape, compiled when it is needed.

    Attributes
    ----------
    compiled : build.Compiled or None
        As regions.
    reason : str
        Why it cannot be.
    machine : irregular.Machine or None
        As a state machine: made where regions cannot be, or where it is asked for.
    machine_reason : str
        Why it cannot be.
    kinds : tuple
        The argument types, as Numba has them.
    """

    def __init__(self, kernel: Any, block: Dim3, kinds: tuple):
        self.kernel, self.block, self.kinds = kernel, block, kinds
        self.compiled: build.Compiled | None = None
        self.reason = ""
        self.machine: irregular.Machine | None = None
        self.machine_reason = ""
        self.is_made = False
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def make(self) -> None:
        """Compile, unless somebody has or is; errors wait for `ready`."""
        with self._lock:
            if self.is_made:
                return
            try:
                self._compile()
            except Exception as error:
                self._error = error
            self.is_made = True

    def ready(self) -> Specialisation:
        """Return this specialisation once it is compiled.

        Raises
        ------
        KernelTypingError, KernelSourceError
        """
        self.make()
        if self._error is not None:
            raise self._error
        return self

    def is_on_disk(self) -> bool:
        """Return whether making it only loads machine code."""
        return build.is_on_disk(self.kernel.resolved, self.kinds, tuple(self.block), self.mode)

    @cached_property
    def pace(self) -> Pace:
        """What is known about how long its launches take."""
        return Pace(self.kernel.resolved)

    @property
    def mode(self) -> Mode:
        """What the generated code checks beside bounds."""
        return DEBUG if self.kernel.options.get("debug") else PLAIN

    def as_machine(self) -> irregular.Machine | None:
        """Return the state machine, made now if it is not yet; None with `machine_reason`.

        Raises
        ------
        KernelTypingError
        """
        with self._lock:
            if self.machine is None and not self.machine_reason:
                self._make_machine()
        return self.machine

    def _compile(self) -> None:
        refused: KernelSourceError | None = None
        try:
            built = build.build(self.kernel.resolved, self.kinds, tuple(self.block), self.mode)
            built.compile(self.kinds)
            self.compiled = built
            return
        except KernelSourceError as error:
            self.reason = f"{error.happened} ({error.saw})"
            refused = error
        self._make_machine()
        if self.machine is None and not isinstance(refused, Unplannable):
            raise refused

    def _make_machine(self) -> None:
        block, debug = tuple(self.block), self.mode is DEBUG
        try:
            machine = irregular.build(self.kernel.resolved, self.kinds, block, debug)
        except KernelSourceError as error:
            self.machine_reason = f"{error.happened} ({error.saw})"
            return
        machine.compile(self.kinds)
        self.machine = machine


def check_declared(kernel: Any) -> None:
    """Raise at once where a kernel does not fit the signatures that it declares, as Numba does."""
    if not isinstance(kernel.resolved, Resolved):
        return
    mode = DEBUG if kernel.options.get("debug") else PLAIN
    for kinds in kernel.declared:
        build.check_types(kernel.resolved, kinds, mode)


def signature_key(args: tuple) -> tuple:
    """Return what of the arguments decides their types, cheaply."""
    return tuple(
        (value.dtype, value.ndim, value.flags.num)
        if isinstance(value, np.ndarray)
        else (type(value), len(value) if isinstance(value, tuple) else 0)
        for value in args
    )


def specialisation(kernel: Any, block: Dim3, args: tuple) -> tuple[Specialisation, bool]:
    """Return the kernel for these types and this block, perhaps not made yet, and if it is new."""
    key = (block, signature_key(args))
    found = kernel.specialisations.get(key)
    if found is not None:
        return found, False
    made = Specialisation(kernel, block, tuple(numba.typeof(value) for value in args))
    return kernel.specialisations.setdefault(key, made), True
