# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab: first kernels
#
# **You will build** four kernels: a map, a guarded map, a kernel in two dimensions, and a sum for
# each block. **You need** notebooks 01 and 02. **Minutes:** 45.
#
# Fill in the places marked `YOUR CODE HERE`. Below each one is a check that you can run as often
# as you like: it says what is wrong and where. Your teacher has further checks, on other sizes and
# other numbers, so write kernels that are right for every size. Each task counts on its own.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from workbench import cuda


def expect(got, want, hint):
    """Raise with the first wrong element, or say that all is well."""
    wrong = ~np.isclose(got, want, rtol=1e-4, atol=1e-5, equal_nan=False)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise AssertionError(
            f"{int(wrong.sum())} of {wrong.size} elements are wrong. First: index {at} is "
            f"{got[at]}, expected {want[at]}. {hint}"
        )
    print(f"Right: all {got.size} elements.")


# %% nbgrader={"grade": false, "grade_id": "numbers", "locked": true, "schema_version": 3, "solution": false, "task": false}
def numbers(*shape, seed=0):
    """Numbers of which no two are alike, so that no answer is right by luck."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape).astype(np.float32)


def blank(*shape):
    """An output that shows which elements nobody wrote."""
    return np.full(shape, np.nan, dtype=np.float32)


# %% [markdown]
# ## 1. A map (2 points)
#
# Each thread does one element: `out[i] = 3 * x[i] + 1`. The launch has exactly as many threads as
# there are elements, in several blocks. `cuda.grid(1)` tells a thread which element is its own.


# %% nbgrader={"grade": false, "grade_id": "map-solution", "locked": false, "schema_version": 3, "solution": true, "task": false}
@cuda.jit
def triple_plus_one(x, out):
    ### BEGIN SOLUTION
    i = cuda.grid(1)
    out[i] = 3 * x[i] + 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "map-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
x, out = numbers(96), blank(96)
triple_plus_one[3, 32](x, out)
expect(out, 3 * x + 1, "Does every thread, in every block, find its own element?")
### BEGIN HIDDEN TESTS
for blocks, threads in ((1, 1), (7, 33), (40, 64)):
    x, out = numbers(blocks * threads, seed=blocks), blank(blocks * threads)
    triple_plus_one[blocks, threads](x, out)
    expect(out, 3 * x + 1, f"{blocks} blocks of {threads} threads.")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. A guard (3 points)
#
# Sizes are seldom a multiple of the block. Round the number of blocks up, and keep the threads
# beyond the end from touching memory: `out[i] = x[i] * x[i]` for every `i < x.size`.


# %% nbgrader={"grade": false, "grade_id": "guard-solution", "locked": false, "schema_version": 3, "solution": true, "task": false}
@cuda.jit
def square(x, out):
    ### BEGIN SOLUTION
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i] * x[i]
    ### END SOLUTION


def blocks_for(size, threads):
    """How many blocks of `threads` cover `size` elements?"""
    ### BEGIN SOLUTION
    return (size + threads - 1) // threads
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "guard-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
x, out = numbers(100), blank(100)
assert blocks_for(100, 32) == 4, f"100 elements need 4 blocks of 32, not {blocks_for(100, 32)}."
square[blocks_for(100, 32), 32](x, out)
expect(out, x * x, "Look at the last block: 28 of its 32 threads have nothing to do.")
### BEGIN HIDDEN TESTS
for size, threads in ((1, 32), (31, 32), (32, 32), (1025, 256), (1000, 33)):
    assert blocks_for(size, threads) == -(-size // threads), (size, threads)
    x, out = numbers(size, seed=size), blank(size)
    square[blocks_for(size, threads), threads](x, out)
    expect(out, x * x, f"{size} elements, {threads} threads a block.")
    square[blocks_for(size, threads) + 2, threads](x, out)  # more than enough must do no harm
    expect(out, x * x, "Two blocks too many.")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Two dimensions (3 points)
#
# `out[row, column] = x[row, column] - bias[column]`. The matrix is not square. In Numba,
# `row, column = cuda.grid(2)` takes `row` from the x axis; the launch below expects that.


# %% nbgrader={"grade": false, "grade_id": "plane-solution", "locked": false, "schema_version": 3, "solution": true, "task": false}
@cuda.jit
def subtract_bias(x, bias, out):
    ### BEGIN SOLUTION
    row, column = cuda.grid(2)
    if row < x.shape[0] and column < x.shape[1]:
        out[row, column] = x[row, column] - bias[column]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "plane-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
x, bias, out = numbers(10, 7), numbers(7, seed=1), blank(10, 7)
subtract_bias[(2, 1), (8, 8)](x, bias, out)
expect(out, x - bias, "Rows and columns: which comes first, and is each guarded?")
### BEGIN HIDDEN TESTS
for rows, columns in ((1, 1), (3, 50), (50, 3), (33, 17)):
    x, bias, out = numbers(rows, columns), numbers(columns, seed=2), blank(rows, columns)
    subtract_bias[((rows + 7) // 8, (columns + 7) // 8), (8, 8)](x, bias, out)
    expect(out, x - bias, f"{rows} rows, {columns} columns.")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A sum for each block (4 points)
#
# Block `b` adds up its 64 elements `x[64 * b : 64 * (b + 1)]` (fewer at the end) and thread 0
# writes `out[b]`. Use a shared array of 64 numbers, halve the number of adding threads at each
# step, and remember that a thread may not read what another wrote before a `cuda.syncthreads()`.


# %% nbgrader={"grade": false, "grade_id": "sum-solution", "locked": false, "schema_version": 3, "solution": true, "task": false}
@cuda.jit
def sum_blocks(x, out):
    ### BEGIN SOLUTION
    part = cuda.shared.array(64, dtype=np.float32)
    lane = cuda.threadIdx.x
    i = cuda.grid(1)
    part[lane] = x[i] if i < x.size else np.float32(0)
    cuda.syncthreads()
    step = 32
    while step > 0:
        if lane < step:
            part[lane] += part[lane + step]
        cuda.syncthreads()
        step //= 2
    if lane == 0:
        out[cuda.blockIdx.x] = part[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sum-check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def block_sums(x):
    """What the kernel must give, in float64."""
    padded = np.zeros(-(-x.size // 64) * 64)
    padded[: x.size] = x
    return padded.reshape(-1, 64).sum(axis=1)


x, out = numbers(200), blank(4)
sum_blocks[4, 64](x, out)
expect(
    out,
    block_sums(x),
    "Is there a barrier between writing and reading, and does each block add its own part?",
)
### BEGIN HIDDEN TESTS
for size in (1, 63, 64, 65, 1000):
    x, out = numbers(size, seed=size), blank(-(-size // 64))
    sum_blocks[out.size, 64](x, out)
    expect(out, block_sums(x), f"{size} elements.")
from workbench import sanitize

x, out = numbers(130), blank(3)
findings = sanitize(sum_blocks[3, 64], x, out)
assert not findings, findings[0]
### END HIDDEN TESTS

# %% [markdown]
# ## Take your work along
#
# *File > Download* keeps this notebook. The kernels are plain Numba CUDA: on a machine with an
# Nvidia GPU the same cells run on it.
#
# **Where next:** notebook 03 asks why the same sum can be 8 times slower.
