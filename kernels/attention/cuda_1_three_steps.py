"""Attention in three kernels, with the matrix of scores written to memory in between.

Idea: scores, softmax, weighted sum, each simple. What binds it: the scores. For n tokens they are
n x n numbers that are written, read, written and read again, while the answer is only n x 32. Look
at: bytes moved against the problem's own; they grow with the square of n.
"""

import math

import numpy as np

from workbench import cuda

THREADS = (32, 8)
ROW_THREADS = 128


@cuda.jit
def attention_scores(q, k, scores):
    key, query, head = cuda.grid(3)
    if query < q.shape[1] and key < k.shape[1]:
        total = np.float32(0)
        for d in range(q.shape[2]):
            total += q[head, query, d] * k[head, key, d]
        scores[head, query, key] = total / math.sqrt(np.float32(q.shape[2]))


@cuda.jit
def softmax_rows(scores):
    row = cuda.grid(1)
    if row < scores.shape[0] * scores.shape[1]:
        head, query = row // scores.shape[1], row % scores.shape[1]
        largest = scores[head, query, 0]
        for key in range(1, scores.shape[2]):
            largest = max(largest, scores[head, query, key])
        total = np.float32(0)
        for key in range(scores.shape[2]):
            weight = math.exp(scores[head, query, key] - largest)
            scores[head, query, key] = weight
            total += weight
        for key in range(scores.shape[2]):
            scores[head, query, key] /= total


@cuda.jit
def weighted_values(scores, v, out):
    d, query, head = cuda.grid(3)
    if query < out.shape[1] and d < out.shape[2]:
        total = np.float32(0)
        for key in range(v.shape[1]):
            total += scores[head, query, key] * v[head, key, d]
        out[head, query, d] = total


def launch(q, k, v, out):
    heads, tokens, width = q.shape
    scores = cuda.device_array((heads, tokens, tokens), np.float32)
    down = (tokens + THREADS[1] - 1) // THREADS[1]
    blocks = ((tokens + THREADS[0] - 1) // THREADS[0], down, heads)
    attention_scores[blocks, THREADS](q, k, scores)
    softmax_rows[(heads * tokens + ROW_THREADS - 1) // ROW_THREADS, ROW_THREADS](scores)
    blocks = ((width + THREADS[0] - 1) // THREADS[0], down, heads)
    weighted_values[blocks, THREADS](scores, v, out)
