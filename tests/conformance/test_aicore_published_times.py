"""The model's GEMM times against the four published ones, executed instruction by instruction.

Nothing is fitted to these figures. Other published points and their errors are in ``AICORE.md``,
printed by ``tests/benchmarks/aicore_gemm.py``.
"""

import importlib.util
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from workbench import aicore

# N: published microseconds, Cube-busy microseconds, allowed error (fp16 to fp32, 24 cores, pto-isa)
PUBLISHED = {
    1536: (38.8, 21.1, 0.30),
    3072: (206.7, 163.3, 0.10),
    6144: (1506.0, 1305.7, 0.10),
    7680: (3168.0, 2553.0, 0.10),
}


def predict(size, sample):
    kernel = import_module("workbench.kernels.matmul.ascend_5_multi_core").matmul_multi_core
    shapes = [aicore.Shape((size, size), np.dtype(t)) for t in ("float16", "float16", "float32")]
    return aicore.predict(kernel, shapes, 24, sample=sample)


@pytest.mark.parametrize("size", PUBLISHED)
def test_gemm_times_and_cube_work_agree_with_the_published_ones(size):
    published_us, cube_us, allowed = PUBLISHED[size]
    begin = time.process_time()
    line = predict(size, (0, -1))
    assert time.process_time() - begin < 10
    assert line.elapsed_ns / 1e3 == pytest.approx(published_us, rel=allowed)
    assert line.busy_ns["AIC.M"] / 1e3 == pytest.approx(cube_us, rel=0.03)
    assert (line.cores, line.executed_cores) == (24, 2)


def test_all_cores_of_the_largest_size_executed_one_by_one_take_as_long_as_the_sample_says():
    line = predict(7680, None)
    assert line.executed_cores == 24
    assert line.elapsed_ns == predict(7680, (0, -1)).elapsed_ns


def test_two_cores_stand_for_all_where_the_work_divides():
    assert predict(1536, (0, -1)).elapsed_ns == predict(1536, None).elapsed_ns


def test_values_and_timeline_of_1024_cubed_take_under_five_seconds_of_one_core():
    module = import_module("workbench.kernels.matmul.ascend_5_multi_core")
    a, b = np.random.default_rng(0).standard_normal((2, 1024, 1024)).astype(np.float16)
    out = np.zeros((1024, 1024), np.float32)
    begin = time.process_time()
    with aicore.observe() as runs:
        module.launch(a, b, out)
    assert runs[0].timeline.bars
    assert time.process_time() - begin < 5
    np.testing.assert_allclose(out, a.astype(np.float32) @ b.astype(np.float32), atol=1e-2)


def benchmark(name):
    path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_flash_attention_and_torch_err_by_what_is_stated():
    tokens, width = 32_768, 128
    line = benchmark("aicore_gemm").attention(tokens, width)
    rate_tflop_per_s = 4 * tokens**2 * width / line.elapsed_ns / 1e3
    assert rate_tflop_per_s / 168.5 - 1 == pytest.approx(-0.176, abs=0.005)
    torch = benchmark("aicore_gemm").gemm(4096, "float16")
    assert 2 * 4096**3 / torch.elapsed_ns / 1e3 / 314.5 - 1 == pytest.approx(-0.173, abs=0.005)


def test_reading_memory_errs_by_what_is_stated_and_most_in_small_copies():
    errors = {row[:2]: row[-1] for row in benchmark("aicore_bandwidth").errors()}
    stated = {("UB", 128): -0.666, ("UB", 8192): -0.192, ("UB", 131072): -0.125}
    stated |= {("L1", 8192): -0.372, ("L1", 32768): -0.180}
    assert errors == pytest.approx(stated, abs=0.002)
