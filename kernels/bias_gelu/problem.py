"""Add a bias to each row and apply GELU: two steps of a transformer's layer, to be fused into one.

Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016, arXiv:1606.08415, in the
exact form with the error function.
"""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, 2 * size + 1), dtype=np.float32)
    return x, rng.standard_normal(2 * size + 1, dtype=np.float32)


def gelu(z):
    """Return z times the standard normal distribution function at z."""
    from scipy.special import erf

    return (z * (1 + erf(z / np.sqrt(2))) / 2).astype(z.dtype)


def _torch_module():
    import torch

    class BiasGelu(torch.nn.Module):
        def forward(self, x, bias):
            return torch.nn.functional.gelu(x + bias)

    return BiasGelu()


problem = Problem(
    name="bias_gelu",
    summary="out = gelu(x + bias), the bias added to each row",
    inputs=_inputs,
    reference=lambda x, bias: gelu(x + bias),
    outputs=lambda x, bias: (poisoned(x.shape),),
    bytes_moved=lambda size: 4 * (2 * size + 1) ** 2,
    # addition, scaling, error function (one), addition, two products
    operations=lambda size: 6 * size * (2 * size + 1),
    size=512,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 70),
    torch_module=_torch_module,
)
