"""Add a column and a row into a matrix: broadcasting, written out."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((size, 1), dtype=np.float32),
        rng.standard_normal((1, size + 3), dtype=np.float32),
    )


def _torch_module():
    import torch

    class BroadcastAdd(torch.nn.Module):
        def forward(self, column, row):
            return column + row

    return BroadcastAdd()


problem = Problem(
    name="broadcast_add",
    summary="out[i, j] = column[i, 0] + row[0, j]",
    inputs=_inputs,
    reference=lambda column, row: column + row,
    outputs=lambda column, row: (poisoned((column.shape[0], row.shape[1])),),
    bytes_moved=lambda size: 4 * (size + (size + 3) + size * (size + 3)),
    operations=lambda size: size * (size + 3),
    size=1_000,
    size_means="rows; three columns more",
    test_sizes=(1, 15, 33, 70),
    torch_module=_torch_module,
)
