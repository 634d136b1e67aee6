"""Max pooling, one thread for each output.

Idea: nine loads, eight comparisons. Start from the window's first value, not from zero: a window of
negative numbers has a negative maximum. What binds it: memory. Look at: a stride of two makes the
lanes read every other float, 8 sectors a request.
"""

from workbench import cuda

THREADS = (16, 16)
WIDTH, STRIDE = 3, 2


@cuda.jit
def max_pool_thread_per_output(x, out):
    col, row, channel = cuda.grid(3)
    if row < out.shape[1] and col < out.shape[2]:
        largest = x[channel, row * STRIDE, col * STRIDE]
        for down in range(WIDTH):
            for right in range(WIDTH):
                largest = max(largest, x[channel, row * STRIDE + down, col * STRIDE + right])
        out[channel, row, col] = largest


def launch(x, out):
    channels, rows, cols = out.shape
    blocks = (
        (cols + THREADS[0] - 1) // THREADS[0],
        (rows + THREADS[1] - 1) // THREADS[1],
        channels,
    )
    max_pool_thread_per_output[blocks, THREADS](x, out)
