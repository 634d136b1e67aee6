"""Gravity among n bodies: every body pulls every other.

The gravitational constant is 1, and a softening length of 0.1 keeps close bodies from flinging
each other away (S. Aarseth, "Gravitational N-body simulations", 2003, section 2.2).
"""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned

SOFTENING = 0.1


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    positions = rng.standard_normal((size, 3), dtype=np.float32)
    return positions, rng.uniform(0.5, 1.5, size).astype(np.float32) / np.float32(size)


def _reference(positions, masses):
    accelerations = np.empty_like(positions)
    for body, position in enumerate(positions):
        offsets = positions - position
        squares = (offsets**2).sum(axis=1) + positions.dtype.type(SOFTENING**2)
        accelerations[body] = (masses / (squares * np.sqrt(squares))) @ offsets
    return accelerations


def _torch_module():
    import torch

    class NBody(torch.nn.Module):
        def forward(self, positions, masses):
            offsets = positions[None, :, :] - positions[:, None, :]
            squares = (offsets * offsets).sum(dim=2) + SOFTENING**2
            pull = masses[None, :] / (squares * torch.sqrt(squares))
            return (pull[:, :, None] * offsets).sum(dim=1)

    return NBody()


problem = Problem(
    name="nbody",
    summary="acceleration[i] = sum over j of m[j] d / (|d|² + 0.01)^1.5 with d = x[j] - x[i]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda positions, masses: (poisoned(positions.shape),),
    bytes_moved=lambda size: 4 * 7 * size,
    # 3 differences, 6 for the square, 3 for the pull, 6 to add it up
    operations=lambda size: 18 * size * size,
    size=2048,
    size_means="bodies",
    test_sizes=(1, 33, 129, 300),
    # components of pulls cancel; what stays is 2^-24 of their size, up to about 10 for close bodies
    tolerance={"float32": Tolerance(1e-4, 2e-5)},
    torch_module=_torch_module,
)
