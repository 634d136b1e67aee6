"""From a resolved kernel, argument types and a block shape to a compiled state machine."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from numba import types

from workbench.simt.codegen.emit import DebugMode, Mode
from workbench.simt.codegen.infer import ScalarTranslator
from workbench.simt.codegen.module import Module
from workbench.simt.compiled.build import Compiled, built
from workbench.simt.compiled.understood import module_of, translator_for, understood
from workbench.simt.frontend.normal_form import Normal, Sync
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.irregular.flow import Flow, flow
from workbench.simt.irregular.frames import Layout, kept_between, layout
from workbench.simt.irregular.nodes import Inlined, LeaveInlined
from workbench.simt.irregular.normal import FlowNormaliser
from workbench.simt.irregular.writer import PARAMETERS, StateTranslator, StateWriter
from workbench.simt.planning.analysis import writes
from workbench.simt.planning.waiting import waits_for_blocks, with_waits_in_sight


class _Plain(Mode):
    name = "irregular"


class _Debug(DebugMode):
    name = "irregular debug"


@dataclass
class Machine(Compiled):
    """A kernel compiled as a state machine; `module.facts` says what its launch must know."""

    extra_types = (types.Array(types.int64, 1, "C"),) * len(PARAMETERS)


class _OneThread(ScalarTranslator):
    """One thread's code for type inference, with functions that return from anywhere."""

    def write_Inlined(self, statement: Inlined) -> None:
        """Write the body in place."""
        self.write(statement.body)

    def write_LeaveInlined(self, _: LeaveInlined) -> None:
        """Types do not depend on where a function returns."""
        self.out("pass")


def build(resolved: Resolved, kinds: tuple, block: tuple, debug: bool = False) -> Machine:
    """Return the compiled kernel, from the cache where it is there.

    Raises
    ------
    KernelTypingError
        Where the types do not fit.
    KernelSourceError
        Where the kernel says what this tier cannot run.
    """
    mode: Mode = _Debug() if debug else _Plain()

    def make() -> Module:
        return _generated(with_waits_in_sight(resolved), kinds, block, mode)

    return built(resolved, kinds, block, mode, make, Machine)


def _generated(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> Module:
    normal = normalise(resolved, FlowNormaliser)
    found = understood(normal, kinds, block, mode, _OneThread)
    states = flow(normal, found.known)
    names = (writes(normal.body) | states.counters) - {one.name for one in normal.declarations}
    loads = kept_between(states, names)
    threads = block[0] * block[1] * block[2]
    places = layout(states, loads, found.known, found.arrays, threads)
    translator = translator_for(found, mode, block, StateTranslator)
    translator.own |= states.counters | {"_np", "len"}
    writer = StateWriter(states, places, loads, translator, found.arrays)
    module = module_of(found, mode, writer.write, PARAMETERS)
    module.facts = _facts(normal, states, places)
    return module


def _facts(normal: Normal, states: Flow, places: Layout) -> dict[str, Any]:
    """Return what a launch must know: see `launch`."""
    parts = [part for statement in normal.body for part in ast.walk(statement)]
    return {
        "threads": places.threads,
        "frames": places.frames,
        "frame": places.frame,
        "block_bytes": places.block_bytes,
        "waits": any(waits_for_blocks(part, normal.body) for part in parts),
        "whole_grid": any(
            isinstance(part, Sync) and part.intrinsic.kind == "grid" for part in parts
        ),
        "lines": {str(number): line for number, line in states.lines.items()},
    }
