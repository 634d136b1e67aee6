"""From a resolved kernel, argument types and a block shape to a compiled state machine."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
from numba import types

from workbench.simt import build as shared
from workbench.simt.cache import module_path, read_module, write_module
from workbench.simt.emit import DEBUG, Mode
from workbench.simt.infer import ScalarTranslator
from workbench.simt.irregular.flow import FlowNormaliser, Inlined, LeaveInlined, flow
from workbench.simt.irregular.frames import Layout, kept_between, layout
from workbench.simt.irregular.waiting import may_wait, with_waits_in_sight
from workbench.simt.irregular.writer import PARAMETERS, StateTranslator, StateWriter
from workbench.simt.analysis import writes
from workbench.simt.module import HEADER, Module
from workbench.simt.normalise import normalise
from workbench.simt.resolved import Intrinsic, Resolved
import ast


class _Plain(Mode):
    name = "irregular"


class _Debug(type(DEBUG)):
    name = "irregular debug"


@dataclass
class Machine(shared.Compiled):
    """A kernel compiled as a state machine, called as `build.Compiled` is.

    Its `module.layout` says what a launch must know: see `facts`.
    """

    extra = (types.Array(types.int64, 1, "C"),) * len(PARAMETERS)


class _OneThread(ScalarTranslator):
    """One thread's code for type inference, with functions that return from anywhere."""

    def write_Inlined(self, statement: Inlined) -> None:
        """Write the body in place."""
        self.write(statement.body)

    def write_LeaveInlined(self, _: LeaveInlined) -> None:
        """Types do not depend on what follows."""
        self.out("pass")


def build(resolved: Resolved, kinds: tuple, block: tuple, debug: bool) -> Machine:
    """Return the compiled kernel, from the cache where it is there.

    Raises
    ------
    KernelTypingError
        Where the types do not fit.
    KernelSourceError
        Where the kernel says what this tier cannot run.
    """
    mode = _Debug() if debug else _Plain()
    path = module_path(resolved, kinds, block, mode)
    return shared.built(path, mode, block, lambda: _generated(resolved, kinds, block, mode), Machine)
