"""What to compute: a problem is the specification that every kernel and target must meet.

A shelf folder ``kernels/<name>/problem.py`` holds one `Problem` called ``problem``; the kernels
beside it, PyTorch, ONNX and every other target compute the same thing, and are checked against
the same float64 oracle. A check raises: one that only prints can never go red.

It refuses to run anything on a device and to measure time: those are the floors above.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.errors import InputError, WrongResultError

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Tolerance:
    """How far a result may be from the oracle: ``|got - want| <= atol + rtol * |want|``."""

    rtol: float
    atol: float


# Half the digits of each type for well-conditioned work of a few thousand additions. The unit
# round-offs are 2^-24 (float32), 2^-11 (float16) and 2^-8 (bfloat16), see N. Higham, "Accuracy and
# Stability of Numerical Algorithms", 2nd ed., section 2.1; integers and booleans are exact.
TOLERANCES: Mapping[str, Tolerance] = {
    "float64": Tolerance(1e-9, 1e-9),
    "float32": Tolerance(1e-4, 1e-5),
    "float16": Tolerance(1e-2, 1e-2),
    "bfloat16": Tolerance(4e-2, 4e-2),
}
_EXACT = Tolerance(0.0, 0.0)


@dataclass(frozen=True)
class Accuracy:
    """How close one result came to the oracle.

    Attributes
    ----------
    max_abs_error, max_rel_error : float
        Largest difference over all elements; relative to ``max(|want|, tiny)``.
    ok : bool
        Whether every element was within tolerance, with the right shape and dtype and no NaN
        where the oracle has none.
    reason : str
        Why not, with the first wrong element; empty when `ok`.
    """

    max_abs_error: float
    max_rel_error: float
    ok: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One computation, stated so that any target can be held to it.

    Parameters
    ----------
    name : str
        The folder on the shelf.
    summary : str
        One sentence: the mathematics.
    inputs : callable
        ``inputs(size, seed) -> tuple`` of NumPy arrays and scalars, never uniform. What is no size
        is refused with an `InputError` before it is called.
    reference : callable
        ``reference(*inputs) -> array or tuple of arrays`` in NumPy, computing in the dtype it is
        given: on float64 inputs it is the oracle, on the problem's own it is the `numpy` target.
    outputs : callable
        ``outputs(*inputs) -> tuple of arrays``: fresh outputs of the right shapes and dtypes, see
        `poisoned`.
    bytes_moved : callable
        ``bytes_moved(size) -> int``: least traffic with main memory, each input read once and each
        output written once.
    operations : callable
        ``operations(size) -> int``: arithmetic operations, a multiply-add counting as two.
    size : int
        The default size; `test_sizes` are the small and odd ones that tests use.
    size_means : str
        What the size counts, for axis labels: "elements", "rows and columns", ...
    tolerance : mapping, optional
        Dtype name to `Tolerance`, where the defaults of `TOLERANCES` do not fit (say why).
    torch_module : callable, optional
        ``torch_module() -> torch.nn.Module`` in eval mode whose ``forward`` takes the inputs, in
        order, as tensors (scalars as Python numbers). The ONNX targets export it.
    batch : int
        How many independent instances it holds, see `workbench.batch.batched`.
    """

    name: str
    summary: str
    inputs: Callable[[int, int], tuple[Any, ...]]
    reference: Callable[..., Any]
    outputs: Callable[..., Arrays]
    bytes_moved: Callable[[int], int]
    operations: Callable[[int], int]
    size: int
    size_means: str = "elements"
    test_sizes: tuple[int, ...] = (1, 31, 33, 1000)
    tolerance: Mapping[str, Tolerance] = field(default_factory=dict)
    torch_module: Callable[[], Any] | None = None
    batch: int = 1

    def __post_init__(self):
        make = self.inputs

        @functools.wraps(make)
        def inputs(size: int, seed: int) -> tuple[Any, ...]:
            return make(require_size(size), seed)

        object.__setattr__(self, "inputs", inputs)  # frozen: this is still its construction

    def oracle(self, inputs: tuple[Any, ...]) -> Arrays:
        """Return the expected outputs, computed in float64 (complex128 for complex inputs).

        Parameters
        ----------
        inputs : tuple
            As `inputs` made them; left unchanged.
        """
        return as_tuple(self.reference(*(_widen(value) for value in inputs)))

    def compare(self, got: Any, inputs: tuple[Any, ...], want: Arrays | None = None) -> Accuracy:
        """Compare outputs with the oracle, without raising.

        Parameters
        ----------
        got : array or tuple of arrays
            What a target produced.
        inputs : tuple
            What it was given.
        want : tuple of arrays, optional
            The oracle's answer, where the caller has it already.
        """
        want = self.oracle(inputs) if want is None else want
        likes = self.outputs(*inputs)
        got = as_tuple(got)
        if len(got) != len(want):
            return Accuracy(np.inf, np.inf, False, f"{len(got)} outputs, expected {len(want)}")
        worst = Accuracy(0.0, 0.0, True)
        for index, (one, expected, like) in enumerate(zip(got, want, likes, strict=True)):
            name = "the result" if len(want) == 1 else f"output {index}"
            found = _compare(
                name, np.asarray(one), np.asarray(expected), like.dtype, self.tolerance
            )
            worst = Accuracy(
                max(worst.max_abs_error, found.max_abs_error),
                max(worst.max_rel_error, found.max_rel_error),
                worst.ok and found.ok,
                worst.reason or found.reason,
            )
        return worst

    def check(self, got: Any, inputs: tuple[Any, ...]) -> Accuracy:
        """Compare outputs with the oracle and raise where they are wrong.

        Raises
        ------
        WrongResultError
            Naming the first wrong element, what was expected there and what was found.
        """
        accuracy = self.compare(got, inputs)
        if not accuracy.ok:
            raise WrongResultError(
                f"The answer to {self.name} is wrong.",
                accuracy.reason,
                "compare with the reference on a small odd size; look at the last block",
            )
        return accuracy

    def check_launch(
        self, launch: Callable[..., Any], sizes: Iterable[int] | None = None, seed: int = 1
    ) -> None:
        """Run ``launch(*inputs, *outputs)`` at several sizes and hold each answer to the oracle.

        Parameters
        ----------
        launch : callable
            Writes into the outputs, as a shelf file's ``launch`` does. They arrive poisoned.
        sizes : iterable of int, optional
            By default `test_sizes`: small, odd, and more than two blocks.
        seed : int
            For the inputs.

        Raises
        ------
        WrongResultError
            Naming the size and the first wrong element, or the input that was changed.
        """
        for size in self.test_sizes if sizes is None else sizes:
            inputs = self.inputs(size, seed)
            given, outputs = tuple(np.copy(value) for value in inputs), self.outputs(*inputs)
            launch(*(one if one.ndim else one[()] for one in given), *outputs)
            for place, (one, kept) in enumerate(zip(given, inputs, strict=True)):
                if not np.array_equal(one, kept):
                    raise WrongResultError(
                        f"An input of {self.name} was changed at size {size}.",
                        f"input {place} is not what it was",
                        "write to the outputs only",
                    )
            accuracy = self.compare(outputs, inputs)
            if not accuracy.ok:
                raise WrongResultError(
                    f"The answer to {self.name} is wrong at size {size}.",
                    accuracy.reason,
                    "sanitize the launch at this size; look at the last block",
                )


