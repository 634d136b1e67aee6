"""A kernel's arguments: arrays become global tensors, everything else is handed through.

The same array given twice is one piece of global memory, as it would be on the chip; arrays that
overlap in part are refused, because nobody could say what a core sees of the other.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.aicore.instructions import ArrayInfo
from workbench.aicore.regions import as_dtype
from workbench.aicore.tensors import GlobalTensor
from workbench.errors import InputError

_OVERLAP_WORK = 10_000


@dataclass(frozen=True)
class Workspace:
    """Scratch in global memory: shape and dtype, no contents at the start."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class Shape:
    """An argument of which only shape and dtype are known, for `predict`."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class Arguments:
    """What a launch was given.

    Attributes
    ----------
    values : tuple
        What the kernel receives: global tensors in the place of arrays.
    infos : tuple of ArrayInfo
    owners : tuple
        The caller's object behind each global array.
    contents : tuple of array or None
        Copies of what they held, in this machine's byte order.
    """

    values: tuple[Any, ...]
    infos: tuple[ArrayInfo, ...]
    owners: tuple[Any, ...]
    contents: tuple[np.ndarray | None, ...]


def workspace(shape: Any, dtype: Any) -> Workspace:
    """Return scratch in global memory for a launch; it begins as poison."""
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return Workspace(dims, as_dtype(dtype))


def arguments(function: Callable[..., None], args: Sequence[Any]) -> Arguments:
    """Return a launch's arguments, ready for recording.

    Raises
    ------
    InputError
        Where their number does not fit the kernel, an array is of another library, or arrays
        overlap in part.
    """
    names = _names(function, args)
    values, infos, owners, contents = [], [], [], []
    for name, value in zip(names, args, strict=True):
        if not isinstance(value, (np.ndarray, Workspace, Shape)):
            if hasattr(value, "__array__") and not isinstance(value, np.generic):
                raise InputError(
                    "A kernel takes NumPy arrays.",
                    f"{name} is a {type(value).__module__}.{type(value).__name__}",
                    f"{name}.numpy() or numpy.asarray({name})",
                )
            if isinstance(value, list) and value and _numbers(value):
                raise InputError(
                    "A kernel takes NumPy arrays, and plain values as they are.",
                    f"{name} is a list of {len(value)}: {reprlib.repr(value)}",
                    f"numpy.asarray({name}) for data, tuple({name}) for constants",
                )
            values.append(value)
            continue
        place = _place(name, value, owners, infos)
        if place == len(owners):
            dtype, shape = as_dtype(value.dtype), tuple(int(n) for n in value.shape)
            owners.append(value)
            infos.append(ArrayInfo(name, shape, dtype, isinstance(value, Workspace)))
            array = isinstance(value, np.ndarray)
            contents.append(np.array(value, dtype=dtype, order="C") if array else None)
        info = infos[place]
        values.append(GlobalTensor(place, info.name, info.dtype, info.shape, info=info))
    return Arguments(tuple(values), tuple(infos), tuple(owners), tuple(contents))


def _names(function: Callable[..., None], args: Sequence[Any]) -> list[str]:
    try:
        bound = inspect.signature(function).bind(*args)
    except TypeError as error:
        raise InputError(
            f"The arguments do not fit the kernel {function.__name__}.",
            f"{error}; {len(args)} were given",
            f"launch it as {function.__name__}[blocks]{inspect.signature(function)}",
        ) from error
    names: list[str] = []
    for name, value in bound.arguments.items():
        several = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{i}]" for i in range(len(value))] if several else [name]
    return names


def _numbers(value: Any) -> bool:
    """Return whether this is data in lists: numbers all the way down."""
    if isinstance(value, list):
        return all(_numbers(one) for one in value)
    return isinstance(value, (int, float, np.number))


def _place(name: str, value: Any, owners: list[Any], infos: list[ArrayInfo]) -> int:
    """Return the array that this is already, or the number of a new one."""
    if not isinstance(value, np.ndarray):
        return len(owners)
    for place, other in enumerate(owners):
        if other is value:
            return place
        if isinstance(other, np.ndarray) and _overlap(value, other):
            raise InputError(
                "Two arguments overlap in memory without being the same array.",
                f"{infos[place].name} and {name}",
                "pass the same array twice, or a copy",
            )
    return len(owners)


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    try:
        return np.shares_memory(one, other, max_work=_OVERLAP_WORK)  # pyright: ignore[reportArgumentType]
    except np.exceptions.TooHardError:
        return True
