"""One step of heat through a plate: a five-point stencil, with the edge held fixed."""

import numpy as np

from workbench.problem import Problem, poisoned

RATE = 0.2
"""Diffusivity times time step over the square of the spacing; stable up to 0.25 in two dimensions
(R. Courant, K. Friedrichs and H. Lewy, 1928)."""


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.uniform(0, 100, (size, size + 3)).astype(np.float32),)


def _reference(u):
    out = u.copy()
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    inner = u[1:-1, 1:-1]
    out[1:-1, 1:-1] = inner + u.dtype.type(RATE) * (around - 4 * inner)
    return out


def _torch_module():
    import torch

    class Heat(torch.nn.Module):
        def forward(self, u):
            around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
            inner = u[1:-1, 1:-1]
            middle = inner + RATE * (around - 4 * inner)
            middle = torch.cat([u[1:-1, :1], middle, u[1:-1, -1:]], dim=1)
            return torch.cat([u[:1], middle, u[-1:]], dim=0)

    return Heat()


problem = Problem(
    name="heat_2d",
    summary="out = u + 0.2 * (sum of the four neighbours - 4 u) inside, u on the edge",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda u: (poisoned(u.shape),),
    bytes_moved=lambda size: 2 * 4 * size * (size + 3),
    operations=lambda size: 7 * max(size - 2, 0) * (size + 1),
    size=1_000,
    size_means="rows; three columns more",
    test_sizes=(3, 15, 33, 70),
    torch_module=_torch_module,
)
