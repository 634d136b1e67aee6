"""Inputs for a model that nobody gave inputs for, and the shapes of those that were given.

It refuses to make up what is not a tensor of a NumPy type, and what would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError

if TYPE_CHECKING:
    import onnx


def shapes_of(feeds: Mapping[str, np.ndarray]) -> dict[str, list[int]]:
    """Return the shape of each input, by name."""
    return {name: list(np.shape(value)) for name, value in feeds.items()}


def _size(dim: Any, open_size: int) -> int:
    """Return a dimension's size; some exporters write an open one as -1."""
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else open_size


def example_feeds(model: onnx.ModelProto, size: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    """Return made-up inputs for a model: normal floats, zeros for the rest, open dimensions `size`.

    Raises
    ------
    InputError
        Where an input is not a tensor of a NumPy type, or is too large to make up.
    """
    from workbench.portability.provider.graph import DTYPES

    rng = np.random.default_rng(seed)
    constants = {c.name for c in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        dtype = DTYPES.get(tensor.elem_type)
        dims = [_size(dim, size) for dim in tensor.shape.dim]
        if dtype is None or not value.type.HasField("tensor_type"):
            raise InputError(f"No input can be made up for {value.name!r}.", str(value.type)[:200])
        if np.prod(dims, dtype=np.float64) * dtype.itemsize > 2**28:
            raise InputError(f"The input {value.name!r} is too large to make up.", str(dims))
        feeds[value.name] = (
            rng.standard_normal(dims).astype(dtype) if dtype.kind == "f" else np.zeros(dims, dtype)
        )
    return feeds
