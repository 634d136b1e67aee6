"""Bandwidth against the size of one copy: the AI Core model beside the vendor's measurements.

Run: ``python tests/benchmarks/aicore_bandwidth.py``. Source: CANN asc-devkit, README of the sample
``data_copy`` (best practices), read in 2026: a half matrix of 12,288 x 12,288 is read once, from
global memory into UB (48 Vector cores) or L1 (24 Cube cores), in tiles of several sizes, on the A2
and A3 series. The kernels here read the same tiles; the shelf's copy is timed besides. Nothing in
the model is fitted to these figures; everything it prints of its own is modelled.
"""

from importlib import import_module

import numpy as np

from workbench import aicore

EDGE = 12_288
NBYTES = EDGE * EDGE * 2
# buffer, rows and columns of a tile: published microseconds of the task on A2/A3
PUBLISHED_US = {
    ("UB", 1, 64): 564.84,
    ("UB", 64, 64): 233.54,
    ("UB", 64, 1024): 215.82,
    ("L1", 64, 64): 300.7,
    ("L1", 64, 256): 230.24,
}
BLOCKS = {"UB": 48, "L1": 24}


@aicore.kernel
def read_tiles(x, buffer, tall, wide):
    """Read this block's rows tile by tile, into one buffer: a mover that never waits."""
    tile = aicore.scratch(buffer, (tall, wide), x.dtype)
    begin, end = aicore.share(x.shape[0], tall)
    for top in range(begin, end, tall):
        for left in range(0, x.shape[1], wide):
            aicore.data_copy(tile, x[top : top + tall, left : left + wide])


def modelled(buffer, tall, wide):
    """Return the timeline of reading the matrix in such tiles; one core stands for all."""
    x = aicore.Shape((EDGE, EDGE), np.dtype("float16"))
    return aicore.predict(read_tiles, (x, buffer, tall, wide), BLOCKS[buffer], sample=(0,))


def shelf_copy():
    """Return the timeline of the shelf's copy of as many bytes, which reads and writes."""
    kernel = import_module("workbench.kernels.copy.ascend_1_events").copy_events
    x = aicore.Shape((NBYTES // 4,), np.dtype("float32"))
    return aicore.predict(kernel, (x, x), 48, sample=(0,))


def errors():
    """Return, for each published point, bytes of a copy, published and modelled us, the error."""
    rows = []
    for (buffer, tall, wide), published in PUBLISHED_US.items():
        us = modelled(buffer, tall, wide).elapsed_ns / 1e3
        rows.append((buffer, tall * wide * 2, published, us, us / published - 1))
    return rows


def main():
    """Print the table."""
    print("global memory into a core, 302 MB read once (A2/A3, asc-devkit sample data_copy)")
    for buffer, nbytes, published, us, error in errors():
        print(
            f"  {nbytes:7d} B a copy into {buffer}: published {published:6.1f} us "
            f"({NBYTES / published / 1e3:6.0f} GB/s), modelled {us:6.1f} us "
            f"({NBYTES / us / 1e3:6.0f} GB/s), {error:+.1%}"
        )
    line = shelf_copy()
    rate = 2 * NBYTES / line.elapsed_ns
    print(f"  the shelf's copy, read and written: modelled {line.elapsed_ns / 1e3:.1f} us")
    print(f"  ({rate:.0f} GB/s; bound by {line.bound}); no published figure beside it")


if __name__ == "__main__":
    main()
