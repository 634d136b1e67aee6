"""CUDA's own names in lockstep: declared arrays, atomics, barriers, warp operations, bits."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.simt.codegen.names import evaluate
from workbench.simt.errors import BarrierDivergenceError
from workbench.simt.frontend.normalise import DECLARED
from workbench.simt.frontend.resolved import Intrinsic
from workbench.simt.host import limits
from workbench.simt.library import half
from workbench.simt.lockstep.arrays import Open, View
from workbench.simt.lockstep.expressions import Expressions, frozen
from workbench.simt.lockstep.functions import each
from workbench.simt.lockstep.numbers import CannotLockstep, choose, numbers, truth
from workbench.simt.stepping.thread import Thread
from workbench.simt.types import as_dtype, poisoned_array
from workbench.simt.warp_ops import FULL_MASK

_PER_LANE = {
    "popc": each(Thread.popc, np.int32),
    "clz": each(Thread.clz, np.int32),
    "ffs": each(Thread.ffs, np.int32),
    "cbrt": np.cbrt,
}


class Operations(Expressions):
    """What the names of the CUDA programming model do."""

    def _of_Intrinsic(self, node: Intrinsic, mask: np.ndarray) -> Any:
        kind, name = node.intrinsic.kind, node.intrinsic.name
        if kind == "atomic":
            return self.atomic(node, mask, wanted=True)
        if kind == "declare":
            return self._declared(node)
        if kind == "fence" or name == "nanosleep":
            return None
        if name in ("grid", "gridsize"):
            axes = self.value(node.args[0], mask)
            find = self.lanes.grid_index if name == "grid" else self.lanes.grid_size
            return find(int(axes))
        if node.keywords:
            raise CannotLockstep(f"keywords of cuda.{name}")
        if name.startswith(("ld", "st")):
            return self._cached(node, mask)
        args = [self.value(arg, mask) for arg in node.args]
        if node.intrinsic.synchronises:
            return self._meet(node, args, mask)
        return self._computed(name, args)

    def _computed(self, name: str, args: list) -> Any:
        numbers(*args)
        if name in _PER_LANE:
            return _PER_LANE[name](*args)
        if name == "brev":
            return each(Thread.brev, np.uint64 if args[0].dtype.itemsize == 8 else np.uint32)(*args)
        if name == "lanemask_lt":
            lane = self.lanes.index("laneid").astype(np.uint32)
            return ((np.uint32(1) << lane) - np.uint32(1)).astype(np.uint32)
        if name == "selp":
            condition = truth(args[0])
            if not condition.ndim:
                return args[1] if condition else args[2]
            return choose(condition, args[1], args[2])
        if name == "fma":
            return _fused(*args)
        method = half.METHODS.get(name.replace(".", "_"))
        if method is None:
            raise CannotLockstep(f"cuda.{name}")
        return method(*args)

    def _cached(self, node: Intrinsic, mask: np.ndarray) -> Any:
        view = self.value(node.args[0], mask)
        index = self._index(node.args[1], mask)
        if not isinstance(view, View):
            raise CannotLockstep(f"cuda.{node.intrinsic.name} of a {type(view).__name__}")
        place = self._checked(node, mask, lambda: view.element(index, mask))
        if node.intrinsic.name.startswith("ld"):
            return view.load(place)
        value = self.value(node.args[2], mask)
        view.store(place, value, mask, mask is self.lanes.full)
        return None

    def atomic(self, node: Intrinsic, mask: np.ndarray, wanted: bool) -> Any:
        """Run an atomic for the lanes of a mask."""
        name = node.intrinsic.name.partition(".")[2]
        view, args = self.value(node.args[0], mask), list(node.args[1:])
        if not isinstance(view, View) or node.keywords:
            raise CannotLockstep(f"cuda.atomic.{name} of something else")
        if view.base.dtype == np.float16:
            raise CannotLockstep("an atomic on halves")
        index: tuple = (np.int64(0),) * len(view.open)
        if name == "compare_and_swap":
            name = "cas"
        else:
            index = self._index(args.pop(0), mask)
        values = tuple(self.value(arg, mask) for arg in args)
        place = self._checked(node, mask, lambda: view.element(index, mask))
        return view.atomic(name, place, values, mask, wanted)

    def _declared(self, node: Intrinsic) -> Any:
        names = DECLARED[node.intrinsic.name]
        given = dict(zip(names, node.args, strict=False))
        given.update({word.arg: word.value for word in node.keywords if word.arg})
        source = self.frame.resolved.source
        if node.intrinsic.name == "const.array_like":
            return View(frozen(np.asarray(evaluate(given["array"], source))))
        shape = evaluate(given["shape"], source)
        shape = tuple(map(int, shape)) if isinstance(shape, (tuple, list)) else (int(shape),)
        dtype = as_dtype(evaluate(given["dtype"], source))
        if node.intrinsic.name == "local.array":
            base = poisoned_array((self.lanes.count, *shape), dtype)
            return _beneath(base, self.lanes.lane_numbers)
        if shape == (0,):
            return self._dynamic(dtype)
        if id(node) not in self.memory:
            base = poisoned_array((self.lanes.blocks, *shape), dtype)
            self.memory[id(node)] = _beneath(base, self._own_block())
            arrays = [v for key, v in self.memory.items() if key != "dynamic"]
            total = sum(v.base.nbytes // self.lanes.blocks for v in arrays)
            limits.check_static_shared(total, f"{len(arrays)} arrays")
        return self.memory[id(node)]

    def _own_block(self) -> Any:
        return self.lanes.block_numbers if self.lanes.blocks > 1 else np.int64(0)

    def _dynamic(self, dtype: np.dtype) -> View:
        if "dynamic" not in self.memory:
            raw = poisoned_array((self.lanes.blocks, self.shared_bytes), np.uint8)
            self.memory["dynamic"] = View(raw)
        raw = self.memory["dynamic"].base
        usable = raw.shape[1] // dtype.itemsize * dtype.itemsize
        return _beneath(raw[:, :usable].view(dtype), self._own_block())

    # -- meetings

    def _meet(self, node: Intrinsic, args: list, mask: np.ndarray) -> Any:
        name, kind = node.intrinsic.name, node.intrinsic.kind
        if kind == "warp":
            return self._warp(name, args, mask)
        pair = self.lanes.missing(mask, self.live)
        if pair is not None:
            (thread, block), (other, _) = map(self.lanes.who, pair)
            raise BarrierDivergenceError(
                "Some threads wait at a barrier that others of their block never reach.",
                f"thread {thread} of block {block} waits at line {node.lineno}; "
                f"thread {other} does not",
                "move the barrier out of the branch, so that all threads of the block reach it",
            )
        return self.lanes.block_votes(name, truth(args[0]), mask) if args else None

    def _warp(self, name: str, args: list, mask: np.ndarray) -> Any:
        if name == "syncwarp":
            return None
        if not name.startswith("shfl"):
            value = args[1] if len(args) > 1 else np.bool_(True)
            value = value if name.startswith("match") else truth(value)
            return self.lanes.vote(name, value, mask, args[0] if args else FULL_MASK)
        _, value, operand = args
        numbers(value, operand)
        lane, operand = self.lanes.index("laneid"), operand.astype(np.int64)
        source = {
            "shfl_sync": lambda: (operand & 31) + 0 * lane,
            "shfl_up_sync": lambda: lane - operand,
            "shfl_down_sync": lambda: lane + operand,
            "shfl_xor_sync": lambda: lane ^ operand,
        }[name]()
        return self.lanes.shuffled(value, mask, source)


def _beneath(base: np.ndarray, first: Any) -> View:
    return View(base, [first, *(Open(0, n, 1) for n in base.shape[1:])])


def _fused(a: Any, b: Any, c: Any) -> Any:
    """Return ``a * b + c``: rounded once in float32, by way of float64."""
    if a.dtype == b.dtype == c.dtype == np.float32:
        wide = (one.astype(np.float64) for one in (a, b, c))
        first, second, third = wide
        return (first * second + third).astype(np.float32)
    return a * b + c
