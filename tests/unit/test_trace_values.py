"""The tracer gives numbers Numba's meaning where NumPy and Python differ."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench import cuda, sanitize
from workbench.simt.trace.values import viewed


@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_two_floats_travel_as_the_halves_of_an_integer(low, high):
    pair = int(np.array([low, high], np.float32).view(np.int64)[0])
    halves = pair & 0xFFFFFFFF, pair >> 32
    int32, float32 = np.dtype(np.int32), np.dtype(np.float32)
    assert [viewed(int32, half, float32) for half in halves] == [low, high]


@cuda.jit
def split(pairs, out):
    i = cuda.grid(1)
    out[2 * i] = np.int32(pairs[i] & 0xFFFFFFFF).view(np.float32)
    out[2 * i + 1] = np.int32(pairs[i] >> 32).view(np.float32)


def test_every_tier_reads_the_bits_of_a_pair():
    x = np.array([1.5, -2, 3e-30, 7], np.float32)
    outs = np.zeros((3, 4), np.float32)
    for out, tier in zip(outs, ("compiled", "step-through"), strict=False):
        with cuda.tier(tier):
            split[1, 2](x.view(np.int64), out)
    assert not sanitize(split[1, 2], x.view(np.int64), outs[2], tier="traced")
    assert (outs == x).all()
