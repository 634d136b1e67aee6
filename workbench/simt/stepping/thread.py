"""One thread of a launch, as the step-through tier and pdb see it.

Every CUDA name is an attribute or a method here; the ones that synchronise are generators that
yield a request and receive its result. In a debugger, ``_c`` is this object: ``p _c.threadIdx``.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from workbench.simt import warp_ops
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import KernelTypingError
from workbench.simt.frontend.intrinsics import (
    BLOCK_SYNC,
    CACHE_LOADS,
    CACHE_STORES,
    FENCES,
    WARP_SYNC,
)
from workbench.simt.library.half import METHODS
from workbench.simt.types import as_dtype, poisoned_array


class Request(NamedTuple):
    """What a thread waits for: the operation, its operands and the learner's line."""

    kind: str
    name: str
    operands: tuple
    line: int


class Thread:
    """The state of one thread.

    Attributes
    ----------
    threadIdx, blockIdx, blockDim, gridDim : Dim3
    memory : dict
        The block's shared arrays, by the place that declares them.
    """

    warpsize = warp_ops.WARP_SIZE

    def __init__(
        self, thread: Dim3, block: Dim3, grid_dim: Dim3, block_dim: Dim3, memory: dict, shared: int
    ):
        self.threadIdx, self.blockIdx = thread, block
        self.gridDim, self.blockDim = grid_dim, block_dim
        self.memory, self.shared_bytes = memory, shared

    @property
    def linear(self) -> int:
        """The thread's number in its block, x fastest."""
        t, d = self.threadIdx, self.blockDim
        return (t.z * d.y + t.y) * d.x + t.x

    @property
    def warp(self) -> int:
        """The warp's number in the block."""
        return self.linear // warp_ops.WARP_SIZE

    @property
    def laneid(self) -> int:
        """The thread's lane in its warp."""
        return self.linear % warp_ops.WARP_SIZE

    @property
    def tid(self) -> tuple:
        """The thread's index as a plain tuple."""
        return tuple(self.threadIdx)

    @property
    def ctaid(self) -> tuple:
        """The block's index as a plain tuple."""
        return tuple(self.blockIdx)

    def describe(self) -> str:
        """Return ``thread (1, 0, 0) of block (2, 0, 0)``."""
        return f"thread {self.tid} of block {self.ctaid}"

    def grid(self, ndim: int) -> Any:
        """Return the thread's index in the whole grid."""
        b, d, t = self.blockIdx, self.blockDim, self.threadIdx
        found = tuple(b[k] * d[k] + t[k] for k in range(ndim))
        return found[0] if ndim == 1 else found

    def gridsize(self, ndim: int) -> Any:
        """Return the extent of the whole grid in threads."""
        found = tuple(self.gridDim[k] * self.blockDim[k] for k in range(ndim))
        return found[0] if ndim == 1 else found

    def shared_array(self, key: str, shape: Any = None, dtype: Any = None, **options) -> Any:
        """Return the block's array for this declaration; shape 0 is the dynamic shared memory."""
        if isinstance(shape, int) and shape == 0:
            raw = self.memory.setdefault("dynamic", poisoned_array(self.shared_bytes, np.uint8))
            dtype = as_dtype(dtype)
            return raw[: raw.size // dtype.itemsize * dtype.itemsize].view(dtype)
        if key not in self.memory:
            self.memory[key] = poisoned_array(shape, as_dtype(dtype))
        return self.memory[key]

    def local_array(self, key: str, shape: Any = None, dtype: Any = None, **options) -> Any:
        """Return a fresh private array."""
        return poisoned_array(shape, as_dtype(dtype))

    def const_array_like(self, key: str, array: Any) -> Any:
        """Return the constant array itself, read-only."""
        view = np.asarray(array).view()
        view.flags.writeable = False
        return view

    def cg_this_grid(self) -> Any:
        """Return the group of all threads, which has one operation: ``sync()``."""
        from workbench.simt.frontend.intrinsics import GRID_GROUP_SYNC, Namespace

        return Namespace("cg.this_grid()", {"sync": GRID_GROUP_SYNC})

    def lanemask_lt(self) -> int:
        """Return the mask of the lanes below this one."""
        return (1 << self.laneid) - 1

    def nanosleep(self, duration_ns: int) -> None:
        """Do nothing: the scheduler turns to the other threads anyway."""

    popc = staticmethod(warp_ops.popc)
    clz = staticmethod(warp_ops.clz)
    ffs = staticmethod(warp_ops.ffs)
    brev = staticmethod(warp_ops.brev)

    @staticmethod
    def fma(a, b, c):
        """Return ``a * b + c``, rounded once where the type allows."""
        if isinstance(a, np.float32):
            return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
        return a * b + c

    @staticmethod
    def cbrt(value):
        """Return the real cube root, of negative numbers too."""
        return np.cbrt(value)

    @staticmethod
    def selp(condition, a, b):
        """Return `a` where the condition holds, else `b`."""
        return a if condition else b


def _atomic(update):
    def run(self, array, index, *operands):
        old = array[index]
        new = update(old, *operands)
        if new is not None:
            array[index] = wrap(new, array.dtype)
        return old

    return run


def wrap(value: Any, dtype: np.dtype) -> Any:
    """Return a Python integer as an integer type would hold it; anything else as it is."""
    if dtype.kind in "iu" and not isinstance(value, np.generic):
        bits = 8 * dtype.itemsize
        value = int(value) & ((1 << bits) - 1)
        if dtype.kind == "i" and value >> (bits - 1):
            value -= 1 << bits
    return value


def _integer(operation):
    def run(old, value):
        return operation(int(old), int(value))

    return run


def _number(operation):
    def run(old, value):
        if isinstance(old, np.integer):
            return operation(int(old), int(value))
        return operation(old, value)

    return run


def _exact(keep_nan: bool, pick):
    def run(old, value):
        if isinstance(old, np.floating) and (math.isnan(old) or math.isnan(value)):
            if keep_nan:
                return old if math.isnan(old) else None
            return value if math.isnan(old) else None
        return pick(old, value)

    return run


UPDATES: dict[str, Any] = {
    "add": _number(lambda old, v: old + v),
    "sub": _number(lambda old, v: old - v),
    "and_": _integer(lambda old, v: old & v),
    "or_": _integer(lambda old, v: old | v),
    "xor": _integer(lambda old, v: old ^ v),
    "inc": _integer(lambda old, v: 0 if old >= v else old + 1),
    "dec": _integer(lambda old, v: v if old == 0 or old > v else old - 1),
    "exch": lambda old, value: value,
    "max": _exact(True, max),
    "min": _exact(True, min),
    "nanmax": _exact(False, max),
    "nanmin": _exact(False, min),
    "cas": lambda old, compare, value: value if old == compare else None,
}
for _name, _update in UPDATES.items():
    setattr(Thread, f"atomic_{_name}", _atomic(_update))


def _compare_and_swap(self, array, compare, value):
    if array.size < 1:
        raise KernelTypingError(
            "compare_and_swap needs an array with an element.", "an empty array", "use atomic.cas"
        )
    return self.atomic_cas(array, (0,) * array.ndim, compare, value)


Thread.atomic_compare_and_swap = _compare_and_swap


def _request(kind: str, name: str):
    def run(self, *operands, line=0):
        return (yield (Request(kind, name, operands, line)))

    return run


for _name, _function in METHODS.items():
    setattr(Thread, _name, staticmethod(_function))
for _name in BLOCK_SYNC:
    setattr(Thread, _name, _request("block", _name))
for _name in WARP_SYNC:
    setattr(Thread, _name, _request("warp", _name))
Thread.grid_sync = _request("grid", "grid_sync")
for _name in FENCES:
    setattr(Thread, _name, lambda self: None)
for _name in CACHE_LOADS:
    setattr(Thread, _name, lambda self, array, index: array[index])


def _cache_store(self, array, index, value):
    array[index] = value


for _name in CACHE_STORES:
    setattr(Thread, _name, _cache_store)
