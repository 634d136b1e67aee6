"""Arrays as lanes see them: a base in memory, and what each thread's view of it fixes.

A shared array is one base with a leading axis over blocks, a local array one with a leading axis
over lanes, so a thread's own array is a `View` whose first axis is fixed. Rows and slices fix or
narrow more. Indices are checked as the compiled tier checks them; negative ones wrap, as on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from workbench.simt.lockstep.numbers import CannotLockstep, cast, is_number
from workbench.simt.stepping.thread import UPDATES, wrap

UNDO_BYTES = 32 << 20
"""Arrays larger than this are not kept for undoing: the copy would take longer than it saves."""


class Outside(Exception):
    """An index beyond an array: (lane, axis, index, extent)."""


class Open(NamedTuple):
    """An axis that a view leaves open: where it starts, its length and its step."""

    start: Any
    length: Any
    step: Any


class Undo:
    """The arrays as they were before the launch wrote to them.

    Parameters
    ----------
    most_bytes : int
        The largest array that is kept.
    """

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self.kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def before_write(self, base: np.ndarray) -> None:
        """Keep what an array holds, once."""
        if id(base) in self.kept:
            return
        if base.nbytes > self.most_bytes:
            raise CannotLockstep(f"it writes to an array of {base.nbytes >> 20} MB")
        self.kept[id(base)] = (base, base.copy())

    def restore(self) -> None:
        """Put everything back, the last first: arrays may overlap."""
        for base, copy in reversed(self.kept.values()):
            base[...] = copy
        self.kept.clear()


class View:
    """What one name of an array means in every lane.

    Parameters
    ----------
    base : numpy.ndarray
    axes : list
        For each axis of the base an index (scalar or vector), or an `Open`.
    undo : Undo or None
        Told before a write, for arrays that outlive the launch.
    """

    def __init__(self, base: np.ndarray, axes: list | None = None, undo: Undo | None = None):
        if base.dtype.kind not in "iufcb":
            raise CannotLockstep(f"an array of {base.dtype}")
        self.base, self.undo = base, undo
        self.axes = [Open(0, n, 1) for n in base.shape] if axes is None else axes
        self.open = [k for k, axis in enumerate(self.axes) if isinstance(axis, Open)]

    @property
    def shape(self) -> tuple:
        """The view's extents."""
        return tuple(np.int64(self.axes[k].length) for k in self.open)

    @property
    def dtype(self) -> np.dtype:
        """The element type."""
        return self.base.dtype

    def element(self, index: tuple, mask: np.ndarray) -> tuple:
        """Return the base's index of one element for every lane, all of them inside.

        Raises
        ------
        Outside
            Where a lane of the mask asks for an element that is not there.
        """
        if len(index) != len(self.open):
            raise CannotLockstep("an index that leaves axes open where a number is wanted")
        parts = self._inside([self.axes[k].length for k in self.open], index, mask)
        found = list(self.axes)
        for k, part in zip(self.open, parts, strict=True):
            start, _, step = self.axes[k]
            plain = type(start) is int and start == 0 and type(step) is int and step == 1
            found[k] = part if plain else start + step * part
        return tuple(found)

    def _inside(self, extents: list, index: tuple, mask: np.ndarray) -> list:
        parts, bad = [], []
        for part, extent in zip(index, extents, strict=True):
            if not is_number(part) or part.dtype.kind not in "iu":
                raise CannotLockstep("an index that is no whole number")
            part = part.astype(np.int64)
            if type(extent) is int and _surely_inside(part, extent):
                parts.append(part)
                bad.append(None)
                continue
            wrapped = np.where(part < 0, part + extent, part)
            good = (wrapped >= 0) & (wrapped < extent)
            parts.append(np.where(good, wrapped, 0)[()])
            bad.append(mask & ~good)
        self._complain(bad, index, extents)
        return parts

    def _complain(self, bad: list, index: tuple, extents: list) -> None:
        lanes = [int(one.argmax()) for one in bad if one is not None and one.any()]
        if not lanes:
            return
        lane = min(lanes)
        axis = max(k for k, one in enumerate(bad) if one is not None and one[lane])
        raise Outside(lane, axis, _of(index[axis], lane), _of(np.asarray(extents[axis]), lane))

    def part(self, index: tuple, mask: np.ndarray) -> View:
        """Return a row or a slice; every index given takes one axis."""
        axes = list(self.axes)
        if len(index) > len(self.open):
            raise CannotLockstep("more indices than axes")
        for k, part in zip(self.open, index, strict=False):
            axis = self.axes[k]
            if isinstance(part, slice):
                axes[k] = _sliced(axis, part)
            else:
                one = View(self.base, [axis if n == k else 0 for n in range(len(axes))])
                axes[k] = one.element((part,), mask)[k]
        return View(self.base, axes, self.undo)

    def load(self, place: tuple) -> Any:
        """Return the elements at a place that `element` gave."""
        return self.base[place]

    def store(self, place: tuple, value: Any, mask: np.ndarray, full: bool) -> None:
        """Write the active lanes' values, the last lane's where several meet."""
        self._writes()
        value = cast(value, self.base.dtype)
        if not any(np.ndim(part) for part in place):
            self.base[place] = value[np.flatnonzero(mask)[-1]] if value.ndim else value
        elif full:
            self.base[place] = value
        else:
            lanes = np.flatnonzero(mask)
            self.base[_at(place, lanes)] = value[lanes] if value.ndim else value

    def _writes(self) -> None:
        if not self.base.flags.writeable:
            raise CannotLockstep("a store to an array that is read-only")
        if self.undo is not None:
            self.undo.before_write(self.base)

    def atomic(
        self, name: str, place: tuple, values: tuple, mask: np.ndarray, wanted: bool
    ) -> np.ndarray | None:
        """Run an atomic lane by lane, and return what each found where that is wanted."""
        self._writes()
        if self.base.dtype.kind not in "iuf":
            raise CannotLockstep(f"an atomic on {self.base.dtype}")
        lanes = np.flatnonzero(mask)
        at = tuple(np.broadcast_to(part, mask.shape)[lanes] for part in place)
        operands = [
            np.broadcast_to(cast(value, self.base.dtype), mask.shape)[lanes] for value in values
        ]
        together = None if wanted else _TOGETHER.get(name)
        if together is not None and not (name in ("max", "min") and self._has_nan(operands[0])):
            together.at(self.base, at, operands[0])
            return None
        found = np.zeros(mask.shape, self.base.dtype)
        update = UPDATES[name]
        for k, lane in enumerate(lanes):
            spot = tuple(part[k] for part in at)
            old = self.base[spot]
            new = update(old, *(operand[k] for operand in operands))
            if new is not None:
                self.base[spot] = wrap(new, self.base.dtype)
            found[lane] = old
        return found

    def _has_nan(self, values: np.ndarray) -> bool:
        floats = self.base.dtype.kind == "f"
        return floats and bool(np.isnan(values).any() or np.isnan(self.base).any())


