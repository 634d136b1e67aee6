"""Areas of elements: what is said of one as a whole holds for each of its elements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.simt.codegen.areas import area, fits
from workbench.simt.inspector import metrics
from workbench.simt.inspector.bulk import count_area, mark_sectors
from workbench.simt.inspector.counters import Word
from workbench.simt.sanitizer.bulk import (
    apart,
    clean_read,
    clean_write,
    injective,
    mark_read,
    mark_write,
)
from workbench.simt.sanitizer.shadow import PLANES
from workbench.simt.sanitizer.table import SITE_BITS

SIZE = 8192
STEP = st.sampled_from([0, 1, 2, 8, 32, 33]) | st.integers(-9, 40)
BLOCKS = ((64, 1), (50, 1), (32, 3), (16, 4), (8, 5))


@st.composite
def areas(draw):
    """Return the arguments of `area`, of a box within a block, all elements within an array."""
    width, height = draw(st.sampled_from(BLOCKS))
    x0, y0 = draw(st.integers(0, width)), draw(st.integers(0, height))
    x1, y1 = draw(st.integers(0, width)), draw(st.integers(0, height))
    sx, sy, sk, sl = (draw(STEP) for _ in range(4))
    nk, nl = draw(st.integers(0, 3)), draw(st.integers(1, 2))
    low = sum(min(0, 9 * step) for step in (sx, sy, sk, sl)) - 8 * 64
    return (draw(st.integers(-low, -low + 60)), x0, x1, sx, y0, y1, sy, width, nk, sk, nl, sl)


def visits(arguments):
    """Return thread, turn and element of everything that an area holds."""
    base, x0, x1, sx, y0, y1, sy, row, nk, sk, nl, sl = arguments
    return [
        (y * row + x, (k, m), base + x * sx + y * sy + k * sk + m * sl)
        for k in range(nk) for m in range(nl) for y in range(y0, y1) for x in range(x0, x1)
    ]  # fmt: skip


def planes():
    return np.zeros(PLANES * SIZE, np.int64)


@settings(max_examples=150, deadline=None)
@given(areas(), areas())
def test_two_areas_that_are_called_apart_share_no_element(first, second):
    common = {e for _, _, e in visits(first)} & {e for _, _, e in visits(second)}
    if apart(area(*first), area(*second)):
        assert not common


@settings(max_examples=150, deadline=None)
@given(areas())
def test_where_an_area_is_called_injective_no_two_threads_meet(arguments):
    owners = {}
    for thread, _, element in visits(arguments):
        owners.setdefault(element, set()).add(thread)
    if injective(area(*arguments)):
        assert all(len(threads) == 1 for threads in owners.values())


def test_the_usual_layouts_are_recognised():
    plain = area(0, 0, 64, 1, 0, 4, 64, 64, 1, 0, 1, 0)
    padded = area(0, 0, 32, 33, 0, 4, 1, 32, 1, 0, 1, 0)
    strided = area(0, 0, 64, 1, 0, 1, 0, 64, 5, 64, 1, 0)
    several = area(0, 0, 64, 4, 0, 1, 0, 64, 4, 1, 1, 0)
    assert all(injective(one) for one in (plain, padded, strided, several))
    assert not injective(area(0, 0, 64, 0, 0, 1, 0, 64, 1, 0, 1, 0))
    even, odd = (area(k, 0, 64, 2, 0, 1, 0, 64, 1, 0, 1, 0) for k in (0, 1))
    assert apart(even, odd)
    assert not apart(even, even)


@settings(max_examples=100, deadline=None)
@given(areas())
def test_an_area_fits_where_all_its_elements_do(arguments):
    inside = all(0 <= element < 1000 for _, _, element in visits(arguments))
    assert fits(area(*arguments), 1000) == inside


@settings(max_examples=100, deadline=None)
@given(areas(), areas())
def test_marks_lie_on_the_elements_of_an_area_and_nowhere_else(first, second):
    shadow, one, other = planes(), area(*first), area(*second)
    at, plane = shadow.ctypes.data, 8 * SIZE
    start, barrier, now = 1 << 40, 2 << 40, 2 << 40
    mark_write(one, at, now | 7)
    written = {element for _, _, element in visits(first)}
    assert set(np.flatnonzero(shadow)) == written
    touched = written & {element for _, _, element in visits(second)}
    assert clean_write(other, at, plane, barrier) == (not touched)
    wanted = {element for _, _, element in visits(second)}
    assert clean_read(other, at, start, barrier) == (not wanted)
    assert clean_read(other, at, start, 3 << 40) == (wanted <= written)
    stamps = {(now | 7) + (thread << SITE_BITS) for thread, _, _ in visits(first)}
    assert {int(one) for one in shadow[list(written)]} <= stamps


@settings(max_examples=100, deadline=None)
@given(areas())
def test_an_element_that_two_threads_read_keeps_two_readers(arguments):
    shadow = planes()
    mark_read(area(*arguments), shadow.ctypes.data, 8 * SIZE, (1 << 40) | 7)
    readers = {}
    for thread, _, element in visits(arguments):
        readers.setdefault(element, set()).add(thread)
    writes, last, before = shadow.reshape(PLANES, SIZE)
    assert not writes.any()
    assert set(np.flatnonzero(last)) == set(readers)
    for element, threads in readers.items():
        kept = {int(s) >> SITE_BITS & 1023 for s in (last[element], before[element]) if s}
        assert kept <= threads
        assert len(kept) == min(2, len(threads))


@settings(max_examples=150, deadline=None)
@given(areas(), st.sampled_from(BLOCKS), st.sampled_from([1, 2, 4, 8]), st.integers(0, 1))
def test_requests_are_counted_as_from_the_lanes(arguments, block, itemsize, shared):
    width, height = block
    base, x0, x1, sx, y0, y1, sy, _, *loops = arguments
    box = (base, min(x0, width), min(x1, width), sx, min(y0, height), min(y1, height), sy, width)
    arguments = (*box, *loops)
    record, lanes_row = np.zeros(Word.SIZE, np.int64), np.zeros(32, np.int64)
    count_area(area(*arguments), record.ctypes.data, itemsize, shared, 1, width * height,
               lanes_row.ctypes.data)  # fmt: skip
    rows = {}
    for thread, turn, element in visits(arguments):
        row = rows.setdefault((thread // 32, turn), np.full(32, -1, np.int64))
        row[thread % 32] = element * itemsize
    assert not lanes_row.any()
    assert record[Word.REQUESTS] == len(rows)
    if not rows:
        return
    table = np.stack(list(rows.values()))
    active = table >= 0
    assert record[Word.LANES] == active.sum()
    assert record[Word.PRESENT] == sum(min(32, width * height - 32 * warp) for warp, _ in rows)
    assert record[Word.CONTENTION] == metrics.contention(table, active).max()
    if shared:
        ways = metrics.bank_ways(table, active, itemsize)
        assert (record[Word.WAYS], record[Word.MOST_WAYS]) == (ways.sum(), ways.max())
    else:
        assert record[Word.SECTORS] == metrics.sectors(table, active, itemsize).sum()


@pytest.mark.parametrize(
    ("step", "sectors", "ways"), [(0, 1, 1), (1, 4, 1), (2, 8, 2), (16, 32, 16), (32, 32, 32),
                                  (33, 32, 1)]
)  # fmt: skip
def test_a_whole_warp_of_floats_has_the_hand_derived_counts(step, sectors, ways):
    lanes_row = np.zeros(32, np.int64)
    for shared, word, expected in ((0, Word.SECTORS, sectors), (1, Word.MOST_WAYS, ways)):
        record = np.zeros(Word.SIZE, np.int64)
        walk = area(0, 0, 32, step, 0, 1, 0, 32, 1, 0, 1, 0)
        count_area(walk, record.ctypes.data, 4, shared, 0, 32, lanes_row.ctypes.data)
        assert record[word] == expected


@settings(max_examples=100, deadline=None)
@given(areas(), st.sampled_from([1, 2, 4, 8]))
def test_the_sectors_of_an_area_are_marked(arguments, itemsize):
    marks = np.zeros(8 * SIZE // 32, np.uint8)
    mark_sectors(area(*arguments), itemsize, marks.ctypes.data)
    wanted = {element * itemsize // 32 for _, _, element in visits(arguments)}
    assert set(np.flatnonzero(marks)) == wanted
