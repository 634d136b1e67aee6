"""Convolution as a matrix product: Vector cores lay the windows out, Cube cores multiply.

The windows of the image become the columns of a matrix in global memory (img2col); its last row is
all ones, and beside the weights stands the bias, so that the Cube adds it. Rows outside of the
image are zeros, and so are the columns left and right of it in UB.
"""

import numpy as np

from workbench import aicore

EDGE = 8  # zeros on the left of a row in UB: 32 bytes, so that the row itself begins aligned


@aicore.kernel
def conv2d_img2col(image, weights, bias, offsets, matrix, columns, out, stride, padding):
    channels, height, width = image.shape
    depth = weights.shape[1]
    taps, across = offsets.shape
    down = columns.shape[1] // across
    source = aicore.scratch("UB", 2 * EDGE + width + 32, image.dtype, name="row")
    where = aicore.Queue("VECIN", (taps, across), "uint32", depth=1, name="offsets")
    patch = aicore.Queue("VECOUT", (taps, across), image.dtype, name="patch")
    # matrix = [weights | bias], columns = [windows; ones]: every block lays out its rows of both
    lay_out_weights(matrix, weights, bias)
    table = where.allocate()
    aicore.data_copy_pad(table, offsets)
    where.enqueue(table)
    table = where.dequeue()
    aicore.duplicate(source, 0.0)
    aicore.set_flag("V_MTE2")
    for line in range(aicore.block_idx(), down, aicore.block_num()):
        place = line * across
        ones = patch.allocate((1, across))
        aicore.duplicate(ones, 1.0)
        patch.enqueue(ones)
        ones = patch.dequeue()
        aicore.data_copy_pad(columns[depth:, place : place + across], ones)
        patch.free(ones)
        for number in range(channels * taps):
            channel = number // taps
            row = line * stride - padding + number % taps
            cells = patch.allocate()
            if row >= 0 and row < height:
                aicore.wait_flag("V_MTE2")
                aicore.data_copy_pad(source[EDGE : EDGE + width], image[channel, row, :])
                aicore.set_flag("MTE2_V")
                aicore.wait_flag("MTE2_V")
                aicore.gather(cells, source, table)
                aicore.set_flag("V_MTE2")
            else:
                aicore.duplicate(cells, 0.0)
            patch.enqueue(cells)
            cells = patch.dequeue()
            top = number * taps
            aicore.data_copy_pad(columns[top : top + taps, place : place + across], cells)
            patch.free(cells)
    aicore.wait_flag("V_MTE2")
    where.free(table)
    aicore.sync_all()

    product = aicore.Matmul(image.dtype)
    begin, end = aicore.share(columns.shape[1], 16)
    if begin < end:
        product(out[:, begin:end], matrix, columns[:, begin:end])


def lay_out_weights(matrix, weights, bias):
    filters, depth = weights.shape
    first, last = aicore.share(filters)
    if first < last:
        left = aicore.Queue("VECIN", (last - first, depth), weights.dtype, depth=1, name="weights")
        right = aicore.Queue("VECIN", (last - first, 1), weights.dtype, depth=1, name="bias")
        copy_through(matrix[first:last, :depth], weights[first:last, :], left)
        copy_through(matrix[first:last, depth:], bias.reshape(filters, 1)[first:last, :], right)


def copy_through(target, origin, queue):
    tile = queue.allocate(origin.shape)
    aicore.data_copy_pad(tile, origin)
    queue.enqueue(tile)
    tile = queue.dequeue()
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy_pad(target, tile)
    aicore.set_flag("MTE3_V")
    aicore.wait_flag("MTE3_V")
    queue.free(tile)


def launch(image, weights, bias, out, blocks=8):
    from workbench.kernels.conv2d.problem import PADDING, STRIDE

    filters, channels, taps, _ = weights.shape
    depth = channels * taps * taps
    _, down, across = out.shape
    # bytes of the element that tap and output column look at, in a row that begins at EDGE
    tap, column = np.meshgrid(np.arange(taps), np.arange(across), indexing="ij")
    offsets = ((EDGE - PADDING + tap + column * STRIDE) * image.itemsize).astype(np.uint32)
    flat = np.empty((filters, down * across), out.dtype)
    conv2d_img2col[blocks](
        image,
        weights.reshape(filters, depth),
        bias,
        offsets,
        aicore.workspace((filters, depth + 1), image.dtype),
        aicore.workspace((depth + 1, down * across), image.dtype),
        flat,
        STRIDE,
        PADDING,
    )
    out[...] = flat.reshape(out.shape)
