"""Fractal layouts: nothing is lost, and every element lies where the formula says."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import aicore
from workbench.aicore.operations.layouts import LAYOUTS, fractal, padded
from workbench.errors import InputError

DTYPES = [np.int8, np.uint8, np.float16, ml_dtypes.bfloat16, np.int16]
DTYPES += [np.float32, np.int32, np.uint32]
sizes = st.integers(1, 70)


@given(st.sampled_from(LAYOUTS), st.sampled_from(DTYPES), sizes, sizes)
@settings(max_examples=300, deadline=None)
def test_every_layout_gives_back_every_matrix_of_every_size_and_dtype(layout, dtype, rows, columns):
    matrix = (np.arange(rows * columns) % 251 - 100).astype(dtype).reshape(rows, columns)
    flat = aicore.pack(matrix, layout)
    assert flat.ndim == 1
    np.testing.assert_array_equal(aicore.unpack(flat, matrix.shape, layout), matrix)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("itemsize", [1, 2, 4])
def test_no_residue_of_rows_and_columns_loses_an_element(layout, itemsize):
    """Every size up to a block and one more each way; a layout knows a dtype by its bytes only."""
    codes = {1: (lambda n: n & 255, lambda n: n >> 8), 2: (lambda n: n,), 4: (lambda n: n,)}
    dtype = {1: np.uint8, 2: np.uint16, 4: np.uint32}[itemsize]
    for rows in range(1, 34):
        for columns in range(1, 34 if rows % 3 else 66):
            number = np.arange(rows * columns).reshape(rows, columns)
            for code in codes[itemsize]:
                matrix = code(number).astype(dtype)
                there = aicore.unpack(aicore.pack(matrix, layout), matrix.shape, layout)
                assert (there == matrix).all(), (rows, columns)


def address(i, j, shape, layout, itemsize):
    """Place of an element, written out for each layout on its own."""
    rows, columns = padded(shape, layout, itemsize)
    r, c = fractal(layout, itemsize)
    block = {
        "zZ": (i // r) * (columns // c) + j // c,
        "nZ": (i // r) * (columns // c) + j // c,
        "zN": (j // c) * (rows // r) + i // r,
        "NZ": (j // c) * (rows // r) + i // r,
    }[layout]
    inside = (j % c) * r + i % r if layout == "nZ" else (i % r) * c + j % c
    return block * r * c + inside


@given(st.sampled_from(LAYOUTS[1:]), st.sampled_from(DTYPES), sizes, sizes, st.data())
@settings(max_examples=200, deadline=None)
def test_every_element_lies_where_the_order_of_blocks_says(layout, dtype, rows, columns, data):
    i, j = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    matrix = np.zeros((rows, columns), dtype)
    matrix[i, j] = 1
    place = address(i, j, matrix.shape, layout, matrix.itemsize)
    assert np.flatnonzero(aicore.pack(matrix, layout).astype(np.float32)).tolist() == [place]


@given(st.sampled_from([np.float16, np.float32, np.int8]), sizes, sizes, st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_matrix_survives_the_way_through_l1_and_l0_to_the_accumulator(dtype, m, k, turned):
    rng = np.random.default_rng(m * 100 + k)
    a = rng.integers(-4, 5, (m, k)).astype(dtype)
    unit = np.eye(k, dtype=dtype)
    out = np.zeros((m, k), np.int32 if dtype is np.int8 else np.float32)

    @aicore.kernel
    def times_one(a, unit, out):
        aicore.Matmul(a.dtype, (32, 32, 32), step=2)(out, a, unit, turned)

    times_one[1](a, unit, out)
    np.testing.assert_array_equal(out, a.astype(out.dtype))


def test_blocks_hold_512_bytes_and_the_accumulator_256_elements():
    for size in (1, 2, 4):
        for layout in ("NZ", "zZ", "nZ"):
            rows, columns = fractal(layout, size)
            assert rows * columns * size == 512
        assert fractal("zN", size) == (16, 16)


def test_padding_is_zero_and_wrong_memory_is_refused():
    flat = aicore.pack(np.ones((3, 5), np.float16), "zZ")
    assert flat.sum() == 15
    assert flat.size == 256
    with pytest.raises(InputError, match="which takes 256"):
        aicore.unpack(flat[:100], (3, 5), "zZ")
    with pytest.raises(InputError, match="no such fractal"):
        aicore.pack(np.ones((3, 5)), "zZ")
    with pytest.raises(InputError, match="needs a matrix"):
        aicore.pack(np.ones(5, np.float16), "NZ")
