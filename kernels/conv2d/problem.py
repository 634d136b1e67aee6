"""The first convolution of AlexNet: 64 filters of 3 x 11 x 11, stride 4, padding 2.

The shapes are those of torchvision's AlexNet, which follows A. Krizhevsky, "One weird trick for
parallelizing convolutional neural networks", 2014, arXiv:1404.5997.
"""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned, require_size

CHANNELS, FILTERS, WIDTH, STRIDE, PADDING = 3, 64, 11, 4, 2


def side(size):
    """Return the height and width of the output for an image of `size` x `size`."""
    return (size + 2 * PADDING - WIDTH) // STRIDE + 1


def _inputs(size, seed):
    require_size(size, WIDTH - 2 * PADDING)
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((CHANNELS, size, size), dtype=np.float32)
    weights = rng.standard_normal((FILTERS, CHANNELS, WIDTH, WIDTH), dtype=np.float32)
    bias = rng.standard_normal(FILTERS, dtype=np.float32)
    return image, weights, bias


def _reference(image, weights, bias):
    padded = np.pad(image, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WIDTH, WIDTH), axis=(1, 2))
    windows = windows[:, ::STRIDE, ::STRIDE]
    return np.tensordot(weights, windows, ((1, 2, 3), (0, 3, 4))) + bias[:, None, None]


def _outputs(image, weights, bias):
    return (poisoned((weights.shape[0], side(image.shape[1]), side(image.shape[2]))),)


def _torch_module():
    import torch

    class Conv2d(torch.nn.Module):
        def forward(self, image, weights, bias):
            return torch.nn.functional.conv2d(image[None], weights, bias, STRIDE, PADDING)[0]

    return Conv2d()


problem = Problem(
    name="conv2d",
    summary="out[f, i, j] = bias[f] + the window of image at (4i - 2, 4j - 2) times weights[f]",
    inputs=_inputs,
    reference=_reference,
    outputs=_outputs,
    bytes_moved=lambda size: (
        4
        * (CHANNELS * size**2 + FILTERS * CHANNELS * WIDTH**2 + FILTERS + FILTERS * side(size) ** 2)
    ),
    operations=lambda size: 2 * FILTERS * side(size) ** 2 * CHANNELS * WIDTH**2,
    size=224,
    size_means="rows and columns of the image",
    test_sizes=(7, 15, 33),
    # 363 products of standard normals are summed, as in matmul with K = 363
    tolerance={"float32": Tolerance(1e-4, 1e-3)},
    torch_module=_torch_module,
)
