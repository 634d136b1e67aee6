"""The memory of a generated kernel: shared and local arrays, and values kept across barriers."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from workbench.simt.codegen.declared import (
    STACK_BYTES,
    DeclaredArray,
    dtype_text,
    itemsize_of_type,
)
from workbench.simt.planning.analysis import reads
from workbench.simt.planning.nodes import Meeting, Region, Uniform, Unplannable, regions_of
from workbench.simt.planning.proofs import overwritten_first


class Memory:
    """The part of the region writer that makes arrays."""

    def _locals_that_cross(self) -> set[str]:
        """Local arrays that more than one region touches: they gain a thread axis."""
        count: dict[str, int] = {}
        for region in regions_of(self.plan.nodes):
            names = {name for s in [*region.again, *region.body] for name in reads(s)}
            for name in names & set(self.local_arrays):
                count[name] = count.get(name, 0) + 1
        return {name for name, times in count.items() if times > 1}

    def _overwritten(self, one: DeclaredArray) -> bool:
        """Whether nobody can see what fresh memory holds."""
        first = []
        for node in self.plan.nodes:
            if not isinstance(node, (Region, Uniform, Meeting)):
                break
            if isinstance(node, Region):
                first.append(node.body)
        return overwritten_first(one.name, one.shape, first, self.normal, self.block)

    def _array(self, name: str, shape: tuple[int, ...], dtype: str, itemsize: int) -> None:
        if int(np.prod(shape)) * itemsize > STACK_BYTES:
            self.prologue.append(f"{name} = np.empty({shape!r}, {dtype})")
        else:
            self.makers.append(f"make_{name} = block_array({shape!r}, {dtype})")
            self.prologue.append(f"{name} = make_{name}()")

    def _declare(self) -> None:
        for one in self.arrays:
            if one.kind == "const":
                continue
            if one.dynamic:
                self.prologue.append("_dynamic = np.empty(_shared_bytes, np.uint8)")
                self.makers.append(f"like_{one.name} = np.empty(0, {dtype_text(one.element)})")
                self.prologue.append(f"{one.name} = view_as(_dynamic, like_{one.name})")
            elif one.name in self.shared_axis:
                shape = (self.threads, *one.shape)
                text, size = dtype_text(one.element), itemsize_of_type(one.element)
                self._array(f"all_{one.name}", shape, text, size)
            else:
                text, size = dtype_text(one.element), itemsize_of_type(one.element)
                self._array(one.name, one.shape, text, size)
            self.prologue += self.mode.declares(one.kind, one.name, one.shape, one.element)
        for name in sorted(self.plan.expanded):
            kind = self.translator.kinds.get(name)
            if name in self.plan.masks:
                kind = types.boolean
            elif name in self.plan.counters:
                kind = types.int64
            self._array(f"v_{name}", (self.threads,), self._kept_dtype(name, kind), 8)
        if self.everyone:
            self._array("_everyone", (self.threads,), "np.bool_", 1)
            self.prologue.append("_everyone[:] = True")

    def _kept_dtype(self, name: str, kind: Any) -> str:
        if isinstance(kind, (types.Number, types.Boolean)):
            return dtype_text(types.unliteral(kind))
        raise Unplannable(
            "A value that is no number lives across a barrier.",
            f"{name}: {kind}",
            "compute it again after the barrier, or keep its parts in names of their own",
        )
