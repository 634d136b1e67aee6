"""The AI Core model against published numbers. Prints predictions, publications and errors.

Run: ``python tests/benchmarks/aicore_gemm.py``. Nothing in the model is fitted to these figures;
the rates of its movers come from the same repository as the GEMM times, so that agreement there is
consistency rather than proof. All predictions are modelled.
"""

import sys
import time
from importlib import import_module

import numpy as np

from workbench import aicore

# N: microseconds in all, and of the Cube at work; fp16 to fp32 on 24 cores, pto-isa
PUBLISHED_US = {1536: 38.8, 3072: 206.7, 6144: 1506.0, 7680: 3168.0}
CUBE_BUSY_US = {1536: 21.1, 3072: 163.3, 6144: 1305.7, 7680: 2553.0}


def gemm(size, out="float32", sample=(0, -1)):
    module = import_module("workbench.kernels.matmul.ascend_5_multi_core")
    shapes = [aicore.Shape((size, size), np.dtype(t)) for t in ("float16", "float16", out)]
    return aicore.predict(module.matmul_multi_core, shapes, 24, sample=sample)


def compare_gemm():
    print("GEMM, fp16 to fp32, 24 cores (pto-isa, A3)")
    for size, published_us in PUBLISHED_US.items():
        begin = time.perf_counter()
        line = gemm(size)
        seconds = time.perf_counter() - begin
        us, busy = line.elapsed_ns / 1e3, line.busy_ns["AIC.M"] / 1e3
        print(
            f"  N = {size}: published {published_us:8.1f} us, modelled {us:8.1f} us "
            f"({us / published_us - 1:+.1%}); Cube busy {CUBE_BUSY_US[size]:.1f}, modelled "
            f"{busy:.1f} us ({busy / CUBE_BUSY_US[size] - 1:+.1%}); {line.executed_cores} of "
            f"{line.cores} cores executed in {seconds:.1f} s"
        )


def time_all_cores(size=7680):
    begin = time.process_time()
    line = gemm(size, sample=None)
    seconds = time.process_time() - begin
    print(
        f"N = {size}, all {line.executed_cores} cores executed: {line.instructions:,} instructions"
    )
    print(f"  in {seconds:.1f} s of CPU time; modelled {line.elapsed_ns / 1e3:.1f} us")


def compare_torch():
    size = 4096
    line = gemm(size, "float16")
    rate = 2 * size**3 / line.elapsed_ns / 1e3
    print(
        f"torch fp16 {size}^3 on 910B2: published 314.5 TFLOP/s, modelled {rate:.1f} "
        f"({rate / 314.5 - 1:+.1%}); the rest of that library's tiling is not known"
    )


def attention(tokens=32_768, width=128, blocks=24, overlapped=True):
    """Return the timeline of the shelf's flash attention, one head, fp16; core 0 is executed."""

    def half(*shape):
        return aicore.Shape(shape, np.dtype("float16"))

    def single(*shape):
        return aicore.Shape(shape, np.dtype("float32"))

    q = half(1, tokens, width)
    if overlapped:
        module = import_module("workbench.kernels.attention.ascend_2_overlapped")
        kernel, lead = module.attention_overlapped, (blocks, 2, module.ROWS)
    else:
        module = import_module("workbench.kernels.attention.ascend_1_flash")
        kernel, lead = module.attention_flash, (blocks, 48)
    spaces = (single(*lead, module.KEYS), half(*lead, module.KEYS), single(*lead, width))
    return aicore.predict(kernel, (q, q, q, *spaces, q), blocks, sample=(0,))


def compare_attention(tokens=32_768, width=128):
    for overlapped in (False, True):
        line = attention(tokens, width, overlapped=overlapped)
        rate = 4 * tokens**2 * width / line.elapsed_ns / 1e3
        print(
            f"flash attention on 910B2, S = {tokens}: published 168.5 TFLOP/s, modelled "
            f"{rate:.1f} ({rate / 168.5 - 1:+.1%}) for {line.kernel}; bound by {line.bound}"
        )


if __name__ == "__main__":
    compare_gemm()
    time_all_cores()
    compare_torch()
    compare_attention()
    sys.exit(0)
