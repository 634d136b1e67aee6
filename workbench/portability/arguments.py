"""The arguments of a ``forward`` as the flat tensors that a graph takes, and back.

Arguments are trees: lists, dicts, numbers and None beside the tensors. PyTorch's exporter makes an
input of each tensor in the tree, in the tree's order, and a constant of the rest; a number that is
exported as dynamic is an input, too. It refuses to guess which tensor is meant where the number of
them is another.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from workbench.errors import InputError


def numbers_taken(captured: Any) -> frozenset[int]:
    """Return which leaves of the arguments are numbers that a captured graph takes as inputs.

    A number is a constant of the graph, unless it was exported as dynamic.
    """
    from torch.export.graph_signature import ConstantArgument, InputKind, TensorArgument

    if captured is None:
        return frozenset()
    specs = captured.graph_signature.input_specs
    leaves = [spec.arg for spec in specs if spec.kind == InputKind.USER_INPUT]
    fixed = (ConstantArgument, TensorArgument)
    return frozenset(i for i, leaf in enumerate(leaves) if not isinstance(leaf, fixed))


def tensors_of(
    inputs: Sequence[Any],
    example: Sequence[Any] | None = None,
    numbers: frozenset[int] = frozenset(),
) -> list[Any]:
    """Return the tensors in `inputs`, in the order of the tree.

    With an `example` of the same structure the order is the example's: a dict may have been
    written in another order than the one that was exported. Numbers at the places `numbers` are
    returned as tensors.
    """
    import torch
    from torch.utils import _pytree

    found = dict(_pytree.tree_flatten_with_path(tuple(inputs))[0])
    if example is not None:
        paths = [path for path, _ in _pytree.tree_flatten_with_path(tuple(example))[0]]
        if set(paths) == set(found):
            found = {path: found[path] for path in paths}
    return [
        torch.as_tensor(value)
        for index, value in enumerate(found.values())
        if isinstance(value, torch.Tensor) or (index in numbers and value is not None)
    ]


def with_tensors(
    example: Sequence[Any], tensors: Sequence[Any], numbers: frozenset[int] = frozenset()
) -> tuple[Any, ...]:
    """Return the arguments `example` with its tensors, and the numbers at `numbers`, replaced.

    Raises
    ------
    InputError
        Where the number of tensors is not the example's.
    """
    import torch
    from torch.utils import _pytree

    leaves, tree = _pytree.tree_flatten(tuple(example))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) or i in numbers]
    if len(places) != len(tensors):
        raise InputError(
            f"The module takes {len(places)} tensors.", f"{len(tensors)} were given", ""
        )
    for index, tensor in zip(places, tensors, strict=True):
        old = leaves[index]
        leaves[index] = (
            tensor.to(old.dtype) if isinstance(old, torch.Tensor) else type(old)(tensor.item())
        )
    return _pytree.tree_unflatten(leaves, tree)


def call_of(module: Any, inputs: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments that inputs mean for a module.

    A dict that comes last is the keyword arguments where ``forward`` takes those names, as
    PyTorch's exporter has it, and otherwise an argument like the others.
    """
    *before, last = inputs or (None,)
    if isinstance(last, dict) and last and all(isinstance(key, str) for key in last):
        try:
            inspect.signature(module.forward).bind(*before, **last)
        except TypeError:
            return tuple(inputs), {}
        return tuple(before), last
    return tuple(inputs), {}


def sequence_of(inputs: Any) -> tuple[Any, ...]:
    """Return the arguments of a ``forward`` as a tuple.

    Raises
    ------
    InputError
        Where they are not a sequence: one tensor alone would be taken apart along its first
        dimension, and a dict would be its keys.
    """
    if not isinstance(inputs, (tuple, list)):
        raise InputError(
            "The example inputs are not a sequence.",
            repr(type(inputs)),
            "a tuple of the arguments of forward(), in its order: (x,) for one",
        )
    return tuple(inputs)
