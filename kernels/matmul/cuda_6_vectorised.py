"""Tiled matrix product that moves two float32 with every load and store.

Idea: a row is seen as pairs of neighbours, each one int64 whose halves are the bits of two floats.
One load instruction brings a pair from global memory, one brings a pair from shared memory, one
stores a pair; each thread keeps 4 x 2 results in registers. Rows must begin on 8 bytes, so where a
row has an odd length the register-tiled kernel runs instead. What binds it: arithmetic, nearly.
Look at: requests to shared memory against the register-tiled kernel; 8 sectors a request with
every byte used; ``LDG.E.64`` and ``LDS.64`` in the SASS.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.matmul import cuda_4_register_tiled

SIDE = 16  # threads of a block along x and y
EACH = 4  # rows of the result for each thread
ROWS = SIDE * EACH
PADDED = ROWS + 1
PAIRS = SIDE  # pairs of columns of the result for each block
DEPTH = 16  # columns of a, rows of b, at each step
HALF = DEPTH // 2


@cuda.jit(device=True)
def first(pair):
    """Return the float in the lower half."""
    return np.int32(pair & 0xFFFFFFFF).view(np.float32)


@cuda.jit(device=True)
def second(pair):
    """Return the float in the upper half."""
    return np.int32(pair >> 32).view(np.float32)


@cuda.jit(device=True)
def pair_of(one, two):
    """Return two floats as the halves of an integer."""
    low = np.int64(np.float32(one).view(np.int32))
    high = np.int64(np.float32(two).view(np.int32))
    return (low & 0xFFFFFFFF) | (high << 32)


@cuda.jit
def matmul_vectorised(a_pairs, b_pairs, out_pairs):
    a_tile = cuda.shared.array((DEPTH, PADDED), np.float32)
    b_tile = cuda.shared.array((DEPTH, PAIRS), np.int64)
    left = cuda.local.array(EACH, np.float32)
    right = cuda.local.array(EACH, np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    first_row, pair = cuda.blockIdx.y * ROWS, cuda.blockIdx.x * PAIRS + x
    inner = b_pairs.shape[0]
    nothing = np.int64(0)
    for i in range(EACH):
        left[i] = np.float32(0)
        right[i] = np.float32(0)
    for start in range(0, inner, DEPTH):
        for part in range(2):  # 64 rows of 8 pairs, for 256 threads
            row, k = (y * SIDE + x) // HALF + part * ROWS // 2, x % HALF
            inside = first_row + row < a_pairs.shape[0] and start // 2 + k < a_pairs.shape[1]
            value = a_pairs[first_row + row, start // 2 + k] if inside else nothing
            a_tile[2 * k, row] = first(value)
            a_tile[2 * k + 1, row] = second(value)
        inside = start + y < inner and pair < b_pairs.shape[1]
        b_tile[y, x] = b_pairs[start + y, pair] if inside else nothing
        cuda.syncthreads()
        for k in range(DEPTH):
            two = b_tile[k, x]
            b_left, b_right = first(two), second(two)
            for i in range(EACH):
                one = a_tile[k, y + i * SIDE]
                left[i] += one * b_left
                right[i] += one * b_right
        cuda.syncthreads()
    for i in range(EACH):
        row = first_row + y + i * SIDE
        if row < out_pairs.shape[0] and pair < out_pairs.shape[1]:
            out_pairs[row, pair] = pair_of(left[i], right[i])


def launch(a, b, out):
    rows, cols = out.shape
    if a.shape[1] % 2 or cols % 2:
        cuda_4_register_tiled.launch(a, b, out)
        return
    blocks = ((cols // 2 + PAIRS - 1) // PAIRS, (rows + ROWS - 1) // ROWS)
    pairs = [one.view(np.int64) for one in (a, b, out)]
    matmul_vectorised[blocks, (SIDE, SIDE)](*pairs)
