"""Ordering in kernels: ways to sort positions, and to find the k-th.

`stable_order` is what ``stable=True`` promises. `swapping_order` is introsort (D. R. Musser,
Software: Practice and Experience 27, 1997) with the choices of the C++ library that PyTorch's CPU
kernels are built with, so that ties of an unstable sort fall as they do there. They refuse dtypes:
Numba compiles each for what it is given.
"""

# Numba's intrinsics take a typing context that callers never see.
# pyright: reportCallIssue=false

from __future__ import annotations

import numpy as np
from numba import njit

_inline = njit(error_model="numpy")
_FEW = 16  # elements: runs this short are left to the insertion sort


@_inline
def stable_order(values):
    """Return the order that sorts values, equal ones in place, NaN last: a bottom-up merge sort."""
    n = values.size
    order, room, width = np.arange(n), np.empty(n, np.int64), 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            i, j = low, middle
            for k in range(low, high):
                if j >= high:
                    left = True
                elif i >= middle:
                    left = False
                else:
                    a, b = values[order[i]], values[order[j]]
                    left = not (b < a or (a != a and b == b))
                if left:
                    room[k] = order[i]
                    i += 1
                else:
                    room[k] = order[j]
                    j += 1
        order, room, width = room, order, 2 * width
    return order


@_inline
def _before(a, b, descending):
    """Return whether `a` comes before `b`: NaN last, or first where the order descends."""
    if descending:
        return (a != a and b == b) or a > b
    return (b != b and a == a) or a < b


@_inline
def _insert(keys, order, first, last, descending):
    """Sort a short or nearly sorted run by moving each element down to its place."""
    for i in range(first + 1, last):
        mine, k = order[i], i
        if _before(keys[mine], keys[order[first]], descending):
            while k > first:
                order[k] = order[k - 1]
                k -= 1
        else:
            while _before(keys[mine], keys[order[k - 1]], descending):
                order[k] = order[k - 1]
                k -= 1
        order[k] = mine


@_inline
def _median_first(keys, order, to, a, b, c, descending):
    """Swap the median of three places to the front, as the pivot."""
    x, y, z = keys[order[a]], keys[order[b]], keys[order[c]]
    if _before(x, y, descending):
        pick = b if _before(y, z, descending) else c if _before(x, z, descending) else a
    else:
        pick = a if _before(x, z, descending) else c if _before(y, z, descending) else b
    order[to], order[pick] = order[pick], order[to]


@_inline
def _cut(keys, order, first, last, descending):
    """Part a run around its pivot, which is its first element; return where the upper part is."""
    pivot = keys[order[first]]
    low, high = first + 1, last
    while True:
        while _before(keys[order[low]], pivot, descending):
            low += 1
        high -= 1
        while _before(pivot, keys[order[high]], descending):
            high -= 1
        if low >= high:
            return low
        order[low], order[high] = order[high], order[low]
        low += 1


@_inline
def swapping_order(keys, descending):
    """Return an order that sorts keys, NaN as the largest; equal keys may change places."""
    n = keys.size
    order = np.arange(n)
    todo = np.empty((64, 2), np.int64)  # the larger half may wait: at most log2(n) of them do
    todo[0, 0], todo[0, 1], waiting = 0, n, 1
    while waiting:
        waiting -= 1
        first, last = todo[waiting, 0], todo[waiting, 1]
        while last - first > _FEW:
            _median_first(keys, order, first, first + 1, first + (last - first) // 2, last - 1,
                          descending)  # fmt: skip
            cut = _cut(keys, order, first, last, descending)
            if waiting == 64:  # parts as uneven as never met: insertion sorts them, slowly
                break
            todo[waiting, 0], todo[waiting, 1] = cut, last
            waiting += 1
            last = cut
    head = min(n, _FEW)
    _insert(keys, order, 0, head, descending)
    for i in range(head, n):
        mine, k = order[i], i
        while k > 0 and _before(keys[mine], keys[order[k - 1]], descending):
            order[k] = order[k - 1]
            k -= 1
        order[k] = mine
    return order


@_inline
def select_order(keys, k):
    """Return an order whose place `k` has the k-th smallest key: Hoare's FIND, median of three.

    C. A. R. Hoare, Communications of the ACM 4, 1961; the pivot is chosen as PyTorch's CPU kernel
    chooses it, so that of equal keys the same one is named.
    """
    order = np.arange(keys.size)
    low, high = 0, keys.size - 1
    while high > low + 1:
        middle, second = low + (high - low) // 2, low + 1
        order[middle], order[second] = order[second], order[middle]
        for a, b in ((second, high), (low, high), (second, low)):
            if _before(keys[order[b]], keys[order[a]], False):
                order[a], order[b] = order[b], order[a]
        pivot, i, j = keys[order[low]], second, high
        while True:
            i += 1
            while _before(keys[order[i]], pivot, False):
                i += 1
            j -= 1
            while _before(pivot, keys[order[j]], False):
                j -= 1
            if j < i:
                break
            order[i], order[j] = order[j], order[i]
        order[low], order[j] = order[j], order[low]
        low = i if j <= k else low
        high = j - 1 if j >= k else high
    if high == low + 1 and _before(keys[order[high]], keys[order[low]], False):
        order[low], order[high] = order[high], order[low]
    return order


__all__ = ["select_order", "stable_order", "swapping_order"]
