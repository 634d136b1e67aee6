"""The step-through tier runs anything a kernel may say."""

import numpy as np
import pytest
from numba import float32

from workbench import cuda
from workbench.simt import stepping
from workbench.simt.errors import LaunchConfigError, OutOfBoundsError
from workbench.simt.frontend.resolve import resolve
from workbench.simt.host.limits import dim3


@cuda.jit(device=True)
def _warp_sum(value):
    delta = 16
    while delta > 0:
        value += cuda.shfl_down_sync(0xFFFFFFFF, value, delta)
        delta //= 2
    return value


@cuda.jit
def _sum(a, out):
    i = cuda.grid(1)
    value = a[i] if i < a.size else float32(0)
    value = _warp_sum(value)
    if cuda.laneid == 0:
        cuda.atomic.add(out, 0, value)


@cuda.jit
def _lock(lock, count):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    count[0] += 1
    cuda.threadfence()
    cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def _shift(a):
    i = cuda.grid(1)
    a[i + 1] = 1


def _step(kernel, grid, block, *args):
    stepping.launch(resolve(kernel.py_func), dim3(grid, "grid"), dim3(block, "block"), args)


def test_a_device_function_with_warp_shuffles_sums_across_lanes():
    a = np.arange(1000, dtype=np.float32)
    out = np.zeros(1, np.float32)
    _step(_sum, 4, 256, a, out)
    assert out[0] == a.sum()


def test_a_spin_lock_between_threads_and_blocks_makes_progress():
    lock, count = np.zeros(1, np.int32), np.zeros(1, np.int32)
    _step(_lock, 3, 32, lock, count)
    assert count[0] == 96


def test_an_index_beyond_the_array_names_the_thread_and_the_line():
    with pytest.raises(OutOfBoundsError, match=r"thread \(3, 0, 0\).*a\[i \+ 1\] = 1") as caught:
        _step(_shift, 1, 4, np.zeros(4, np.float32))
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize("block", [(1025,), (32, 64), (1, 1, 65), (0,), (1.5,)])
def test_a_block_no_device_accepts_is_refused(block):
    with pytest.raises(LaunchConfigError):
        _shift[1, block]
