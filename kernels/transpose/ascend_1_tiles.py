"""Transpose by tiles: rows of a tile in, exchanged inside UB, rows of the other tile out."""

from workbench import aicore

TILE = 64


@aicore.kernel
def transpose_tiles(x, out):
    rows, columns = x.shape
    source = aicore.Queue("VECIN", (TILE, TILE), x.dtype, name="x")
    result = aicore.Queue("VECOUT", (TILE, TILE), x.dtype, name="out")
    across = (columns + TILE - 1) // TILE
    tiles = (rows + TILE - 1) // TILE * across
    for number in range(aicore.block_idx(), tiles, aicore.block_num()):
        top = number // across * TILE
        left = number % across * TILE
        bottom = min(top + TILE, rows)
        right = min(left + TILE, columns)
        tile = source.allocate((bottom - top, right - left))
        aicore.data_copy_pad(tile, x[top:bottom, left:right])
        source.enqueue(tile)
        tile = source.dequeue()
        turned = result.allocate((right - left, bottom - top))
        aicore.transpose(turned, tile)
        source.free(tile)
        result.enqueue(turned)
        turned = result.dequeue()
        aicore.data_copy_pad(out[left:right, top:bottom], turned)
        result.free(turned)


def launch(x, out, blocks=8):
    transpose_tiles[blocks](x, out)
