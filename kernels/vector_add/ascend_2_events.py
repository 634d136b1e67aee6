"""Vector add without queues: two buffers by hand, and the events that a queue would have set."""

from workbench import aicore

TILE = 2048


@aicore.kernel
def vector_add_events(a, b, out):
    x = aicore.scratch("UB", (2, TILE), a.dtype, name="x")
    y = aicore.scratch("UB", (2, TILE), b.dtype, name="y")
    z = aicore.scratch("UB", (2, TILE), out.dtype, name="z")
    begin, end = aicore.share(out.size, 16)
    turns = (end - begin + TILE - 1) // TILE
    for turn in range(turns):
        half = turn % 2
        start = begin + turn * TILE
        stop = min(start + TILE, end)
        n = stop - start
        if turn >= 2:
            aicore.wait_flag("V_MTE2", half)
        aicore.data_copy_pad(x[half, :n], a[start:stop])
        aicore.data_copy_pad(y[half, :n], b[start:stop])
        aicore.set_flag("MTE2_V", half)
        aicore.wait_flag("MTE2_V", half)
        if turn >= 2:
            aicore.wait_flag("MTE3_V", half)
        aicore.add(z[half, :n], x[half, :n], y[half, :n])
        if turn + 2 < turns:
            aicore.set_flag("V_MTE2", half)
        aicore.set_flag("V_MTE3", half)
        aicore.wait_flag("V_MTE3", half)
        aicore.data_copy_pad(out[start:stop], z[half, :n])
        if turn + 2 < turns:
            aicore.set_flag("MTE3_V", half)


def launch(a, b, out, blocks=8):
    vector_add_events[blocks](a, b, out)
