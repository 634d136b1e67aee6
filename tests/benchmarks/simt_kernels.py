"""The kernels that benchmarks measure and unit tests check, and the same regions by hand."""

import numba
import numpy as np
from numba import float32

from workbench import cuda

TILE = 16


def tiled_matmul(tile):
    """Return the tiled matrix product, bounds checked, for tiles of one side."""

    @cuda.jit
    def matmul(a, b, c):
        left = cuda.shared.array((tile, tile), float32)
        right = cuda.shared.array((tile, tile), float32)
        x, y = cuda.grid(2)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        total = float32(0)
        for i in range((a.shape[1] + tile - 1) // tile):
            left[ty, tx] = 0
            right[ty, tx] = 0
            if y < a.shape[0] and tx + i * tile < a.shape[1]:
                left[ty, tx] = a[y, tx + i * tile]
            if x < b.shape[1] and ty + i * tile < b.shape[0]:
                right[ty, tx] = b[ty + i * tile, x]
            cuda.syncthreads()
            for j in range(tile):
                total += left[ty, j] * right[j, tx]
            cuda.syncthreads()
        if y < c.shape[0] and x < c.shape[1]:
            c[y, x] = total

    return matmul


matmul = tiled_matmul(TILE)


@cuda.jit
def tree_sum(a, out):
    shared = cuda.shared.array(256, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    shared[t] = a[i] if i < a.size else float32(0)
    cuda.syncthreads()
    k = 128
    while k > 0:
        if t < k:
            shared[t] += shared[t + k]
        cuda.syncthreads()
        k //= 2
    if t == 0:
        cuda.atomic.add(out, 0, shared[0])


def _matmul_by_hand(a, b, c, gx, gy):
    for by in numba.prange(gy):
        left = np.empty((TILE, TILE), np.float32)
        right = np.empty((TILE, TILE), np.float32)
        total = np.empty((TILE, TILE), np.float32)
        for bx in range(gx):
            for ty in range(TILE):
                for tx in range(TILE):
                    total[ty, tx] = np.float32(0)
            for i in range((a.shape[1] + TILE - 1) // TILE):
                for ty in range(TILE):
                    for tx in range(TILE):
                        x, y = bx * TILE + tx, by * TILE + ty
                        left[ty, tx] = 0
                        right[ty, tx] = 0
                        if y < a.shape[0] and tx + i * TILE < a.shape[1]:
                            left[ty, tx] = a[y, tx + i * TILE]
                        if x < b.shape[1] and ty + i * TILE < b.shape[0]:
                            right[ty, tx] = b[ty + i * TILE, x]
                for ty in range(TILE):
                    for tx in range(TILE):
                        value = total[ty, tx]
                        for j in range(TILE):
                            value += left[ty, j] * right[j, tx]
                        total[ty, tx] = value
            for ty in range(TILE):
                for tx in range(TILE):
                    x, y = bx * TILE + tx, by * TILE + ty
                    if y < c.shape[0] and x < c.shape[1]:
                        c[y, x] = total[ty, tx]


matmul_by_hand = numba.njit(error_model="numpy")(_matmul_by_hand)
matmul_by_hand_parallel = numba.njit(error_model="numpy", parallel=True)(_matmul_by_hand)


@numba.njit(error_model="numpy")
def tree_sum_by_hand(a, out, blocks):
    shared = np.empty(256, np.float32)
    for block in range(blocks):
        for t in range(256):
            i = block * 256 + t
            shared[t] = a[i] if i < a.size else np.float32(0)
        k = 128
        while k > 0:
            for t in range(256):
                if t < k:
                    shared[t] += shared[t + k]
            k //= 2
        out[0] += shared[0]


@cuda.jit
def count_under_lock(lock, total):
    """Every thread adds one, alone: the irregular tier's daily work."""
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    total[0] = total[0] + 1
    cuda.threadfence()
    cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def count_in_turns(turn, total):
    """Every thread waits for its number to come up."""
    mine = cuda.atomic.add(turn, 1, 1)
    while turn[0] != mine:
        pass
    total[0] = total[0] + 1
    cuda.threadfence()
    turn[0] = mine + 1


@cuda.jit
def jacobi_over_grid(a, b, steps):
    """Smooth an array, with a barrier over the whole grid after every half step."""
    grid = cuda.cg.this_grid()
    i = cuda.grid(1)
    for _ in range(steps):
        if 0 < i < a.size - 1:
            b[i] = (a[i - 1] + a[i + 1]) / 2
        grid.sync()
        if 0 < i < a.size - 1:
            a[i] = b[i]
        grid.sync()
