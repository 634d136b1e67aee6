"""Copy through UB with two buffers: one is filled while the other is brought out.

Nothing is computed, so the movers hand over to each other, MTE2 to MTE3 and back, by events.
What binds it: the mover into UB, or the memory that all cores share. Tiles are 32 KiB, since the
vendor's best practices ask for more than 16 KB in one copy.
"""

from workbench import aicore

TILE = 8192


@aicore.kernel
def copy_events(x, out):
    buffer = aicore.scratch("UB", (2, TILE), x.dtype, name="buffer")
    begin, end = aicore.share(x.size, 16)
    turns = (end - begin + TILE - 1) // TILE
    for turn in range(turns):
        half = turn % 2
        start = begin + turn * TILE
        stop = min(start + TILE, end)
        n = stop - start
        if turn >= 2:
            aicore.wait_flag("MTE3_MTE2", half)
        aicore.data_copy_pad(buffer[half, :n], x[start:stop])
        aicore.set_flag("MTE2_MTE3", half)
        aicore.wait_flag("MTE2_MTE3", half)
        aicore.data_copy_pad(out[start:stop], buffer[half, :n])
        if turn + 2 < turns:
            aicore.set_flag("MTE3_MTE2", half)


def launch(x, out, blocks=8):
    copy_events[blocks](x, out)
