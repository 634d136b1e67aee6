"""Walking operands of any strides: the fewest dimensions, and a driver that calls a loop per row.

Dimensions that can be walked as one are joined first, as PyTorch's TensorIterator does. Where one
operand's rows cross another's, a second driver walks in tiles, so that each cache line is read
once. It refuses to know what the loop computes: that is an address with words.
"""

from __future__ import annotations

from functools import cache

import torch

from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch

_TILE = 32  # elements each way: from here on walking in tiles pays

_DRIVER = """
def kernel(w):
    # w: begin, end, address of the loop, outer dimensions, operands, words of the loop, sizes,
    #    byte strides (operand by operand), the loop's words, room for a second copy of them and
    #    for a place along each outer dimension
    outer, operands, words = w[3], w[4], w[5]
    sizes, strides = 6, 6 + outer
    inner = strides + outer * operands
    room = inner + words
    place = room + words
    for k in range(words):
        w[room + k] = w[inner + k]
    rest = w[0]
    for d in range(outer - 1, -1, -1):
        at = rest % w[sizes + d]
        rest = rest // w[sizes + d]
        w[place + d] = at
        for j in range(operands):
            w[room + 2 + 2 * j] += at * w[strides + j * outer + d]
    status = 0
    for row in range(w[0], w[1]):
        status |= call_kernel(w[2], offset_words(w, room))
        d = outer - 1
        while d >= 0:  # to the next row: no division, most rows end at the first dimension
            w[place + d] += 1
            back = 0 if w[place + d] < w[sizes + d] else w[sizes + d]
            for j in range(operands):
                w[room + 2 + 2 * j] += (1 - back) * w[strides + j * outer + d]
            if not back:
                break
            w[place + d] = 0
            d -= 1
    return status
"""


_TILED = """
def kernel(w):
    # as above, with the last outer dimension in blocks of 64: w[6] is how many blocks it has
    outer, operands, words, blocks = w[3], w[4], w[5], w[6]
    sizes, strides = 7, 7 + outer
    inner = strides + outer * operands
    room = inner + words
    count = w[inner + 1]
    status = 0
    for block in range(w[0], w[1]):
        first = block % blocks * 64
        last = min(first + 64, w[sizes + outer - 1])
        for column in range(0, count, 64):
            for row in range(first, last):
                for k in range(words):
                    w[room + k] = w[inner + k]
                w[room], w[room + 1] = column, min(column + 64, count)
                rest = block // blocks
                for j in range(operands):
                    w[room + 2 + 2 * j] += row * w[strides + j * outer + outer - 1]
                for d in range(outer - 2, -1, -1):
                    at = rest % w[sizes + d]
                    rest = rest // w[sizes + d]
                    for j in range(operands):
                        w[room + 2 + 2 * j] += at * w[strides + j * outer + d]
                status |= call_kernel(w[2], offset_words(w, room))
    return status
"""


@cache
def driver(tiled: bool) -> Kernel:
    """Return the kernel that calls a loop for each row of a strided shape, or for each tile."""
    return compile_kernel("tiles_of_strided" if tiled else "rows_of_strided",
                          _TILED if tiled else _DRIVER)  # fmt: skip


def coalesce(size, strides: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Drop and join dimensions: the fewest that visit the same elements, the innermost last.

    Parameters
    ----------
    size : sequence of int
    strides : list of lists
        One list per operand; the first operand's order decides which dimension is innermost.
    """
    dims = [d for d, n in enumerate(size) if n != 1]
    dims.sort(key=lambda d: [-abs(s[d]) for s in strides[:1]] + [d])
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for d in dims:
        if sizes and all(k[-1] == s[d] * size[d] for k, s in zip(kept, strides, strict=True)):
            sizes[-1] *= size[d]
            for k, s in zip(kept, strides, strict=True):
                k[-1] = s[d]
        else:
            sizes.append(size[d])
            for k, s in zip(kept, strides, strict=True):
                k.append(s[d])
    return sizes, kept


def broadcast_strides(tensor: torch.Tensor, size) -> list[int]:
    """Return a tensor's strides as if it had been expanded to `size`."""
    lead = len(size) - tensor.dim()
    own = [0 if n == 1 else step for n, step in zip(tensor.size(), tensor.stride(), strict=True)]
    return [0] * lead + own


def drive(kernel, sizes, strides, pointers, addresses, numbers, explain) -> None:
    """Run a kernel over strides that no single line of memory covers."""
    outer, inner = sizes[:-1], sizes[-1]
    words = [0, inner]
    for address, steps in zip(addresses, strides, strict=True):
        words += [address, steps[-1]]
    words += numbers
    bytes_per_step = [
        step * t.element_size()
        for t, steps in zip(pointers, strides, strict=True)
        for step in steps[:-1]
    ]
    rows = 1
    for n in outer:
        rows *= n
    head = (kernel.address, len(outer), len(pointers), len(words))
    crossing = any(abs(steps[-1]) > abs(steps[-2]) > 0 for steps in strides)
    if crossing and inner >= _TILE and outer[-1] >= _TILE:  # else each cache line is read 16 times
        blocks = -(-outer[-1] // 64)
        head += (blocks, *outer, *bytes_per_step)
        count = rows // outer[-1] * blocks
        launch(driver(True), count, (*head, *words, *words), 64 * inner, explain)
        return
    every = (*head, *outer, *bytes_per_step, *words, *words, *outer)
    launch(driver(False), rows, every, inner, explain)
