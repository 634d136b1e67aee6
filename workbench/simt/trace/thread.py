"""One thread of a traced launch: its indices, its clock, and every access it makes."""

# pyright: reportAttributeAccessIssue=false, reportAssignmentType=false
# A thread's place is computed once here; `simt.thread.Thread` has it as properties.
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.simt.dim3 import Dim3
from workbench.simt.frontend.intrinsics import CACHE_LOADS, CACHE_STORES, FENCES
from workbench.simt.frontend.resolved import Site
from workbench.simt.memory_model import Clock
from workbench.simt.stepping.thread import Thread
from workbench.simt.trace.arrays import (
    IndexOutOfBounds,
    TracedArray,
    TracedRecord,
    constant_memory,
    poisoned_memory,
)
from workbench.simt.trace.atomics import ATOMICS
from workbench.simt.trace.values import cast, plain
from workbench.simt.types import as_dtype
from workbench.simt.warp_ops import WARP_SIZE

if TYPE_CHECKING:
    from workbench.simt.trace.scheduler import Block


class TracedThread(Thread, Clock):
    """What a rewritten kernel is given as ``_c``.

    Parameters
    ----------
    home : Block
        The block it belongs to.
    index : Dim3
        ``threadIdx``.
    linear : int
        Its place in the block, x fastest.
    """

    accesses: frozenset[str] = frozenset()
    """The methods that touch an array, and so are given the site first."""
    linear = warp = laneid = 0

    def __init__(self, home: Block, index: Dim3, linear: int):
        launch = home.tracer.launch
        Clock.__init__(self, home.linear * launch.block.count + linear, home.linear)
        self.home, self.threadIdx, self.blockIdx = home, index, home.index
        self.blockDim, self.gridDim = launch.block, launch.grid
        self.observer = home.tracer.observer
        self.linear, self.warp, self.laneid = linear, linear // WARP_SIZE, linear % WARP_SIZE
        self.loops: list[int] = []
        self.left: Site | None = None
        self.done = False
        self.answer: Any = None
        self.request: Any = None
        self.generator: Any = None

    # -- memory of its own

    def shared_array(self, site: Site, name: str, shape: Any = 0, dtype: Any = None, **_: Any):
        """``cuda.shared.array``: one for each place in the source, however often it is reached."""
        return self.home.shared_array(site, name, shape, as_dtype(dtype))

    def local_array(self, site: Site, name: str, shape: Any = 0, dtype: Any = None, **_: Any):
        """``cuda.local.array``."""
        return poisoned_memory(name, "local", shape, as_dtype(dtype), self.thread)

    def const_array_like(self, site: Site, name: str, array: Any):
        """``cuda.const.array_like``."""
        return array if isinstance(array, TracedArray) else constant_memory(name, array)

    # -- accesses

    def load(self, array: Any, index: Any, site: Site) -> Any:
        """Return ``array[index]``, seen by the observer."""
        if type(array) is not TracedArray:
            return plain(array[index])
        if not array.is_element(index):
            return self._window(array, index, site)
        try:
            position, address, wrapped = array.locate(index)
        except IndexOutOfBounds:
            self.observer.out_of_bounds(self, array, index, site, "reads")
            return self._nothing(array, site)
        if wrapped:
            self.observer.negative_index(self, array, index, position, site)
        if not array.plain:
            return TracedRecord(self, array, position, site)
        value = plain(array.data[position])
        self.observer.load(self, array, position, address, value, site)
        return value

    def store(self, array: Any, index: Any, value: Any, site: Site) -> None:
        """Do ``array[index] = value``, seen by the observer."""
        if type(array) is not TracedArray:
            array[index] = value
            return
        if not array.is_element(index):
            self._fill(array, index, value, site)
            return
        try:
            position, address, wrapped = array.locate(index)
        except IndexOutOfBounds:
            self.observer.out_of_bounds(self, array, index, site, "writes")
            return
        if wrapped:
            self.observer.negative_index(self, array, index, position, site)
        if not array.plain:
            for name in array.dtype.names or ():
                self.store(array.column(name), position, getattr(value, name), site)
            return
        old = plain(array.data[position])
        new = plain(cast(array.dtype, value))
        array.data[position] = new
        self.home.tracer.changes += 1
        self.observer.store(self, array, position, address, old, new, site)

    def atomic(self, site: Site, name: str, array: TracedArray, index: Any, *operands: Any) -> Any:
        """``cuda.atomic.<name>``; returns the old value."""
        try:
            position, address, wrapped = array.locate(index)
        except IndexOutOfBounds:
            self.observer.out_of_bounds(self, array, index, site, "atomically updates")
            return self._nothing(array, site)
        if wrapped:
            self.observer.negative_index(self, array, index, position, site)
        old = plain(array.data[position])
        new = plain(cast(array.dtype, ATOMICS[name](old, *operands)))
        array.data[position] = new
        if new != old:
            self.home.tracer.changes += 1
        self.observer.atomic(self, array, position, address, old, new, site)
        return old

    def atomic_compare_and_swap(self, site: Site, array: TracedArray, expected: Any, value: Any):
        """``cuda.atomic.compare_and_swap``, on the first element."""
        return self.atomic(site, "cas", array, (0,) * array.ndim, expected, value)

    def _nothing(self, array: TracedArray, site: Site) -> Any:
        if array.plain:
            return plain(array.dtype.type(0))
        nothing = constant_memory("nothing", np.zeros(1, array.dtype))
        return TracedRecord(self, nothing, (0,), site)

    def _window(self, array: TracedArray, index: Any, site: Site) -> TracedArray:
        try:
            return array.window(index)
        except IndexOutOfBounds:
            self.observer.out_of_bounds(self, array, index, site, "takes a view at")
            return constant_memory("nothing", np.zeros(array.shape[1:], array.dtype))

    def _fill(self, array: TracedArray, index: Any, value: Any, site: Site) -> None:
        window = self._window(array, index, site)
        for position in np.ndindex(*window.shape):
            one = value
            if isinstance(value, TracedArray):
                one = self.load(value, position[-value.ndim :], site)
            self.store(window, position, one, site)

    # -- loops and calls, for observers who compare the lanes of a warp

    def enter(self) -> int:
        """Begin a loop; returns its depth."""
        self.loops.append(0)
        return len(self.loops) - 1

    def trip(self, depth: int) -> None:
        """Begin one more iteration of the loop at `depth`."""
        del self.loops[depth + 1 :]
        self.loops[depth] += 1

    def leave(self, depth: int) -> None:
        """End the loop at `depth`."""
        del self.loops[depth:]

    def begin_call(self, number: int) -> int:
        """Begin a call of a device function from place `number`; returns its depth."""
        self.loops.append(-number)
        return len(self.loops) - 1

    def end_call(self, depth: int, result: Any) -> Any:
        """End the call at `depth`, passing on its result."""
        del self.loops[depth:]
        return result

    def ends(self, names: dict[str, Any]) -> None:
        """Hand over the local names on leaving the kernel."""
        self.observer.thread_ends(self, names)

    def counted(self, line: int, value: Any) -> Any:
        """Pass on the result of an arithmetic operation, seen by the observer."""
        self.observer.operation(self, line, value)
        return value


def _atomic(name: str) -> Any:
    def run(self, site, array, index, *operands):
        return self.atomic(site, name, array, index, *operands)

    return run


def _cache_load(self, site, array, index):
    return self.load(array, index, site)


def _cache_store(self, site, array, index, value):
    self.store(array, index, value, site)


for _name in ATOMICS:
    setattr(TracedThread, f"atomic_{_name}", _atomic(_name))
for _name in CACHE_LOADS:
    setattr(TracedThread, _name, _cache_load)
for _name in CACHE_STORES:
    setattr(TracedThread, _name, _cache_store)
for _name in FENCES:
    setattr(TracedThread, _name, Clock.fence)
TracedThread.accesses = frozenset(
    ["atomic_compare_and_swap", *(f"atomic_{n}" for n in ATOMICS), *CACHE_LOADS, *CACHE_STORES]
)
