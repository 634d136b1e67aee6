"""All that a thread loop does at one access, as a few numbers at run time.

An *area* is the elements ``first + x * sx + y * sy + k * sk + l * sl`` for x, y of a box of threads
and k, l of the turns of two loops: a `footprint.Touch` with its texts evaluated. `area_text` writes
the call of `area`; the other functions are what generated code may ask of one.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its functions the signature of their Python function.
from __future__ import annotations

import numpy as np
from numba import njit

from workbench.simt.codegen.footprint import MOST_LOOPS, Touch

_OPTIONS = {"error_model": "numpy"}
_INLINED = {"error_model": "numpy", "forceinline": True}


def area_text(touch: Touch, block: tuple[int, ...]) -> str:
    """Return the call of `bulk.area` for a touch."""
    x0, x1 = touch.box["_tx"]
    y0, y1 = touch.box["_ty"]
    element = touch.element
    parts = [element.step("").text(), x0, x1, element.step("_tx").text()]
    parts += [y0, y1, element.step("_ty").text(), str(block[0])]
    base: list[str] = []
    for axis in touch.loops:
        low, high = touch.box[axis]
        step = element.step(axis).text()
        parts += [f"max({high} - {low}, 0)" if low != "0" else high, step]
        base += [f"{low} * {step}"] if low != "0" else []
    parts += ["1", "0"] * (MOST_LOOPS - len(touch.loops))
    parts[0] = " + ".join([parts[0], *base])
    return f"area({', '.join(whole(part) for part in parts)})"


def whole(part: str) -> str:
    """Return a number as an int64: as a literal it would have every helper compiled anew."""
    return f"np.int64({part})"


@njit(**_INLINED)
def turns(distance, step):
    """Return the turns of a loop over a distance: the quotient, rounded up, at least 0."""
    return (distance + step - 1) // step if step > 0 and distance > 0 else 0


@njit(**_INLINED)
def past(distance, step):
    """Return the least position from 0 on that lies beyond a distance."""
    return distance // step + 1 if step > 0 and distance >= 0 else 0


@njit(**_INLINED)
def area(base, x0, x1, sx, y0, y1, sy, row, nk, sk, nl, sl):
    """Return an area: counts and steps of its axes, where its box begins, the length of a row."""
    x0, y0, sx, sy = np.int64(x0), np.int64(y0), np.int64(sx), np.int64(sy)
    first = np.int64(base) + x0 * sx + y0 * sy
    nx, ny = max(np.int64(x1) - x0, 0), max(np.int64(y1) - y0, 0)
    return (first, nx, sx, ny, sy, np.int64(nk), np.int64(sk), np.int64(nl), np.int64(sl),
            x0, y0, np.int64(row))  # fmt: skip


@njit(**_INLINED)
def is_empty(one):
    """Return whether nobody takes part."""
    return one[1] <= 0 or one[3] <= 0 or one[5] <= 0 or one[7] <= 0


@njit(**_INLINED)
def ends_of(one):
    """Return the least and the greatest element of an area that is not empty."""
    first, nx, sx, ny, sy, nk, sk, nl, sl, _x0, _y0, _row = one
    low = high = first
    for count, step in ((nx, sx), (ny, sy), (nk, sk), (nl, sl)):
        low += min((count - 1) * step, 0)
        high += max((count - 1) * step, 0)
    return low, high


@njit(**_OPTIONS)
def fits(one, size):
    """Return whether an area lies inside an array of one dimension."""
    low, high = ends_of(one)
    return is_empty(one) or (low >= 0 and high < size)


__all__ = ["area", "ends_of", "fits", "is_empty", "past", "turns"]
