"""alexnet: ten logits for each handwritten digit, by a trained network of five layers.

Each layer in NumPy, so that the oracle is float64 throughout and owes nothing to torch but the
weights. Size counts images; they are drawn from the real test digits.
"""

import numpy as np

from workbench import digits
from workbench.problem import Problem, poisoned, require_size


def _weights(dtype):
    from workbench.kernels.alexnet import model

    return {name: value.astype(dtype) for name, value in model.weights().items()}


def conv2d(images, weight, bias, padding):
    """Cross-correlate (N, C, H, W) with (K, C, R, R), padded with zeros: (N, K, H, W)."""
    window = weight.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    views = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(2, 3))
    summed = np.tensordot(views, weight, axes=((1, 4, 5), (1, 2, 3)))
    return np.moveaxis(summed, 3, 1) + bias[:, None, None]


def max_pool(images):
    """Take the largest of each 2 x 2 block: (N, C, H, W) to (N, C, H/2, W/2)."""
    count, channels, height, width = images.shape
    return images.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def relu(x):
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def forward(images):
    """Return the logits (N, 10), in the dtype of the images."""
    w = _weights(images.dtype)
    x = max_pool(relu(conv2d(images, w["conv1.weight"], w["conv1.bias"], 2)))
    x = relu(conv2d(x, w["conv2.weight"], w["conv2.bias"], 1))
    x = max_pool(relu(conv2d(x, w["conv3.weight"], w["conv3.bias"], 1)))
    x = relu(x.reshape(len(x), -1) @ w["fc1.weight"].T + w["fc1.bias"])
    return x @ w["fc2.weight"].T + w["fc2.bias"]


def _inputs(size, seed):
    images = digits.load("test").images
    chosen = np.random.default_rng(seed).integers(0, len(images), require_size(size))
    return (images[chosen],)


def _torch_module():
    from workbench.kernels.alexnet import model

    return model.load()


# Multiply-adds for one image, layer by layer: outputs x channels in x window.
_MULTIPLY_ADDS = (
    16 * 8 * 8 * 1 * 25 + 32 * 4 * 4 * 16 * 9 + 32 * 4 * 4 * 32 * 9 + 64 * 128 + 10 * 64
)
_PARAMETERS = (16 * 25 + 16) + (32 * 16 * 9 + 32) + (32 * 32 * 9 + 32) + (64 * 128 + 64) + 650

problem = Problem(
    name="alexnet",
    summary="ten logits for each 8 x 8 digit: three convolutions and two linear layers",
    inputs=_inputs,
    reference=forward,
    outputs=lambda images: (poisoned((len(images), 10)),),
    bytes_moved=lambda size: 4 * (size * (64 + 10) + _PARAMETERS),
    operations=lambda size: 2 * size * _MULTIPLY_ADDS,
    size=256,
    size_means="images",
    test_sizes=(1, 3, 9),
    torch_module=_torch_module,
)
