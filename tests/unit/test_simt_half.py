"""Half precision on the compiled tier: the nearest half to the exact result, as NumPy has it."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba.types import float16

import workbench.simt.runtime.halves as halves
from workbench import cuda

EVERY = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE_WIDE = st.floats(-70000, 70000) | st.floats(-1e-4, 1e-4) | st.floats()


def _same(a, b):
    """Equal to the bit, but for which NaN it is."""
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    number = ~np.isnan(a)
    np.testing.assert_array_equal(a.view(np.uint16)[number], b.view(np.uint16)[number])


@cuda.jit
def _of_one(x, out):
    i = cuda.grid(1)
    a = x[i]
    out[0, i] = -a
    out[1, i] = abs(a)
    out[2, i] = math.sqrt(a)
    out[3, i] = math.sin(a)
    out[4, i] = cuda.fp16.hexp(a)
    out[5, i] = cuda.fp16.hlog2(a)
    out[6, i] = cuda.fp16.hrcp(a)
    out[7, i] = cuda.fp16.hrsqrt(a)
    out[8, i] = cuda.fp16.hrint(a)
    out[9, i] = cuda.fp16.hfloor(a)
    out[10, i] = cuda.fp16.htrunc(a)
    out[11, i] = a + 1.0
    out[12, i] = a if a else 7
    out[13, i] = cuda.fp16.hneg(a)
    out[14, i] = cuda.fp16.hexp10(a)
    out[15, i] = cuda.fp16.htanh(a)


def test_functions_of_one_half_give_every_one_of_65536_the_nearest_half():
    lockstep, compiled = (np.zeros((16, EVERY.size), np.float16) for _ in range(2))
    with cuda.tier("lockstep"):
        _of_one[256, 256](EVERY, lockstep)
    with cuda.tier("compiled"):
        _of_one[256, 256](EVERY, compiled)
    _same(lockstep, compiled)
    wide = EVERY.astype(np.float64)
    with np.errstate(all="ignore"):
        exact = {
            0: -EVERY, 1: np.abs(EVERY), 2: np.sqrt(wide), 3: np.sin(wide), 4: np.exp(wide),
            5: np.log2(wide), 6: 1 / wide, 7: 1 / np.sqrt(wide), 8: np.rint(wide),
            9: np.floor(wide), 10: np.trunc(wide), 11: wide + 1,
            12: np.where(wide != 0, wide, 7), 13: -EVERY, 14: 10.0**wide, 15: np.tanh(wide),
        }  # fmt: skip
        for row, values in exact.items():
            _same(compiled[row], np.asarray(values).astype(np.float16))


@cuda.jit
def _of_two(x, y, out, decided):
    i = cuda.grid(1)
    if i < x.size:
        a, b = x[i], y[i]
        out[0, i] = a + b
        out[1, i] = a - b
        out[2, i] = a * b
        out[3, i] = a / b
        out[4, i] = cuda.fp16.hfma(a, b, a)
        out[5, i] = cuda.fp16.hmax(a, b)
        out[6, i] = max(a, b)
        decided[i] = (a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * cuda.fp16.hge(a, b)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint16, (2, 777)), st.integers(0, 3))
def test_operations_of_two_halves_are_numpys(bits, close):
    x, y = bits.view(np.float16)
    if close:  # cancellation, ties and subnormals are where rounding goes wrong
        y = (bits[0] + np.uint16(close)).view(np.float16)
    out, decided = np.zeros((7, 777), np.float16), np.zeros(777, np.int64)
    with cuda.tier("compiled"):
        _of_two[4, 256](x, y, out, decided)
    with np.errstate(all="ignore"):
        fused = x.astype(np.float64) * y.astype(np.float64) + x.astype(np.float64)
        larger = np.where(y > x, y, x)
        wanted = (x + y, x - y, x * y, x / y, fused.astype(np.float16), np.fmax(x, y), larger)
        truth = (x < y) + 2 * (x <= y) + 4 * (x == y) + 8 * (x >= y)
    for found, one in zip(out, wanted, strict=True):
        number = ~((found == 0) & (one == 0))  # fmax may return either zero
        _same(found[number], one[number])
    np.testing.assert_array_equal(decided, truth)


@cuda.jit
def _converted(doubles, singles, whole, out):
    i = cuda.grid(1)
    if i < doubles.size:
        out[0, i] = doubles[i]
        out[1, i] = singles[i]
        out[2, i] = whole[i]
        out[3, i] = float16(doubles[i])


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, 64, elements=FINITE_WIDE), arrays(np.int32, 64))
def test_wider_numbers_round_once_to_the_nearest_half(doubles, whole):
    with np.errstate(all="ignore"):
        near = doubles.astype(np.float16).astype(np.float64)
        steps = np.spacing(near.astype(np.float16)).astype(np.float64)
        doubles = np.concatenate([doubles, near + steps / 2, near + steps / 2 * (1 + 2.0**-40)])
        singles = doubles.astype(np.float32)
        whole = np.tile(whole % 70000, 3)
        wanted = (doubles, singles, whole, doubles)
        wanted = [one.astype(np.float16) for one in wanted]
    out = np.zeros((4, doubles.size), np.float16)
    with cuda.tier("compiled"):
        _converted[1, 256](doubles, singles, whole, out)
    for found, one in zip(out, wanted, strict=True):
        _same(found, one)


def test_processors_without_conversions_compute_them_to_the_same_bits():
    singles = np.array([halves._single_of(int(bits)) for bits in EVERY.view(np.uint16)])
    np.testing.assert_array_equal(
        singles.astype(np.uint32).view(np.float32), EVERY.astype(np.float32)
    )
    rng = np.random.default_rng(0)
    near = np.concatenate([EVERY.astype(np.float32)] * 2)
    near = near.view(np.uint32) + rng.integers(-9000, 9000, near.size).astype(np.uint32)
    ties = EVERY.astype(np.float32).view(np.uint32) + np.uint32(0x1000)
    bits = np.concatenate([near, ties])
    with np.errstate(all="ignore"):
        wanted = bits.view(np.float32).astype(np.float16)
    found = np.array([halves._half_of(int(one)) for one in bits]).astype(np.uint16)
    _same(found.view(np.float16), wanted)


@cuda.jit
def _tile_sum(values, scale, out):
    tile = cuda.shared.array(64, float16)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    tile[t] = values[i] * scale if i < values.size else float16(0)
    cuda.syncthreads()
    step = 32
    while step > 0:
        if t < step:
            tile[t] += tile[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        out[cuda.blockIdx.x] = tile[0]


def test_the_second_launch_of_a_kernel_of_halves_is_compiled():
    values = np.random.default_rng(2).random(300).astype(np.float16)
    results = []
    for tier in ("auto", "auto", "step-through"):
        out = np.zeros(5, np.float16)
        with cuda.tier(tier):
            _tile_sum[5, 64](values, np.float16(0.5), out)
        results.append(out)
        if len(results) == 2:
            assert _tile_sum.last_tier == "compiled"
    for out in results[1:]:
        _same(results[0], out)


def test_halves_mixed_with_other_numbers_have_numpys_type():
    mixed = {}

    @cuda.jit
    def tells(h, i8, i32, f32, out):
        out[0] = h[0] * i8[0]
        out[1] = h[0] * i32[0]
        out[2] = h[0] * f32[0]
        out[3] = h[0] ** 2

    given = (np.full(1, 0.1, np.float16), np.full(1, 3, np.int8))
    given = (*given, np.full(1, 3, np.int32), np.full(1, 0.3, np.float32))
    for tier in ("lockstep", "compiled"):
        mixed[tier] = np.zeros(4)
        with cuda.tier(tier):
            tells[1, 1](*given, mixed[tier])
    tenth = np.float16(0.1)
    wanted = [tenth * np.int8(3), np.float64(tenth) * 3, np.float32(tenth) * np.float32(0.3)]
    np.testing.assert_array_equal(mixed["compiled"], [*wanted, np.float64(tenth) ** 2])
    np.testing.assert_array_equal(mixed["lockstep"], mixed["compiled"])


def test_an_atomic_on_halves_is_refused_as_by_the_cuda_target():
    @cuda.jit
    def adds(a):
        cuda.atomic.add(a, 0, a[1])

    with cuda.tier("compiled"), pytest.raises(TypeError):
        adds[1, 32](np.zeros(2, np.float16))


def test_a_new_process_loads_kernels_of_halves_from_the_disk(tmp_path):
    script = tmp_path / "halves.py"
    script.write_text(
        "import numpy as np\nfrom workbench import cuda\n\n"
        "@cuda.jit\ndef twice(a):\n    i = cuda.grid(1)\n    a[i] = a[i] + a[i]\n\n"
        "a = np.full(32, 1.5, np.float16)\ntwice.compile(a, block=32)\ntwice[1, 32](a)\n"
        "print(twice.last_tier, float(a.sum()))\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False
        )
        assert done.stdout == "compiled 96.0\n", done.stderr
