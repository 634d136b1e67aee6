"""What lives across a barrier beside numbers: the second launch is machine code all the same."""

import numpy as np
import pytest
from numba.types import float32

from workbench import cuda


@cuda.jit
def _vector(a):
    t = cuda.threadIdx.x
    v = cuda.float32x2(a[t], a[t] + 1)
    cuda.syncthreads()
    a[t] = v.x + 2 * v.y


@cuda.jit
def _reshaped(a):
    t = cuda.threadIdx.x
    m = a.reshape(4, 8)
    cuda.syncthreads()
    m[t // 8, t % 8] += t


@cuda.jit
def _swapped(a):
    tiles = cuda.shared.array((2, 32), float32)
    t = cuda.threadIdx.x
    now, then = tiles[0], tiles[1]
    now[t] = a[t]
    cuda.syncthreads()
    for _ in range(3):
        then[t] = now[(t + 1) % 32]
        cuda.syncthreads()
        now, then = then, now
    a[t] = now[t]


@cuda.jit
def _chosen(a):
    t = cuda.threadIdx.x
    part = a[int(a[t]) % 8 :]
    cuda.syncthreads()
    if t == 3:
        part[0] = -1


@cuda.jit
def _pair(a):
    t = cuda.threadIdx.x
    pair = (a[t], a[(t + 1) % 32])
    cuda.syncthreads()
    a[t] = pair[0] - pair[1]


@pytest.mark.parametrize("kernel", [_vector, _reshaped, _swapped, _chosen, _pair])
def test_the_second_launch_is_machine_code_and_gives_the_same(kernel):
    results = []
    for tier in ("auto", "auto", "step-through"):
        a = np.arange(32, dtype=np.float32)
        with cuda.tier(tier):
            kernel[1, 32](a)
        results.append(a)
        if len(results) == 2:
            assert kernel.last_tier in ("compiled", "irregular"), kernel.reason
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
