"""The gradient of fused bias and GELU, with respect to both of its inputs."""

import math

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    x, gradient = rng.standard_normal((2, size, 2 * size + 1), dtype=np.float32)
    return x, rng.standard_normal(2 * size + 1, dtype=np.float32), gradient


def _reference(x, bias, gradient):
    from scipy.special import erf

    z = x + bias
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    slope = (1 + erf(z / np.sqrt(2))) / 2 + z * density
    x_gradient = (gradient * slope).astype(x.dtype)
    return x_gradient, x_gradient.sum(axis=0)


def _torch_module():
    import torch

    class BiasGeluBackward(torch.nn.Module):
        def forward(self, x, bias, gradient):
            z = x + bias
            density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            slope = (1 + torch.erf(z / math.sqrt(2))) / 2 + z * density
            x_gradient = gradient * slope
            return x_gradient, x_gradient.sum(dim=0)

    return BiasGeluBackward()


problem = Problem(
    name="bias_gelu_backward",
    summary="dx = gradient * gelu'(x + bias), and dbias = the sum of dx over the rows",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x, bias, gradient: (poisoned(x.shape), poisoned(bias.shape)),
    bytes_moved=lambda size: 4 * (2 * size + 1) * (3 * size + 2),
    operations=lambda size: 12 * size * (2 * size + 1),
    size=512,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 70),
    # sums over the rows pass near zero and keep the error of their parts
    tolerance={"float32": Tolerance(1e-4, 5e-5)},
    torch_module=_torch_module,
)
