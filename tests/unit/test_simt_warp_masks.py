"""Groups of one warp that vote side by side, each under a mask of its own."""

import numpy as np
import pytest

from workbench import cuda

TIERS = ["lockstep", "compiled", "irregular", "step-through"]
GROUP = 8


@cuda.jit
def votes(values, found):
    t = cuda.grid(1)
    mine = 0xFF << (t % 32 // 8 * 8)
    holds = values[t] > 0
    found[t, 0] = cuda.ballot_sync(mine, holds)
    found[t, 1] = cuda.any_sync(mine, holds)
    found[t, 2] = cuda.all_sync(mine, holds)
    found[t, 3] = cuda.eq_sync(mine, holds)
    found[t, 4] = cuda.match_any_sync(mine, values[t])
    among, same = cuda.match_all_sync(mine, values[t])
    found[t, 5] = among
    found[t, 6] = same
    peers = cuda.match_any_sync(0xFFFFFFFF, values[t])
    found[t, 7] = cuda.ballot_sync(peers, t % 2 == 0)


def expected(values):
    found = np.zeros((values.size, 8), np.int64)
    for t in range(values.size):
        warp, group = t // 32 * 32, t // GROUP * GROUP
        members = range(group, group + GROUP)
        holds = [values[k] > 0 for k in members]
        alike = [k for k in members if values[k] == values[t]]
        peers = [k for k in range(warp, warp + 32) if values[k] == values[t]]
        everyone = sum(1 << k - warp for k in members)
        found[t] = (
            sum(1 << k - warp for k in members if values[k] > 0),
            any(holds),
            all(holds),
            len(set(holds)) == 1,
            sum(1 << k - warp for k in alike),
            everyone if len(alike) == GROUP else 0,
            len(alike) == GROUP,
            sum(1 << k - warp for k in peers if k % 2 == 0),
        )
    return found


@pytest.mark.parametrize("tier", TIERS)
def test_a_group_hears_only_of_its_own_lanes(tier):
    rng = np.random.default_rng(4)
    values = rng.integers(-1, 3, 4 * 32).astype(np.int32)
    values[:8], values[40:48] = 2, -1  # one group that agrees, one that refuses
    found = np.zeros((values.size, 8), np.int64)
    with cuda.tier(tier):
        votes[2, 64](values, found)
    np.testing.assert_array_equal(found, expected(values))
