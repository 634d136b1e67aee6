"""Larger operations on top of the instructions: one core's matrix multiplication, and softmax.

They allocate their queues once and are then called as often as needed, like the library objects of
the vendor's stack. Nothing here that a kernel could not do itself.
"""

from __future__ import annotations

from typing import Any

from workbench.aicore.operations import vector as v
from workbench.aicore.operations.cube import ACCUMULATOR, mmad
from workbench.aicore.operations.movement import data_copy, fixpipe, load_data
from workbench.aicore.operations.queues import Queue, scratch
from workbench.aicore.operations.regions import as_dtype
from workbench.aicore.operations.tensors import GlobalTensor, LocalTensor


class Matmul:
    """``c = a @ b`` from global memory to global memory on one core, double-buffered throughout.

    Parameters
    ----------
    dtype : data type
        Of `a` and `b`.
    base : tuple of int
        Rows, depth and columns of one Cube instruction; by default what fills L0 twice.
    step : int
        Cube instructions fed from one load into L1.
    """

    def __init__(
        self,
        dtype: Any,
        base: tuple[int, int, int] | None = None,
        step: int = 4,
        depth: int = 2,
    ):
        self.m, self.k, self.n = base or (128, 128 // as_dtype(dtype).itemsize, 256)
        self.dtype, self.step = as_dtype(dtype), step
        out = ACCUMULATOR.get(self.dtype.name, "float32")
        wide = self.k * step
        self.a1 = Queue("A1", (self.m, wide), dtype, depth, "a1")
        self.b1 = Queue("B1", (wide, self.n), dtype, depth, "b1")
        self.a2 = Queue("A2", (self.m, self.k), dtype, depth, "a2")
        self.b2 = Queue("B2", (self.k, self.n), dtype, depth, "b2")
        self.out = Queue("CO1", (self.m, self.n), out, 1, "co1")

    def __call__(
        self, c: GlobalTensor, a: GlobalTensor, b: GlobalTensor, transpose_b: bool = False
    ) -> None:
        """Compute all tiles of ``c``; `transpose_b` takes ``b`` as (n, k)."""
        rows, columns = c.shape
        for i in range(0, rows, self.m):
            for j in range(0, columns, self.n):
                i1, j1 = min(i + self.m, rows), min(j + self.n, columns)
                right = b[j:j1, :] if transpose_b else b[:, j:j1]
                self._tile(c[i:i1, j:j1], a[i:i1, :], right, transpose_b)

    def _tile(self, c, a, b, transpose_b) -> None:
        depth, wide = a.shape[1], self.k * self.step
        total = self.out.allocate(c.shape)
        for k in range(0, depth, wide):
            k1 = min(k + wide, depth)
            part = b[:, k:k1] if transpose_b else b[k:k1, :]
            self._load(self.a1, a[:, k:k1])
            self._load(self.b1, part)
            left, right = self.a1.dequeue(), self.b1.dequeue()
            for inner in range(0, k1 - k, self.k):
                stop = min(inner + self.k, k1 - k)
                self._step(total, left, right, inner, stop, transpose_b, k + inner == 0)
            self.a1.free(left)
            self.b1.free(right)
        self.out.enqueue(total)
        total = self.out.dequeue()
        fixpipe(c, total)
        self.out.free(total)

    def _load(self, queue: Queue, source: GlobalTensor) -> None:
        tile = queue.allocate(source.shape)
        data_copy(tile, source)
        queue.enqueue(tile)

    def _step(self, total, left, right, inner, stop, transpose_b, first) -> None:
        a2 = self.a2.allocate((left.shape[0], stop - inner))
        load_data(a2, left[:, inner:stop])
        self.a2.enqueue(a2)
        part = right[:, inner:stop] if transpose_b else right[inner:stop, :]
        b2 = self.b2.allocate((stop - inner, total.shape[1]))
        load_data(b2, part, transpose=transpose_b)
        self.b2.enqueue(b2)
        a2, b2 = self.a2.dequeue(), self.b2.dequeue()
        mmad(total, a2, b2, init=first)
        self.a2.free(a2)
        self.b2.free(b2)


class Softmax:
    """Softmax along the rows of a matrix in UB, in its dtype.

    Parameters
    ----------
    rows, columns : int
        The largest matrix.
    dtype : data type
        ``float16`` or ``float32``.
    """

    def __init__(self, rows: int, columns: int, dtype: Any):
        self.one = scratch("UB", rows, dtype, name="softmax row")
        self.wide = scratch("UB", (rows, columns), dtype, name="softmax rows")

    def __call__(self, dst: LocalTensor, src: LocalTensor) -> None:
        """Write ``exp(src - max) / sum`` of each row."""
        rows, columns = src.shape
        one, wide = self.one[:rows], self.wide[:rows, :columns]
        v.row_max(one, src)
        v.broadcast(wide, one)
        v.sub(dst, src, wide)
        v.exp(dst, dst)
        v.row_sum(one, dst)
        v.broadcast(wide, one)
        v.div(dst, dst, wide)
