"""AlexNet's first convolution, one thread for each output element.

Idea: the formula, with the filter in the grid's z. What binds it: loads, two for each of the 363
multiply-adds. Look at: a stride of 4 makes neighbouring lanes read 16 bytes apart, 16 sectors a
request instead of 4; the weights are one sector for the whole warp.
"""

from workbench import cuda

THREADS = (16, 16)
STRIDE, PADDING = 4, 2


@cuda.jit
def conv2d_direct(image, weights, bias, out):
    col, row, f = cuda.grid(3)
    if row < out.shape[1] and col < out.shape[2]:
        total = bias[f]
        for c in range(weights.shape[1]):
            for down in range(weights.shape[2]):
                y = row * STRIDE - PADDING + down
                if y >= 0 and y < image.shape[1]:
                    for right in range(weights.shape[3]):
                        x = col * STRIDE - PADDING + right
                        if x >= 0 and x < image.shape[2]:
                            total += image[c, y, x] * weights[f, c, down, right]
        out[f, row, col] = total


def launch(image, weights, bias, out):
    filters, rows, cols = out.shape
    blocks = (
        (cols + THREADS[0] - 1) // THREADS[0],
        (rows + THREADS[1] - 1) // THREADS[1],
        filters,
    )
    conv2d_direct[blocks, THREADS](image, weights, bias, out)
