"""Correlate an image with a small filter; beyond its edges the image is zero."""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned

RADIUS = 2
WIDTH = 2 * RADIUS + 1


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((size, size + 3), dtype=np.float32)
    return image, rng.standard_normal((WIDTH, WIDTH), dtype=np.float32)


def _reference(image, weights):
    padded = np.pad(image, RADIUS)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WIDTH, WIDTH))
    return np.tensordot(windows, weights, 2)


def _torch_module():
    import torch

    class Filter2d(torch.nn.Module):
        def forward(self, image, weights):
            convolve = torch.nn.functional.conv2d
            return convolve(image[None, None], weights[None, None], padding=RADIUS)[0, 0]

    return Filter2d()


problem = Problem(
    name="filter_2d",
    summary="out[i, j] = the 5 x 5 neighbourhood of image[i, j] times weights",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda image, weights: (poisoned(image.shape),),
    bytes_moved=lambda size: 4 * (2 * size * (size + 3) + WIDTH**2),
    operations=lambda size: 2 * WIDTH**2 * size * (size + 3),
    size=720,
    size_means="rows; three columns more",
    test_sizes=(1, 15, 33, 70),
    # sums of 25 products of standard normals; those that end near zero keep the error of the rest
    tolerance={"float32": Tolerance(1e-4, 5e-5)},
    torch_module=_torch_module,
)
