"""Multiply a sparse matrix by a vector, in compressed rows (CSR).

Most rows are short, a few are long and some are empty, as in real graphs: that is what makes it
hard to share out.
"""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned

MEAN_PER_ROW = 8
LONGEST = 200


def _lengths(size):
    # Fixed by the size alone, so that the work is known without the data. Counting rows from 1, a
    # row that 2^k divides, and no higher power, has 4 * 2^k elements; each seventh row is empty.
    rows = np.arange(1, size + 1)
    lengths = np.minimum(MEAN_PER_ROW // 2 * (rows & -rows), min(LONGEST, size))
    lengths[rows % 7 == 0] = 0
    return lengths


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(_lengths(size))]).astype(np.int32)
    picks = [np.sort(rng.choice(size, length, replace=False)) for length in _lengths(size)]
    columns = np.concatenate(picks).astype(np.int32)
    values = rng.standard_normal(columns.size, dtype=np.float32)
    return values, columns, starts, rng.standard_normal(size, dtype=np.float32)


def _reference(values, columns, starts, x):
    sums = np.concatenate([np.zeros(1), np.cumsum((values * x[columns]).astype(np.float64))])
    return np.diff(sums[starts]).astype(values.dtype)


problem = Problem(
    name="spmv",
    summary="out[i] = sum over the stored elements k of row i of values[k] * x[columns[k]]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda values, columns, starts, x: (poisoned(x.shape),),
    bytes_moved=lambda size: 4 * (2 * int(_lengths(size).sum()) + 3 * size + 1),
    operations=lambda size: 2 * int(_lengths(size).sum()),
    size=50_000,
    size_means="rows and columns",
    test_sizes=(1, 33, 129, 1000),
    # rows of up to 200 products; a sum near zero keeps the error of its largest part
    tolerance={"float32": Tolerance(1e-4, 5e-5)},
)
