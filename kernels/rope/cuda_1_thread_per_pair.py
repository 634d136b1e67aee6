"""Rotary embedding, one thread for each pair.

Idea: a pair is read, turned and written by one thread, so nothing is shared. What binds it:
memory. Look at: the two loads of a pair are 8 bytes apart from lane to lane, 8 sectors a request
each; both use the same sectors, so the second is served by the cache.
"""

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def rope_thread_per_pair(x, cos, sin, out):
    pair, token = cuda.grid(2)
    if token < x.shape[0] and pair < cos.shape[1]:
        even, odd = x[token, 2 * pair], x[token, 2 * pair + 1]
        c, s = cos[token, pair], sin[token, pair]
        out[token, 2 * pair] = even * c - odd * s
        out[token, 2 * pair + 1] = even * s + odd * c


def launch(x, cos, sin, out):
    tokens, pairs = cos.shape
    blocks = ((pairs + THREADS[0] - 1) // THREADS[0], (tokens + THREADS[1] - 1) // THREADS[1])
    rope_thread_per_pair[blocks, THREADS](x, cos, sin, out)
