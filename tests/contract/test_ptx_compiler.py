"""Nvidia's own compiler on our kernels; needs the ``ptx`` extra and no GPU."""

import importlib.util
import math

import numba
import numpy as np
import pytest

from workbench import cuda, inspect
from workbench.simt.errors import KernelTypingError
from workbench.simt.ptx import machine_code

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="the ptx extra is not installed: pip install 'accelerator-workbench[ptx]'",
)
SIZE = 256
float32 = numba.float32


@cuda.jit(device=True)
def with_root(x):
    return x * x + math.sqrt(x)


@cuda.jit
def block_sum(a, out):
    s = cuda.shared.array(SIZE, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    s[t] = with_root(a[i]) if i < a.size else 0
    cuda.syncthreads()
    k = SIZE // 2
    while k > 0:
        if t < k:
            s[t] += s[t + k]
        cuda.syncthreads()
        k //= 2
    if t == 0:
        cuda.atomic.add(out, 0, s[0])


def line_of(text):
    import linecache

    path = block_sum.py_func.__code__.co_filename
    lines = enumerate(linecache.getlines(path), 1)
    return next(number for number, line in lines if text in line)


@pytest.fixture(scope="module")
def code():
    return machine_code(block_sum, np.zeros(1000, np.float32), np.zeros(1, np.float32))


def test_registers_and_shared_memory_are_the_compilers(code):
    assert 8 <= code.registers <= 64
    assert code.shared_bytes == 4 * SIZE
    assert code.spill_store_bytes == code.spill_load_bytes == 0
    assert code.architecture == "sm_90"


def test_instructions_stand_beside_their_python_line(code):
    barrier = line_of("cuda.syncthreads()")
    assert any(one.startswith("bar.sync") for one in code.ptx_by_line[barrier])
    store = code.sass_by_line[line_of("s[t] = with_root")]
    assert any(one.startswith("STS") for one in store)
    assert any("MUFU.RSQ" in one for one in code.sass_by_line[line_of("return x * x")])
    assert "STS" in str(code)
    assert "<pre>" in code._repr_html_()


def test_inspection_with_the_compiler_has_exact_registers(code):
    given = np.zeros(1000, np.float32), np.zeros(1, np.float32)
    report = inspect(block_sum[4, SIZE], *given, exact=True)
    assert report.occupancy.registers == code.registers
    assert "not known" not in str(report.occupancy)
    assert report.machine_code.sass == code.sass


def test_what_the_compiler_refuses_is_refused_with_its_words():
    @cuda.jit
    def wrong(a):
        a[0] = a.nobody_has_this

    with pytest.raises(KernelTypingError, match="nobody_has_this"):
        machine_code(wrong, np.zeros(4, np.float32))
