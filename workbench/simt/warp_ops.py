"""What the warp operations compute, stated once for the interpretive tiers.

Each function takes the operands of the lanes that arrived, as ``{lane: operands}``, and returns
``{lane: result}``. Semantics: CUDA C++ Programming Guide, "Warp Vote", "Warp Match" and "Warp
Shuffle Functions"; `width` is always the warp's 32 lanes, as in Numba.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

WARP_SIZE = 32
FULL_MASK = 0xFFFFFFFF

Lanes = Mapping[int, tuple]


def _shuffle(source_lane: Callable[[int, int], int]) -> Callable[[Lanes], dict[int, Any]]:
    def run(lanes: Lanes) -> dict[int, Any]:
        result = {}
        for lane, (_mask, value, operand) in lanes.items():
            source = source_lane(lane, int(operand))
            inside = 0 <= source < WARP_SIZE and source in lanes
            result[lane] = lanes[source][1] if inside else value
        return result

    return run


def _vote(combine: Callable[[dict[int, Any]], Any]) -> Callable[[Lanes], dict[int, Any]]:
    def run(lanes: Lanes) -> dict[int, Any]:
        value = combine({lane: operands[1] for lane, operands in lanes.items()})
        return dict.fromkeys(lanes, value)

    return run


def _bits(values: Mapping[int, Any]) -> int:
    return sum(1 << lane for lane, value in values.items() if value)


def _match_any(lanes: Lanes) -> dict[int, Any]:
    return {
        lane: _bits({other: operands[1] == mine[1] for other, operands in lanes.items()})
        for lane, mine in lanes.items()
    }


def _match_all(lanes: Lanes) -> dict[int, Any]:
    values = [operands[1] for operands in lanes.values()]
    same = all(value == values[0] for value in values)
    mask = sum(1 << lane for lane in lanes) if same else 0
    return dict.fromkeys(lanes, (mask, same))


def _activemask(lanes: Lanes) -> dict[int, Any]:
    return dict.fromkeys(lanes, sum(1 << lane for lane in lanes))


WARP_OPERATIONS: Mapping[str, Callable[[Lanes], dict[int, Any]]] = {
    "syncwarp": lambda lanes: dict.fromkeys(lanes),
    "shfl_sync": _shuffle(lambda lane, source: source % WARP_SIZE),
    "shfl_up_sync": _shuffle(lambda lane, delta: lane - delta),
    "shfl_down_sync": _shuffle(lambda lane, delta: lane + delta),
    "shfl_xor_sync": _shuffle(lambda lane, mask: lane ^ mask),
    "all_sync": _vote(lambda values: all(values.values())),
    "any_sync": _vote(lambda values: any(values.values())),
    "eq_sync": _vote(lambda values: len({bool(value) for value in values.values()}) == 1),
    "ballot_sync": _vote(_bits),
    "match_any_sync": _match_any,
    "match_all_sync": _match_all,
    "activemask": _activemask,
}

BLOCK_OPERATIONS: Mapping[str, Callable[[list], Any]] = {
    "syncthreads": lambda predicates: None,
    "syncthreads_count": lambda predicates: sum(1 for value in predicates if value),
    "syncthreads_and": lambda predicates: int(all(predicates)),
    "syncthreads_or": lambda predicates: int(any(predicates)),
}


def mask_of(name: str, operands: tuple) -> int:
    """Return the lanes that must take part, from the first operand (all, where it has none)."""
    if name == "activemask" or not operands:
        return FULL_MASK
    return int(operands[0]) & FULL_MASK


def popc(value: Any) -> int:
    """Return the number of set bits, of 64-bit values too."""
    return (
        int(value).bit_count() if int(value) >= 0 else (int(value) & _width_mask(value)).bit_count()
    )


def clz(value: Any) -> int:
    """Return the number of leading zeros in the value's own width (32 or 64 bits)."""
    width = _width(value)
    return width - (int(value) & ((1 << width) - 1)).bit_length()


def ffs(value: Any) -> int:
    """Return the position of the lowest set bit counted from 1, or 0 where none is set."""
    number = int(value) & _width_mask(value)
    return (number & -number).bit_length()


def brev(value: Any) -> Any:
    """Return the bits in reverse order, in the value's own width."""
    width = _width(value)
    text = format(int(value) & ((1 << width) - 1), f"0{width}b")
    kind = np.uint32 if width == 32 else np.uint64
    return kind(int(text[::-1], 2))


def _width(value: Any) -> int:
    itemsize = getattr(getattr(value, "dtype", None), "itemsize", 8)
    return 64 if itemsize == 8 else 32


def _width_mask(value: Any) -> int:
    return (1 << _width(value)) - 1
