"""AlexNet's pooling: the largest value of each 3 x 3 window, two apart, in each channel."""

import numpy as np

from workbench.problem import Problem, poisoned, require_size

CHANNELS, WIDTH, STRIDE = 16, 3, 2


def side(size):
    """Return the height and width of the output for channels of `size` x `size`."""
    return (size - WIDTH) // STRIDE + 1


def _inputs(size, seed):
    require_size(size, WIDTH)
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((CHANNELS, size, size), dtype=np.float32),)


def _reference(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, (WIDTH, WIDTH), axis=(1, 2))
    return windows[:, ::STRIDE, ::STRIDE].max(axis=(3, 4))


def _torch_module():
    import torch

    return torch.nn.MaxPool2d(WIDTH, STRIDE)


problem = Problem(
    name="max_pool",
    summary="out[c, i, j] = the largest of x[c, 2i : 2i+3, 2j : 2j+3]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned((x.shape[0], side(x.shape[1]), side(x.shape[2]))),),
    bytes_moved=lambda size: 4 * CHANNELS * (size**2 + side(size) ** 2),
    operations=lambda size: 8 * CHANNELS * side(size) ** 2,
    size=112,
    size_means="rows and columns of a channel",
    test_sizes=(3, 15, 34, 71),
    torch_module=_torch_module,
)
