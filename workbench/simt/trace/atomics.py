"""What each atomic makes of the old value and its operands (CUDA guide, atomic functions)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _not_a_number(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def _extreme(pick: Any, keep_nan: bool) -> Any:
    def update(old: Any, value: Any) -> Any:
        if _not_a_number(old):
            return old if keep_nan else value
        return old if _not_a_number(value) else pick(old, value)

    return update


ATOMICS = {
    "add": lambda old, value: old + value,
    "sub": lambda old, value: old - value,
    "and_": lambda old, value: old & value,
    "or_": lambda old, value: old | value,
    "xor": lambda old, value: old ^ value,
    "inc": lambda old, limit: 0 if old >= limit else old + 1,
    "dec": lambda old, limit: limit if old == 0 or old > limit else old - 1,
    "exch": lambda old, value: value,
    "max": _extreme(max, True),
    "min": _extreme(min, True),
    "nanmax": _extreme(max, False),
    "nanmin": _extreme(min, False),
    "cas": lambda old, expected, value: value if old == expected else old,
}
