"""The cure of a racing update is the atomic that a learner can write down."""

import numpy as np
import pytest

from workbench import cuda, sanitize
from workbench.simt.sanitizer.updates import atomic_for


@pytest.mark.parametrize(
    ("line", "atomic"),
    [
        ("out[v] += 1", "cuda.atomic.add(out, v, 1)"),
        ("bins[v[i], 0] -= a[i] * 2", "cuda.atomic.sub(bins, (v[i], 0), a[i] * 2)"),
        ("if i < n: flags[0] |= 4", "cuda.atomic.or_(flags, 0, 4)"),
        ("out[0] = out[0] + x", "cuda.atomic.add(out, 0, x)"),
        ("out[0] = x + out[0]", "cuda.atomic.add(out, 0, x)"),
        ("out[i + 1] = max(out[i + 1], x)", "cuda.atomic.max(out, i + 1, x)"),
        ("out[0] = x - out[0]", None),
        ("out[0] *= x", None),
        ("out[0] = out[1] + x", None),
        ("out[0] = x", None),
        ("total += x", None),
        ("if i < n:", None),
        ("out[0] = (out[0] +", None),
    ],
)
def test_an_update_has_an_atomic_of_its_own(line, atomic):
    assert atomic_for(line) == atomic


@cuda.jit
def plain_counts(v, bins):
    i = cuda.grid(1)
    if i < v.size:
        bins[v[i]] += 1


@pytest.mark.parametrize("tier", ["traced", "compiled"])
def test_the_cure_of_plain_increments_names_the_atomic_add(tier):
    v, bins = np.arange(200) % 8, np.zeros(8, np.int32)
    (found,) = sanitize(plain_counts[4, 64], v, bins, tier=tier)
    assert "cuda.atomic.add(bins, v[i], 1)" in found.cure
