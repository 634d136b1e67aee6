"""The whole small AlexNet in four kernels, one launch for each layer.

Idea: every output element of a layer is one thread, which works out from its number which image,
channel, row and column it is. Bias and ReLU are in the convolution, so that no layer writes what
the next one only clips. What binds it: the first convolution reads each pixel 25 times for each of
16 filters; the linear layers have too few threads to hide anything. Look at: sectors for a request
in the convolutions, and how little of the time the largest layer, conv3, has to do with its name.

The weights are those of the trained checkpoint. They and the buffers between the layers go to the
device once and are kept for the next launch.
"""

from functools import cache

import numpy as np

from workbench import cuda
from workbench.kernels.alexnet import model

THREADS = 128


@cuda.jit
def conv2d_relu(images, weight, bias, out):
    i = cuda.grid(1)
    count, filters, rows, cols = out.shape
    if i < count * filters * rows * cols:
        col = i % cols
        row = i // cols % rows
        f = i // (cols * rows) % filters
        n = i // (cols * rows * filters)
        width = weight.shape[2]
        total = bias[f]
        for c in range(weight.shape[1]):
            for down in range(width):
                y = row - width // 2 + down
                if y >= 0 and y < rows:
                    for right in range(width):
                        x = col - width // 2 + right
                        if x >= 0 and x < cols:
                            total += images[n, c, y, x] * weight[f, c, down, right]
        out[n, f, row, col] = max(total, np.float32(0))


@cuda.jit
def max_pool(images, out):
    i = cuda.grid(1)
    count, channels, rows, cols = out.shape
    if i < count * channels * rows * cols:
        col = i % cols
        row = i // cols % rows
        c = i // (cols * rows) % channels
        n = i // (cols * rows * channels)
        top = max(images[n, c, 2 * row, 2 * col], images[n, c, 2 * row, 2 * col + 1])
        low = max(images[n, c, 2 * row + 1, 2 * col], images[n, c, 2 * row + 1, 2 * col + 1])
        out[n, c, row, col] = max(top, low)


@cuda.jit
def linear_relu(images, weight, bias, out):
    i = cuda.grid(1)
    count, features = out.shape
    if i < count * features:
        f = i % features
        n = i // features
        channels, rows, cols = images.shape[1], images.shape[2], images.shape[3]
        total = bias[f]
        for c in range(channels):
            for y in range(rows):
                for x in range(cols):
                    total += images[n, c, y, x] * weight[f, (c * rows + y) * cols + x]
        out[n, f] = max(total, np.float32(0))


@cuda.jit
def linear(vectors, weight, bias, out):
    i = cuda.grid(1)
    count, features = out.shape
    if i < count * features:
        f = i % features
        n = i // features
        total = bias[f]
        for k in range(vectors.shape[1]):
            total += vectors[n, k] * weight[f, k]
        out[n, f] = total


@cache
def weights():
    """Return the checkpoint's tensors on the device."""
    return {name: cuda.to_device(value) for name, value in model.weights().items()}


@cache
def buffers(count):
    """Return the arrays between the layers, for a number of images."""
    shapes = ((16, 8, 8), (16, 4, 4), (32, 4, 4), (32, 4, 4), (32, 2, 2), (64,))
    return [cuda.device_array((count, *shape), np.float32) for shape in shapes]


def blocks(out):
    return (out.size + THREADS - 1) // THREADS


def launch(images, logits):
    w = weights()
    conv1, pool1, conv2, conv3, pool3, fc1 = buffers(logits.shape[0])
    layer = images
    for name, out, pooled in (
        ("conv1", conv1, pool1),
        ("conv2", conv2, None),
        ("conv3", conv3, pool3),
    ):
        conv2d_relu[blocks(out), THREADS](layer, w[f"{name}.weight"], w[f"{name}.bias"], out)
        layer = out
        if pooled is not None:
            max_pool[blocks(pooled), THREADS](out, pooled)
            layer = pooled
    linear_relu[blocks(fc1), THREADS](layer, w["fc1.weight"], w["fc1.bias"], fc1)
    linear[blocks(logits), THREADS](fc1, w["fc2.weight"], w["fc2.bias"], logits)
