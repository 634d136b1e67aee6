"""The lanes of a lockstep launch: every thread of a run of blocks, block after block.

Here is what depends on where a thread stands: its indices, which threads share a block or a warp,
and what those groups compute together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.simt.dim3 import Dim3
from workbench.simt.warp_ops import FULL_MASK, WARP_SIZE

_BITS = np.left_shift(np.uint64(1), np.arange(WARP_SIZE, dtype=np.uint64))


class Lanes:
    """Threads of the blocks `first` to `first + blocks`.

    Parameters
    ----------
    grid, block : Dim3
    first, blocks : int

    Attributes
    ----------
    count : int
        How many lanes there are.
    full : numpy.ndarray
        The mask of all lanes; masks that hold all lanes are this very object.
    """

    def __init__(self, grid: Dim3, block: Dim3, first: int, blocks: int):
        self.grid, self.block, self.first, self.blocks = grid, block, first, blocks
        self.threads = block.count
        self.count = blocks * self.threads
        self.full = np.ones(self.count, bool)
        self.known: dict[str, Any] = {}
        self.lane_numbers = np.arange(self.count)
        self.block_numbers = np.repeat(np.arange(blocks), self.threads)
        self.in_block = np.tile(np.arange(self.threads), blocks)

    def index(self, name: str) -> Any:
        """Return ``threadIdx.x`` and its kin: a scalar where all lanes hold the same."""
        if name not in self.known:
            self.known[name] = self._index(name)
        return self.known[name]

    def _index(self, name: str) -> Any:
        if name == "warpsize":
            return np.int64(WARP_SIZE)
        if name == "laneid":
            return self.in_block % WARP_SIZE
        what, _, axis = name.partition(".")
        at = "xyz".index(axis)
        if what in ("blockDim", "gridDim"):
            return np.int64((self.block if what == "blockDim" else self.grid)[at])
        if what == "threadIdx":
            return _axis(self.in_block, self.block, at)
        return _axis(self.first + self.block_numbers, self.grid, at)

    def grid_index(self, axes: int) -> Any:
        """Return ``cuda.grid(axes)``."""
        found = tuple(
            self.index(f"blockIdx.{a}") * self.index(f"blockDim.{a}") + self.index(f"threadIdx.{a}")
            for a in "xyz"[:axes]
        )
        return found[0] if axes == 1 else found

    def grid_size(self, axes: int) -> Any:
        """Return ``cuda.gridsize(axes)``."""
        found = tuple(np.int64(self.grid[k] * self.block[k]) for k in range(axes))
        return found[0] if axes == 1 else found

    def who(self, lane: int) -> tuple[tuple, tuple]:
        """Return a lane's thread index and block index."""
        return (
            place(int(self.in_block[lane]), self.block),
            place(self.first + int(self.block_numbers[lane]), self.grid),
        )

    def spread(self, value: Any) -> np.ndarray:
        """Return a value as a vector."""
        return value if value.ndim else np.full(self.count, value)

    # -- blocks

    def missing(self, mask: np.ndarray, live: np.ndarray) -> tuple[int, int] | None:
        """Return a lane that arrived and a live one of its block that did not, if there are."""
        if mask is live or mask is self.full:
            return None
        absent = live & ~mask
        both = self._by_block(mask).any(1) & self._by_block(absent).any(1)
        if not both.any():
            return None
        inside = self.block_numbers == both.argmax()
        return int((mask & inside).argmax()), int((absent & inside).argmax())

    def _by_block(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(self.blocks, self.threads)

    def block_votes(self, name: str, values: Any, mask: np.ndarray) -> np.ndarray:
        """Return what a barrier with a predicate gives every lane."""
        holds, here = self._by_block(self.spread(values) & mask), self._by_block(mask)
        counts = holds.sum(1)
        found = {
            "syncthreads_count": counts,
            "syncthreads_and": counts == here.sum(1),
            "syncthreads_or": counts > 0,
        }[name]
        return np.repeat(found.astype(np.int64), self.threads)

    # -- warps

    def _by_warp(self, values: np.ndarray) -> np.ndarray:
        """Return values as (warps, 32); lanes that no thread has are zero."""
        warps = -(-self.threads // WARP_SIZE)
        padded = np.zeros((self.blocks, warps * WARP_SIZE), values.dtype)
        padded[:, : self.threads] = self._by_block(values)
        return padded.reshape(-1, WARP_SIZE)

    def _from_warp(self, table: np.ndarray) -> np.ndarray:
        return table.reshape(self.blocks, -1)[:, : self.threads].ravel()

    def bits(self, holds: np.ndarray) -> np.ndarray:
        """Return for every lane which lanes of its warp hold a true value."""
        words = (self._by_warp(holds) * _BITS).sum(1).astype(np.uint32)
        return self._from_warp(np.repeat(words, WARP_SIZE))

    def shuffled(self, values: Any, mask: np.ndarray, source: Any) -> np.ndarray:
        """Return the value of lane `source` of the warp, or the lane's own where that is off."""
        values, source = self.spread(values), source.astype(np.int64)
        move = source - self.index("laneid")
        inside = (source >= 0) & (source < WARP_SIZE) & (self.in_block + move < self.threads)
        other = np.where(inside, self.lane_numbers + move, self.lane_numbers)
        return np.where(inside & mask[other], values[other], values)

    def matching(self, values: Any, mask: np.ndarray) -> np.ndarray:
        """Return for every lane which active lanes of its warp hold the same value."""
        table, active = self._by_warp(self.spread(values)), self._by_warp(mask)
        same = (table[:, :, None] == table[:, None, :]) & active[:, None, :]
        return self._from_warp((same * _BITS).sum(2).astype(np.uint32))

    def vote(self, name: str, values: Any, mask: np.ndarray, among: Any) -> Any:
        """Return what a warp vote or match gives every lane, of the lanes `among` which it is."""
        active = self.bits(mask)
        if name == "activemask":
            return active
        own = (np.asarray(among).astype(np.int64) & FULL_MASK).astype(np.uint32)
        active = active & own
        if name == "match_any_sync":
            return self.matching(values, mask) & own
        if name == "match_all_sync":
            all_same = (self.matching(values, mask) & own) == active
            return np.where(all_same, active, np.uint32(0)), all_same
        holds = self.bits(self.spread(values) & mask) & own
        if name == "ballot_sync":
            return holds
        if name == "any_sync":
            return holds != 0
        return (holds == active) | ((holds == 0) & (name == "eq_sync"))


def place(linear: int, extents: Dim3) -> tuple[int, int, int]:
    """Return the three indices of a number that counts x fastest."""
    return (
        linear % extents.x,
        linear // extents.x % extents.y,
        linear // (extents.x * extents.y),
    )


def _axis(linear: np.ndarray, extents: Dim3, at: int) -> Any:
    if extents[at] == 1:
        return np.int64(0)
    below = int(np.prod(extents[:at], dtype=np.int64))
    found = linear // below % extents[at]
    return found if found.size and found.min() != found.max() else np.int64(found[0])
