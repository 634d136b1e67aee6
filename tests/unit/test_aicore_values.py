"""What each instruction computes, against NumPy, and that a launch leaves nothing half done."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import aicore
from workbench.errors import InputError


def on_ub(issue, *inputs, like=None):
    """Bring inputs into UB, let `issue(dst, *tensors)` compute, and bring the result out."""
    out = np.zeros_like(inputs[0] if like is None else like)

    @aicore.kernel
    def one(*args):
        tensors = []
        for tensor in args[:-1]:
            local = aicore.scratch("UB", tensor.shape, tensor.dtype)
            aicore.data_copy_pad(local, tensor)
            tensors.append(local)
        dst = aicore.scratch("UB", args[-1].shape, args[-1].dtype)
        aicore.pipe_barrier("ALL")
        issue(dst, *tensors)
        aicore.pipe_barrier("ALL")
        aicore.data_copy_pad(args[-1], dst)

    one[1](*inputs, out)
    return out


def floats(dtype, n=75, low=0.1):
    return np.random.default_rng(n).uniform(low, 3, n).astype(dtype)


BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
BINARY |= {"max": np.maximum, "min": np.minimum}
UNARY = {"exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "abs": np.abs}
UNARY |= {"rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x}
UNARY |= {"relu": lambda x: np.maximum(x, 0)}
SCALAR = {"adds": np.add, "muls": np.multiply, "maxs": np.maximum, "mins": np.minimum}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_round_once_to_their_dtype(name, dtype):
    a, b = floats(dtype), floats(dtype)[::-1].copy()
    np.testing.assert_array_equal(on_ub(getattr(aicore, name), a, b), BINARY[name](a, b))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", UNARY)
def test_unary_operations_round_to_their_dtype(name, dtype):
    a = floats(dtype)
    want = UNARY[name](a.astype(np.float64))
    got = on_ub(getattr(aicore, name), a)
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", SCALAR)
def test_operations_with_a_number(name):
    a = floats(np.float32)
    got = on_ub(lambda dst, x: getattr(aicore, name)(dst, x, 1.5), a)
    np.testing.assert_array_equal(got, SCALAR[name](a, np.float32(1.5)))


def test_rows_reductions_broadcast_transpose_and_gather():
    matrix = np.random.default_rng(1).standard_normal((5, 19)).astype(np.float32)
    rows = np.zeros(5, np.float32)
    np.testing.assert_allclose(on_ub(aicore.row_sum, matrix, like=rows), matrix.sum(1), rtol=1e-5)
    np.testing.assert_array_equal(on_ub(aicore.row_max, matrix, like=rows), matrix.max(1))
    one = np.zeros(1, np.float32)
    assert on_ub(aicore.reduce_max, matrix, like=one)[0] == matrix.max()
    np.testing.assert_allclose(
        on_ub(aicore.reduce_sum, matrix, like=one)[0], matrix.sum(), rtol=1e-4
    )
    np.testing.assert_array_equal(on_ub(aicore.transpose, matrix, like=matrix.T.copy()), matrix.T)
    wide = on_ub(aicore.broadcast, matrix[:, 0].copy(), like=matrix)
    np.testing.assert_array_equal(wide, np.repeat(matrix[:, :1], 19, 1))
    deep = on_ub(aicore.broadcast, matrix[:1].copy(), like=matrix)
    np.testing.assert_array_equal(deep, np.repeat(matrix[:1], 5, 0))
    offsets = (np.arange(19, dtype=np.uint32)[::-1] * 4).copy()
    got = on_ub(aicore.gather, matrix[0].copy(), offsets, like=matrix[0].copy())
    np.testing.assert_array_equal(got, matrix[0, ::-1])


def test_compare_and_select_keep_one_bit_for_each_element():
    a, b = floats(np.float32, 77), floats(np.float32, 77)[::-1].copy()

    def larger(dst, x, y):
        mask = aicore.scratch("UB", 10, "uint8")
        aicore.compare(mask, x, y, "GT")
        aicore.select(dst, mask, x, y)

    np.testing.assert_array_equal(on_ub(larger, a, b), np.maximum(a, b))


@pytest.mark.parametrize(
    ("mode", "want"),
    [("RINT", [2, -2, 2]), ("FLOOR", [2, -3, 1]), ("CEIL", [3, -2, 2]), ("TRUNC", [2, -2, 1])],
)
def test_cast_rounds_to_whole_numbers_as_it_is_told(mode, want):
    source = np.array([2.5, -2.5, 1.75], np.float32)
    got = on_ub(lambda d, s: aicore.cast(d, s, mode), source, like=np.zeros(3, np.int32))
    assert got.tolist() == want


def test_whole_numbers_saturate_and_bfloat16_keeps_eight_bits():
    source = np.array([1e9, -1e9, np.nan], np.float32)
    assert on_ub(aicore.cast, source, like=np.zeros(3, np.int16)).tolist() == [32767, -32768, 0]
    third = on_ub(aicore.cast, np.array([1 / 3], np.float32), like=np.zeros(1, ml_dtypes.bfloat16))
    assert float(third[0]) == 0.333984375


def test_the_cube_accumulates_halves_in_float32():
    k = 4096
    a, b = np.full((16, k), 0.1, np.float16), np.ones((k, 16), np.float16)
    out = np.zeros((16, 16), np.float32)

    @aicore.kernel
    def product(a, b, out):
        aicore.Matmul(a.dtype)(out, a, b)

    product[1](a, b, out)
    np.testing.assert_allclose(out, k * float(np.float16(0.1)), rtol=1e-5)


def test_fixpipe_rounds_to_half_and_applies_relu():
    a = np.array([[1.0001, -2.0]], np.float32)
    out = np.zeros((1, 2), np.float16)

    @aicore.kernel
    def through(a, one, out):
        l1, r1 = aicore.scratch("L1", a.shape, a.dtype), aicore.scratch("L1", (2, 2), a.dtype)
        l0, r0 = aicore.scratch("L0A", a.shape, a.dtype), aicore.scratch("L0B", (2, 2), a.dtype)
        c = aicore.scratch("L0C", out.shape, "float32")
        aicore.data_copy(l1, a)
        aicore.data_copy(r1, one)
        aicore.pipe_barrier("ALL")
        aicore.load_data(l0, l1)
        aicore.load_data(r0, r1)
        aicore.pipe_barrier("ALL")
        aicore.mmad(c, l0, r0, init=True)
        aicore.pipe_barrier("ALL")
        aicore.fixpipe(out, c, relu=True)

    through[1](a, np.eye(2, dtype=np.float32), out)
    assert out.tolist() == [[1.0, 0.0]]


@given(st.integers(1, 300), st.integers(1, 24))
@settings(max_examples=40, deadline=None)
def test_shares_cover_every_element_once_for_any_number_of_blocks(size, blocks):
    seen = np.zeros(size, np.int32)
    parts = []

    @aicore.kernel
    def look(x):
        parts.append(aicore.share(x.size, 8))

    look[blocks](seen)
    for begin, end in parts:
        seen[begin:end] += 1
    assert (seen == 1).all()
    assert len(parts) == blocks


def test_atomic_addition_adds_over_all_cores():
    out = np.zeros(8, np.float32)

    @aicore.kernel
    def count(out):
        ones = aicore.scratch("UB", 8, out.dtype)
        aicore.duplicate(ones, 1.0)
        aicore.pipe_barrier("ALL")
        aicore.set_atomic_add()
        aicore.data_copy(out, ones)

    count[24](out)
    assert (out == 24).all()


def test_dump_keeps_what_a_tensor_held_in_the_run():
    @aicore.kernel
    def show(out):
        x = aicore.scratch("UB", 8, "float32")
        aicore.duplicate(x, 7.0)
        aicore.dump(x, "after filling")

    run = show[2](np.zeros(8, np.float32))
    assert [(label, core) for label, core, _ in run.dumps] == [
        ("after filling", 0),
        ("after filling", 1),
    ]
    assert (run.dumps[0][2] == 7).all()


def test_a_strided_output_is_written_and_a_frozen_one_is_refused():
    base = np.zeros((4, 8), np.float32)

    @aicore.kernel
    def fill(out):
        x = aicore.scratch("UB", out.shape, out.dtype)
        aicore.duplicate(x, 3.0)
        aicore.pipe_barrier("ALL")
        aicore.data_copy_pad(out, x)

    fill[1](base[:, ::2])
    assert base[:, ::2].min() == 3
    assert base[:, 1::2].max() == 0
    base.setflags(write=False)
    with pytest.raises(InputError, match="cannot be written"):
        fill[1](base)
