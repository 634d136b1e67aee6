"""A 5 x 5 filter, every pixel from global memory.

Idea: 25 loads of pixels for each output; neighbours load nearly the same ones. What binds it: load
instructions; caches keep the traffic low. Look at: bytes asked for, 25 times the image, against
bytes moved.
"""

import numpy as np

from workbench import cuda

THREADS = (32, 8)
RADIUS = 2


@cuda.jit
def filter_global(image, weights, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        total = np.float32(0)
        for down in range(-RADIUS, RADIUS + 1):
            for right in range(-RADIUS, RADIUS + 1):
                y, x = row + down, col + right
                if y >= 0 and y < image.shape[0] and x >= 0 and x < image.shape[1]:
                    total += image[y, x] * weights[down + RADIUS, right + RADIUS]
        out[row, col] = total


def launch(image, weights, out):
    rows, cols = out.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    filter_global[blocks, THREADS](image, weights, out)
