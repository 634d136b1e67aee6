"""A kernel's arguments: arrays become global tensors, everything else is handed through.

The same array given twice is one piece of global memory, as it would be on the chip; arrays that
overlap in part are refused, because nobody could say what a core sees of the other.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.regions import as_dtype
from workbench.aicore.operations.tensors import GlobalTensor
from workbench.aicore.recording.instructions import ArrayInfo
from workbench.errors import InputError

_OVERLAP_WORK = 10_000
# for a kind of NumPy data types, what an AI Core has instead
_NEAREST = {"f": "float32", "i": "int32", "u": "uint32", "b": "uint8"}


@dataclass(frozen=True)
class Workspace:
    """Scratch in global memory: shape and dtype, no contents at the start."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class Shape:
    """An argument of which only shape and dtype are known, for `predict` and `to_ascend_c`."""

    shape: tuple[int, ...]
    dtype: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _dims(self.shape))


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
    return Workspace(_dims(shape), as_dtype(dtype))


def _dims(shape: Any) -> tuple[int, ...]:
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not all(whole(n) and n >= 0 for n in dims):
        raise InputError(
            "This is not the shape of an array.",
            reprlib.repr(shape),
            "a tuple of whole numbers, none below zero",
        )
    return tuple(int(n) for n in dims)


def whole(value: Any) -> bool:
    """Return whether this is a whole number, True and False not being numbers."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def sampled(sample: Any, blocks: int) -> list[int] | None:
    """Return the cores that a sample names, in order; None for all of them.

    Raises
    ------
    InputError
        For an empty sample, cores that were not launched, and what names no cores.
    """
    if sample is None:
        return None
    cores = list(sample) if isinstance(sample, Iterable) and not isinstance(sample, str) else []
    if not cores or not all(whole(core) for core in cores):
        raise InputError(
            "A sample names one or more cores by their numbers.",
            reprlib.repr(sample),
            "sample=(0, -1) for the first and the last, or leave it out for all",
        )
    if not all(-blocks <= core < blocks for core in cores):
        raise InputError("The sample names a core that was not launched.", reprlib.repr(sample))
    return sorted({int(core) % blocks for core in cores})


def bind(
    function: Callable[..., None], args: Any, named: Mapping[str, Any] | None = None
) -> tuple[list[str], tuple[Any, ...]]:
    """Return names and values of a kernel's parameters, defaults included.

    Raises
    ------
    InputError
        Where they do not fit the kernel's signature, or `args` is no tuple or list.
    """
    signature = inspect.signature(function)
    advice = f"launch it as {function.__name__}[blocks]{signature}"
    if not isinstance(args, (tuple, list)):
        raise InputError("The arguments of a kernel come as a tuple.", reprlib.repr(args), advice)
    try:
        bound = signature.bind(*args, **(named or {}))
    except TypeError as error:
        raise InputError(
            f"The arguments do not fit the kernel {function.__name__}.",
            f"{error}; {len(args) + len(named or {})} were given",
            advice,
        ) from error
    if bound.kwargs:
        raise InputError(
            "A kernel cannot be given what its signature takes by keyword only.",
            ", ".join(bound.kwargs),
            "remove the * from the signature",
        )
    bound.apply_defaults()
    names: list[str] = []
    kinds = inspect.Parameter
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is kinds.VAR_POSITIONAL:
            names += [f"{name}[{i}]" for i in range(len(value))]
        elif kind not in (kinds.KEYWORD_ONLY, kinds.VAR_KEYWORD):
            names.append(name)
    return names, bound.args


def arguments(
    function: Callable[..., None], args: Sequence[Any], shapes: bool = False
) -> Arguments:
    """Return a launch's arguments, ready for recording.

    Parameters
    ----------
    shapes : bool
        Whether a `Shape` may stand for an array: where nothing is computed.

    Raises
    ------
    InputError
        Where their number does not fit the kernel, an array is of another library, or arrays
        overlap in part.
    AICoreError
        Of kind ``dtype``, for an array whose data type an AI Core lacks.
    """
    names, args = bind(function, args)
    values, infos, owners, contents = [], [], [], []
    for name, value in zip(names, args, strict=True):
        _check_kind(name, value, shapes)
        if not isinstance(value, (np.ndarray, Workspace, Shape)):
            values.append(value)
            continue
        place = _place(name, value, owners, infos)
        if place == len(owners):
            dtype, shape = dtype_of(name, value.dtype), tuple(int(n) for n in value.shape)
            owners.append(value)
            infos.append(ArrayInfo(name, shape, dtype, isinstance(value, Workspace)))
            array = isinstance(value, np.ndarray)
            contents.append(np.array(value, dtype=dtype, order="C") if array else None)
        info = infos[place]
        values.append(GlobalTensor(place, info.name, info.dtype, info.shape, info=info))
    return Arguments(tuple(values), tuple(infos), tuple(owners), tuple(contents))


def _check_kind(name: str, value: Any, shapes: bool) -> None:
    """Refuse what is neither an array of ours nor a plain value, naming what to pass."""
    if isinstance(value, Shape):
        if not shapes:
            raise InputError(
                "A Shape has no values to compute with.",
                f"{name} is {value!r}",
                "a NumPy array here; predict and to_ascend_c take a Shape",
            )
    elif isinstance(value, (np.ndarray, np.generic, Workspace)):
        return
    elif hasattr(value, "__array__"):
        raise InputError(
            "A kernel takes NumPy arrays.",
            f"{name} is a {type(value).__module__}.{type(value).__name__}",
            f"{name}.numpy() or numpy.asarray({name})",
        )
    elif isinstance(value, list) and value and _numbers(value):
        raise InputError(
            "A kernel takes NumPy arrays, and plain values as they are.",
            f"{name} is a list of {len(value)}: {reprlib.repr(value)}",
            f"numpy.asarray({name}) for data, tuple({name}) for constants",
        )


def dtype_of(name: str, dtype: Any) -> np.dtype:
    """Return an argument's data type, or refuse it naming the argument and the nearest."""
    try:
        return as_dtype(dtype)
    except AICoreError as error:
        nearest = _NEAREST.get(np.dtype(dtype).kind)
        advice = f"{name}.astype(numpy.{nearest})" if nearest else error.advice
        raise AICoreError("dtype", error.happened, f"{name} is {error.saw}", advice) from error


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
