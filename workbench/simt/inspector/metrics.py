"""The mathematics of memory requests: sectors, bank conflicts, active lanes, contention.

A *request* is one memory instruction of one warp. Here it is a row of addresses, one column for
each lane, with a mask of the lanes that take part. The definitions are those of Nvidia's "Nsight
Compute" documentation (Kernel Profiling Guide, memory tables) and of the CUDA C++ Best Practices
Guide. Everything is a pure function of NumPy arrays, so that each number can be derived by hand.

It refuses to model caches: a sector counted here is asked of the L1 cache, wherever it is found.
"""

from __future__ import annotations

import numpy as np

SECTOR_BYTES = 32
BANKS = 32
BANK_BYTES = 4
LANES = 32


def _distinct(values: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return how many different values the active lanes of each row hold."""
    if not values.size:
        return np.zeros(len(values), np.int64)
    ordered = np.sort(np.where(active, values, np.iinfo(np.int64).max), axis=1)
    new = np.ones_like(active)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return (new & (ordered != np.iinfo(np.int64).max)).sum(axis=1)


def sectors(addresses: np.ndarray, active: np.ndarray, itemsize: int) -> np.ndarray:
    """Return the number of 32-byte sectors that each request touches.

    Parameters
    ----------
    addresses : (requests, lanes) int64
        First byte of each lane's element, counted from an allocation that begins on a sector.
    active : (requests, lanes) bool
    itemsize : int
        Bytes of an element.

    Returns
    -------
    (requests,) int64
        0 where no lane is active.
    """
    first = addresses // SECTOR_BYTES
    span = (itemsize + SECTOR_BYTES - 2) // SECTOR_BYTES + 1  # most sectors that one element meets
    last = (addresses + itemsize - 1) // SECTOR_BYTES
    pieces = [first + k for k in range(span)]
    masks = [active & (piece <= last) for piece in pieces]
    return _distinct(np.concatenate(pieces, axis=1), np.concatenate(masks, axis=1))


def bank_ways(addresses: np.ndarray, active: np.ndarray, itemsize: int) -> np.ndarray:
    """Return how many turns the banks of shared memory need for each request: 1 is no conflict.

    A bank serves one 4-byte word a turn, to any number of lanes that want the same word
    (broadcast). Elements of 8 bytes are served half a warp at a time, of 16 bytes a quarter, each
    part on its own (CUDA C++ Programming Guide, shared memory of compute capability 5.x and later);
    the worst part counts.

    Parameters
    ----------
    addresses : (requests, 32) int64
        First byte of each lane's element within shared memory.
    active : (requests, 32) bool
    itemsize : int

    Returns
    -------
    (requests,) int64
        0 where no lane is active.
    """
    parts = max(1, min(4, itemsize // BANK_BYTES))
    words = max(1, itemsize // BANK_BYTES)
    worst = np.zeros(len(addresses), np.int64)
    for lanes in np.array_split(np.arange(LANES), parts):
        first = addresses[:, lanes] // BANK_BYTES
        wanted = np.concatenate([first + k for k in range(words)], axis=1)
        mask = np.concatenate([active[:, lanes]] * words, axis=1)
        for bank in range(BANKS):
            mine = mask & (wanted % BANKS == bank)
            if mine.any():
                worst = np.maximum(worst, _distinct(wanted, mine))
    return worst


def contention(addresses: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Return for each atomic request how many of its lanes meet at the most wanted element.

    They are served one after the other: 32 is the worst, 1 no contention, 0 nobody active.
    """
    worst = active.any(axis=1).astype(np.int64)
    for lane in range(addresses.shape[1]):
        same = active & (addresses == addresses[:, lane : lane + 1])
        worst = np.maximum(worst, np.where(active[:, lane], same.sum(axis=1), 0))
    return np.asarray(worst)
