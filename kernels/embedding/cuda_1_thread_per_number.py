"""Embedding, one thread for each number of the output.

Idea: x runs along the row of the table, so the rows are gathered in whole requests, however far
apart they lie. What binds it: memory. Look at: with x running over tokens instead, each lane would
stand in another row: 32 sectors a request.
"""

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def embedding_thread_per_number(table, tokens, out):
    d, i = cuda.grid(2)
    if i < out.shape[0] and d < out.shape[1]:
        out[i, d] = table[tokens[i], d]


def launch(table, tokens, out):
    count, width = out.shape
    blocks = ((width + THREADS[0] - 1) // THREADS[0], (count + THREADS[1] - 1) // THREADS[1])
    embedding_thread_per_number[blocks, THREADS](table, tokens, out)
