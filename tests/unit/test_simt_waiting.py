"""Which loops are taken for waiting: a wrong "no" hangs a launch, a wrong "yes" costs speed."""

import ast

import pytest

from workbench import cuda
from workbench.simt.planning.waiting import may_wait, spins, waits_for_blocks


@cuda.jit
def plainly(flag, out):
    while flag[0] == 0:
        pass
    out[0] = 1


@cuda.jit
def by_a_name(flags, out):
    b = cuda.blockIdx.x
    while True:
        ready = flags[b - 1]
        if ready != 0:
            break
    out[0] = 1


@cuda.jit
def until_done(flag, out):
    done = False
    while not done:
        if flag[0] == 1:
            done = True
    out[0] = 1


@cuda.jit
def a_lock(lock, out):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    out[0] = 1


@cuda.jit
def binary_search(values, wanted, out):
    low, high = 0, values.size
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted[0]:
            low = middle + 1
        else:
            high = middle
    out[0] = low


@cuda.jit
def a_row(starts, values, out):
    i = cuda.grid(1)
    k = starts[i]
    while k < starts[i + 1]:
        out[i] += values[k]
        k += 1


@cuda.jit
def own_memory(a):
    while a[0] > 0:
        a[0] = a[0] - 1


@cuda.jit
def a_queue(count, out):
    while True:
        i = cuda.atomic.add(count, 0, 1)
        if i >= out.size:
            break
        out[i] = i


@cuda.jit
def halving(a):
    k = 64
    while k > 0:
        a[k] = a[k] + 1
        k //= 2


def loop_of(kernel):
    tree = kernel.resolved.tree
    return next(part for part in ast.walk(tree) if isinstance(part, ast.While)), tree.body


@pytest.mark.parametrize("kernel", [plainly, by_a_name, until_done])
def test_a_loop_that_looks_at_one_place_until_it_changes_spins(kernel):
    loop, body = loop_of(kernel)
    assert spins(loop)
    assert waits_for_blocks(loop, body)


@pytest.mark.parametrize("kernel", [binary_search, a_row, own_memory, a_queue, a_lock, halving])
def test_a_loop_whose_own_steps_may_end_it_does_not_spin(kernel):
    assert not spins(loop_of(kernel)[0])


@pytest.mark.parametrize("kernel", [plainly, by_a_name, until_done, a_lock, a_row, a_queue])
def test_whatever_memory_decides_may_wait(kernel):
    assert may_wait(*loop_of(kernel))


def test_a_lock_waits_for_other_blocks_and_a_search_does_not():
    assert waits_for_blocks(*loop_of(a_lock))
    assert not waits_for_blocks(*loop_of(binary_search))
    assert not may_wait(*loop_of(halving))
