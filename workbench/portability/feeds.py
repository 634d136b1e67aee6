"""Inputs for a model that nobody gave inputs for, and the shapes of those that were given.

It refuses to make up what is not a tensor of a NumPy type, and what would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import ExecutionError, InputError

if TYPE_CHECKING:
    import onnx


def shapes_of(feeds: Mapping[str, np.ndarray]) -> dict[str, list[int]]:
    """Return the shape of each input, by name."""
    return {name: list(np.shape(value)) for name, value in feeds.items()}


def checked_feeds(model: onnx.ModelProto, inputs: Any) -> dict[str, np.ndarray]:
    """Return the inputs where they are those that the model takes.

    Raises
    ------
    InputError
        Where they are no mapping, or one is missing or unknown.
    """
    given = set(inputs) if isinstance(inputs, Mapping) else None
    names = [value.name for value in model.graph.input]
    needed = set(names) - {constant.name for constant in model.graph.initializer}
    if given is None or needed - given or given - set(names):
        raise InputError(
            "These are not the model's inputs.",
            repr(type(inputs)) if given is None else f"given: {sorted(map(str, given))}",
            f"a mapping of arrays by name: {', '.join(names)}",
        )
    return dict(inputs)


def runnable_feeds(
    model: onnx.ModelProto, run: Callable[[Mapping[str, np.ndarray]], Any]
) -> tuple[dict[str, np.ndarray], str]:
    """Return made-up inputs on which a model runs, and in words what they are.

    A batch of one, and in the other open dimensions the first of `SIZES` on which `run` does not
    fail: a picture of one pixel or a sound of one sample is too small for most networks. Where it
    fails on all, those of the first size.

    Parameters
    ----------
    run : callable
        Runs the model, or raises an `ExecutionError`.

    Raises
    ------
    InputError
        Where an input is not a tensor of a NumPy type, or is too large to make up.
    """
    words = "made up: normal floats, zeros for the rest"
    first = example_feeds(model, SIZES[0], batch=1)
    if all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in _dims(model)):
        return first, words
    for size in SIZES:
        try:
            feeds = example_feeds(model, size, batch=1)
            run(feeds)
        except (ExecutionError, InputError):  # too small, or too large to make up: the next
            continue
        return feeds, f"{words}; a batch of 1, other open dimensions {size}"
    sizes = ", ".join(map(str, SIZES))
    return first, f"{words}; it runs with none of {sizes} in the open dimensions"


def _dims(model: onnx.ModelProto) -> list[Any]:
    return [dim for value in model.graph.input for dim in value.type.tensor_type.shape.dim]


def _size(dim: Any, open_size: int) -> int:
    """Return a dimension's size; some exporters write an open one as -1."""
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else open_size


SIZES = (32, 64, 320, 512, 2048, 8, 1)
"""Tried in open dimensions, in this order: pictures, sounds and texts that networks take."""


def example_feeds(
    model: onnx.ModelProto, size: int = 1, seed: int = 0, *, batch: int | None = None
) -> dict[str, np.ndarray]:
    """Return made-up inputs for a model: normal floats, zeros for the rest, open dimensions `size`.

    With `batch`, first dimensions that are open have that size, and those of the same name.

    Raises
    ------
    InputError
        Where an input is not a tensor of a NumPy type, or is too large to make up.
    """
    from workbench.portability.provider.graph import DTYPES

    rng = np.random.default_rng(seed)
    constants = {c.name for c in model.graph.initializer}
    batch = size if batch is None else batch
    firsts = (value.type.tensor_type.shape.dim[:1] for value in model.graph.input)
    batches = {dim.dim_param for dims in firsts for dim in dims} - {""}
    feeds = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        dtype = DTYPES.get(tensor.elem_type)
        dims = [
            _size(dim, batch if axis == 0 or dim.dim_param in batches else size)
            for axis, dim in enumerate(tensor.shape.dim)
        ]
        if dtype is None or not value.type.HasField("tensor_type"):
            raise InputError(f"No input can be made up for {value.name!r}.", str(value.type)[:200])
        if np.prod(dims, dtype=np.float64) * dtype.itemsize > 2**28:
            raise InputError(f"The input {value.name!r} is too large to make up.", str(dims))
        feeds[value.name] = (
            rng.standard_normal(dims).astype(dtype) if dtype.kind == "f" else np.zeros(dims, dtype)
        )
    return feeds
