"""The mathematics of memory requests against values derived by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.simt.inspector import metrics

LANES = np.arange(32)
ALL = np.ones((1, 32), bool)
NOBODY = np.zeros((1, 32), bool)


def one(addresses):
    return np.asarray(addresses, np.int64).reshape(1, 32)


@pytest.mark.parametrize(
    ("elements", "itemsize", "expected"),
    [
        (LANES, 4, 4),  # 128 bytes in a row
        (LANES, 8, 8),
        (LANES, 2, 2),
        (LANES, 1, 1),
        (LANES * 2, 4, 8),  # stride 2: half of each sector is of no use
        (LANES * 8, 4, 32),  # one sector for each lane
        (LANES * 1024, 4, 32),  # a column of a matrix
        (LANES * 0, 4, 1),  # everybody reads one element
        (LANES + 1, 4, 5),  # shifted by one element: one sector more
        (LANES[::-1], 4, 4),
        (LANES // 2, 4, 2),
    ],
)
def test_sectors_of_a_request(elements, itemsize, expected):
    assert metrics.sectors(one(elements * itemsize), ALL, itemsize) == [expected]


def test_an_element_across_a_border_needs_both_sectors():
    assert metrics.sectors(one(LANES * 0 + 30), ALL, 4) == [2]
    assert metrics.sectors(one(LANES * 0), ALL, 64) == [2]


def test_no_lane_no_sector_one_lane_one_sector():
    assert metrics.sectors(one(LANES * 4), NOBODY, 4) == [0]
    assert metrics.sectors(one(LANES * 4), LANES[None] == 7, 4) == [1]


@pytest.mark.parametrize(
    ("elements", "itemsize", "expected"),
    [
        (LANES, 4, 1),
        (LANES * 2, 4, 2),
        (LANES * 32, 4, 32),  # a column of an unpadded 32 x 32 tile
        (LANES * 33, 4, 1),  # of a padded one
        (LANES * 0, 4, 1),  # broadcast
        (LANES // 2 * 64, 4, 16),  # pairs share a word
        (LANES * 3, 4, 1),  # odd strides never meet
        (LANES, 8, 1),
        (LANES * 32, 8, 16),  # half a warp at a time
        (LANES, 16, 1),
        (LANES, 1, 1),  # four lanes share a word
        (LANES, 2, 1),
    ],
)
def test_bank_conflicts(elements, itemsize, expected):
    assert metrics.bank_ways(one(elements * itemsize), ALL, itemsize) == [expected]


def test_lanes_that_are_off_do_not_conflict():
    assert metrics.bank_ways(one(LANES * 128), LANES[None] < 5, 4) == [5]
    assert metrics.bank_ways(one(LANES * 128), NOBODY, 4) == [0]


def test_contention_counts_the_lanes_at_the_most_wanted_element():
    assert metrics.contention(one(LANES * 4), ALL) == [1]
    assert metrics.contention(one(LANES * 0), ALL) == [32]
    assert metrics.contention(one(LANES // 8 * 4), ALL) == [8]
    assert metrics.contention(one(LANES * 0), NOBODY) == [0]


rows = st.lists(st.integers(0, 4000), min_size=32, max_size=32)
masks = st.lists(st.booleans(), min_size=32, max_size=32)


@given(rows, masks, st.sampled_from([1, 2, 4, 8, 16]))
def test_counts_agree_with_sets(elements, mask, itemsize):
    addresses, active = one(elements) * itemsize, np.asarray(mask).reshape(1, 32)
    wanted = [a for a, m in zip(addresses[0], mask, strict=True) if m]
    touched = {(a + k) // 32 for a in wanted for k in range(itemsize)}
    assert metrics.sectors(addresses, active, itemsize) == [len(touched)]
    meeting = max((wanted.count(a) for a in wanted), default=0)
    assert metrics.contention(addresses, active) == [meeting]
    if itemsize <= 4:
        words = {a // 4 for a in wanted}
        ways = max((sum(w % 32 == bank for w in words) for bank in range(32)), default=0)
        assert metrics.bank_ways(addresses, active, itemsize) == [ways]


@given(rows, st.permutations(list(range(32))))
def test_the_order_of_the_lanes_does_not_matter(elements, order):
    addresses = one(elements) * 4
    for count in (metrics.sectors, metrics.bank_ways):
        assert count(addresses, ALL, 4) == count(addresses[:, order], ALL, 4)
