"""Intervals with symbolic ends, and arithmetic on them: what is known of where an index lies."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import ast
from dataclasses import dataclass

Candidate = tuple[str, int]


MOST = 4


@dataclass(frozen=True)
class Interval:
    """Where an integer lies: at least every candidate of `low`, at most every one of `high`."""

    low: tuple[Candidate, ...]
    high: tuple[Candidate, ...]

    @property
    def constant(self) -> int | None:
        """The value, where it is one known number."""
        low, high = number(self.low), number(self.high)
        return low if low is not None and low == high else None

    @property
    def nonnegative(self) -> bool:
        """Whether it is known not to be negative."""
        return any(not text and offset >= 0 for text, offset in self.low)


def exactly(value: int) -> Interval:
    """Return the interval of one number."""
    return Interval((("", value),), (("", value),))


def number(ends: tuple[Candidate, ...]) -> int | None:
    """Return a plain number among the candidates, if there is one."""
    return next((offset for text, offset in ends if not text), None)


def text_of(candidate: Candidate) -> str:
    """Return a candidate as source text."""
    text, offset = candidate
    if not text:
        return str(offset)
    return f"{text} + {offset}" if offset > 0 else f"{text} - {-offset}" if offset else text


def pairs(a: tuple[Candidate, ...], b: tuple[Candidate, ...], sign: str = "+"):
    """Return the sums (or differences) of every two candidates."""
    found = []
    for text_a, offset_a in a:
        for text_b, offset_b in b:
            offset = offset_a + offset_b if sign == "+" else offset_a - offset_b
            if sign == "-" and text_a and text_a == text_b:
                found.append(("", offset))
            elif text_a and text_b:
                found.append((f"({text_a} {sign} ({text_b}))", offset))
            elif text_b:
                found.append((text_b if sign == "+" else f"(-({text_b}))", offset))
            else:
                found.append((text_a, offset))
    return tuple(sorted(set(found), key=lambda c: len(c[0]))[:MOST])


def _times(ends: tuple[Candidate, ...], factor: int) -> tuple[Candidate, ...]:
    return tuple((f"({text} * {factor})" if text else "", off * factor) for text, off in ends)


def least(a: tuple[Candidate, ...], b: tuple[Candidate, ...], pick) -> tuple[Candidate, ...]:
    """Return the smaller (or larger) of two constant ends, where both have one."""
    one, two = number(a), number(b)
    return () if one is None or two is None else (("", pick(one, two)),)


def _add(a: Interval | None, b: Interval | None) -> Interval | None:
    if a is None or b is None:
        return None
    return Interval(pairs(a.low, b.low), pairs(a.high, b.high))


def _sub(a: Interval | None, b: Interval | None) -> Interval | None:
    if a is None or b is None:
        return None
    return Interval(pairs(a.low, b.high, "-"), pairs(a.high, b.low, "-"))


def _mul(a: Interval | None, b: Interval | None) -> Interval | None:
    if a is None or b is None:
        return None
    if a.constant is not None:
        a, b = b, a
    factor = b.constant
    if factor is not None:
        low, high = _times(a.low, factor), _times(a.high, factor)
        return Interval(low, high) if factor >= 0 else Interval(high, low)
    if not (a.nonnegative and b.nonnegative):
        return None
    high = [
        ("", off_a * off_b)
        if not text_a and not text_b
        else (f"(({text_of((text_a, off_a))}) * ({text_of((text_b, off_b))}))", 0)
        for text_a, off_a in a.high
        for text_b, off_b in b.high
    ]
    return Interval((("", 0),), tuple(high[:MOST]))


def _floor_div(a: Interval | None, b: Interval | None) -> Interval | None:
    if a is None or b is None or not b.constant or b.constant < 0:
        return None
    by = b.constant
    ends = [
        tuple((f"(({text_of(c)}) // {by})", 0) if c[0] else ("", c[1] // by) for c in side)
        for side in (a.low, a.high)
    ]
    low = (*ends[0], ("", 0)) if a.nonnegative and ("", 0) not in ends[0] else ends[0]
    return Interval(low, ends[1])


def _mod(a: Interval | None, b: Interval | None) -> Interval | None:
    if b is None:
        return None
    if b.constant is not None and b.constant > 0:
        return Interval((("", 0),), (("", b.constant - 1),))
    return None


def _bit_and(a: Interval | None, b: Interval | None) -> Interval | None:
    for one in (a, b):
        if one is not None and one.constant is not None and one.constant >= 0:
            return Interval((("", 0),), (("", one.constant),))
    return None


def _shift_right(a: Interval | None, b: Interval | None) -> Interval | None:
    if b is None or b.constant is None or not 0 <= b.constant < 63:
        return None
    return _floor_div(a, exactly(1 << b.constant))


def _shift_left(a: Interval | None, b: Interval | None) -> Interval | None:
    if b is None or b.constant is None or not 0 <= b.constant < 31:
        return None
    return _mul(a, exactly(1 << b.constant))


OPERATIONS = {
    ast.Add: _add,
    ast.Sub: _sub,
    ast.Mult: _mul,
    ast.FloorDiv: _floor_div,
    ast.Mod: _mod,
    ast.BitAnd: _bit_and,
    ast.RShift: _shift_right,
    ast.LShift: _shift_left,
}


def inside(interval: Interval, extent: int | None, extent_text: str) -> str | None:
    """Return "" where an index is surely inside an axis, a test that decides it, or None.

    Parameters
    ----------
    interval : Interval
    extent : int or None
        The axis's length where it is known.
    extent_text : str
        The axis's length as source text.
    """
    tests = []
    if not interval.nonnegative:
        low = [c for c in interval.low if c[0]]
        if not low:
            return None
        tests.append(f"{text_of(low[0])} >= 0")
    known = [off for text, off in interval.high if not text]
    below = (extent is not None and any(off < extent for off in known)) or any(
        text == extent_text and off <= -1 for text, off in interval.high
    )
    if not below:
        ends = [text_of(c) for c in interval.high if c[0] or extent is None]
        if known and extent is not None:
            ends.append(str(min(known)))
        if not ends or (extent is not None and not any(c[0] for c in interval.high)):
            return None
        end = ends[0] if len(ends) == 1 else f"min({', '.join(ends)})"
        tests.append(f"{end} < {extent_text}")
    return " and ".join(tests)