def poisoned(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """Return an output array filled with a value that nobody computes by accident.

    NaN for floats, the most negative number for integers, so that an element nobody wrote is seen.
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "fc":
        return np.full(shape, np.nan, dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.full(shape, info.min if dtype.kind == "i" else info.max, dtype)
    return np.zeros(shape, dtype)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return `value` as a tuple: tuples and lists as they are, anything else alone in one."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _widen(value: Any) -> Any:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "f":
        return value.astype(np.float64)
    if kind == "c":
        return value.astype(np.complex128)
    return value


def _compare(
    name: str, got: np.ndarray, want: np.ndarray, dtype: np.dtype, table: Mapping[str, Tolerance]
) -> Accuracy:
    if got.shape != want.shape:
        return Accuracy(np.inf, np.inf, False, f"{name} has shape {got.shape}, not {want.shape}")
    if got.dtype != dtype:
        return Accuracy(np.inf, np.inf, False, f"{name} has dtype {got.dtype}, not {dtype}")
    if not want.size:
        return Accuracy(0.0, 0.0, True)
    limit = table.get(dtype.name) or TOLERANCES.get(dtype.name, _EXACT)
    wide_kind = np.complex128 if dtype.kind == "c" else np.float64
    wide, target = got.astype(wide_kind), want.astype(wide_kind)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(wide - target)
        # Not of `wide`: float64 cannot tell large int64 apart, and sees no difference between them.
        same = (got == want) | (np.isnan(wide) & np.isnan(target))
        allowed = limit.atol + limit.rtol * np.abs(target)
        within = same | (np.isfinite(target) & (difference <= allowed) & (difference > 0))
        difference = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))
        relative = difference / np.maximum(np.abs(target), np.finfo(np.float32).tiny)
    relative = np.where(np.isnan(relative), np.inf, relative)
    worst, ratio = float(difference.max()), float(relative.max())
    if within.all():
        return Accuracy(worst, ratio, True)
    where = np.unravel_index(int(np.argmin(within)), within.shape)
    place = f"{name}[{', '.join(str(int(i)) for i in where)}]"
    count = int(within.size - within.sum())
    return Accuracy(
        worst,
        ratio,
        False,
        f"{place} is {got[where]}, expected {want[where]} (rtol {limit.rtol:g}, atol "
        f"{limit.atol:g}); {count} of {within.size} elements are wrong",
    )


def require_size(size: int, least: int = 1, what: str = "size") -> int:
    """Return `size`, or raise `InputError` where it is not a whole number of at least `least`."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < least:
        raise InputError(
            f"The {what} cannot be used.", repr(size), f"a whole number of at least {least}"
        )
    return int(size)
