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


def compare_torch():
    size = 4096
    line = gemm(size, "float16")
    rate = 2 * size**3 / line.elapsed_ns / 1e3
    print(
        f"torch fp16 {size}^3 on 910B2: published 314.5 TFLOP/s, modelled {rate:.1f} "
        f"({rate / 314.5 - 1:+.1%}); the rest of that library's tiling is not known"
    )


def compare_attention(tokens=32_768, width=128, tall=48, keys=128, blocks=24):
    module = import_module("workbench.kernels.attention.ascend_1_flash")

    def half(*shape):
        return aicore.Shape(shape, np.dtype("float16"))

    def single(*shape):
        return aicore.Shape(shape, np.dtype("float32"))

    q = half(1, tokens, width)
    spaces = (single(blocks, tall, keys), half(blocks, tall, keys), single(blocks, tall, width))
    line = aicore.predict(module.attention_flash, (q, q, q, *spaces, q), blocks, sample=(0,))
    rate = 4 * tokens**2 * width / line.elapsed_ns / 1e3
    print(
        f"flash attention on 910B2, S = {tokens}: published 168.5 TFLOP/s, modelled {rate:.1f} for "
        f"the shelf's kernel ({rate / 168.5 - 1:+.1%}); bound by {line.bound}. It uses one of the "
        "two Vector cores beside each Cube, and Cube and Vector take turns"
    )


if __name__ == "__main__":
    compare_gemm()
    compare_torch()
    compare_attention()
    sys.exit(0)