_TOGETHER: dict[str, Callable | Any] = {
    "add": np.add,
    "sub": np.subtract,
    "and_": np.bitwise_and,
    "or_": np.bitwise_or,
    "xor": np.bitwise_xor,
    "max": np.maximum,
    "min": np.minimum,
    "nanmax": np.fmax,
    "nanmin": np.fmin,
}
"""Atomics whose old value nobody wants: the ufunc whose ``at`` does them in lane order."""


def _surely_inside(index: Any, extent: int) -> bool:
    if not index.ndim:
        return 0 <= index < extent
    return bool(index.min() >= 0 and index.max() < extent)


def _of(value: Any, lane: int) -> int:
    return int(value[lane]) if value.ndim else int(value)


def _at(place: tuple, lanes: np.ndarray) -> tuple:
    return tuple(part[lanes] if np.ndim(part) else part for part in place)


def _sliced(axis: Open, given: slice) -> Open:
    """Narrow an axis as Python's slices do; the step must be a positive constant."""
    step = 1 if given.step is None else int(given.step)
    if step < 1:
        raise CannotLockstep("a slice that goes backwards")
    low = _clipped(given.start, axis.length, 0)
    high = _clipped(given.stop, axis.length, axis.length)
    length = np.maximum((high - low + step - 1) // step, 0)
    start, grown = axis.start + axis.step * low, axis.step * step
    if not np.ndim(length) and not np.ndim(start):
        return Open(int(start), int(length), int(grown))
    return Open(start, length, grown)


def _clipped(end: Any, length: Any, default: Any) -> Any:
    if end is None:
        return default
    end = end.astype(np.int64)
    return np.clip(np.where(end < 0, end + length, end), 0, length)
