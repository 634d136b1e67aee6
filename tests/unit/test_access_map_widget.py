"""The AccessMap widget's record, its what-ifs, and its static picture, with no browser."""

import numba
import numpy as np
import pytest

from workbench import access_pattern, cuda, inspect
from workbench.errors import InputError, UnknownNameError
from workbench.widgets.access_map import AccessMap, lane_text

float32 = numba.float32


@cuda.jit
def transpose(a, out):
    tile = cuda.shared.array((32, 32), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]
    cuda.syncthreads()
    out[y, x] = tile[x, y]


@cuda.jit
def gather(a, order, out):
    i = cuda.grid(1)
    out[i] = a[order[i]]


def square():
    a = np.arange(1024, dtype=np.float32).reshape(32, 32)
    return a, np.zeros_like(a)


@pytest.fixture(scope="module")
def column():
    return access_pattern(transpose[1, (32, 32)], *square(), access="tile[x, y]")


def test_padding_takes_the_conflicts_away_as_a_padded_kernel_does(column):
    assert column.turns(column.changed(0)) == 32
    assert column.turns(column.changed(0, padding=1)) == 1
    assert column.turns(column.changed(0, padding=2)) == 2


def test_stride_and_block_width_change_the_sectors():
    row = access_pattern(transpose[1, (32, 32)], *square(), access="a[y, x]")
    assert row.turns(row.changed(0)) == 4
    assert row.turns(row.changed(0, stride=2)) == 8
    assert row.turns(row.changed(0, stride=8)) == 32
    narrow = row.changed(0, block_width=8)
    assert row.turns(narrow) == 4  # four rows of eight: as many sectors
    assert narrow[8] == 32
    assert row.turns(row.changed(0, block_width=4)) == 8


@pytest.mark.parametrize("width", [8, 16])
def test_another_block_width_is_what_such_a_launch_does(width):
    row = access_pattern(transpose[1, (32, 32)], *square(), access="a[y, x]")
    a = np.zeros((1024 // width, max(width, 32)), np.float32)
    real = inspect(copy_rows[1, (width, 1024 // width)], a, a.copy())
    assert row.turns(row.changed(0, block_width=width)) == real.find("a[y, x]").sectors_per_request


@cuda.jit
def copy_rows(a, out):
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    out[y, x] = a[y, x]


def test_indices_from_memory_have_no_other_block_width():
    order = np.random.default_rng(3).permutation(64)
    given = np.zeros(64, np.float32), order, np.zeros(64, np.float32)
    pattern = access_pattern(gather[1, 64], *given, access="a[order[i]]")
    assert not pattern.is_affine
    widget = AccessMap(pattern)
    assert widget.view["choices"]["block_width"] == [64]
    with pytest.raises(InputError, match="not known"):
        widget.choose(block_width=32)
    widget._heard(widget, {"do": "choose", "what": "block_width", "value": 32}, [])
    assert "not known" in widget.view["trouble"]
    assert (order == given[1]).all()


def test_the_state_names_lanes_by_bank(column):
    widget = AccessMap(column)
    assert len(widget.view["cells"]) == 32
    assert [len(one["lanes"]) for one in widget.view["cells"][:2]] == [32, 0]
    assert "32 turns" in widget.sentence()
    padded = widget.choose(padding=1)
    assert [one["lanes"] for one in padded.view["cells"][:2]] == [[[0]], [[1]]]
    assert "1 turn (as written: 32)" in padded.sentence()
    assert widget.picture().startswith("<svg")


def test_the_state_names_lanes_by_sector():
    pattern = access_pattern(transpose[1, (32, 32)], *square(), access="a[y, x]")
    cells = AccessMap(pattern).view["cells"]
    assert [one["number"] for one in cells] == [0, 1, 2, 3]
    assert cells[1]["lanes"] == [[lane] for lane in range(8, 16)]


def test_lanes_are_named_shortly():
    assert [lane_text(one) for one in ([], [4], [2, 3, 4], [1, 5])] == ["", "4", "2–4", "2 lanes"]


def test_bad_questions_are_refused(column):
    with pytest.raises(UnknownNameError, match="tile"):
        access_pattern(transpose[1, (32, 32)], *square(), access="tile[y]")
    with pytest.raises(InputError, match="layout"):
        AccessMap(column).choose(stride=0)
    with pytest.raises(InputError, match="configured"):
        access_pattern(transpose, access="a")
