"""A batch: several independent instances of a problem, handed over in one call.

Arrays are stacked on a new first axis, scalars are shared. Kernels and learners' functions are
called once for each instance, PyTorch and ONNX see one module that holds them all, and a device is
waited for once, at the end: what a batch buys is what each call costs beyond its work.

It refuses problems whose instances differ in shape: nothing is padded behind anybody's back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.problem import Arrays, Problem, as_tuple, require_size


def batched(problem: Problem, batch: int) -> Problem:
    """Return `problem` for `batch` independent instances at once.

    Parameters
    ----------
    problem : Problem
        Of one instance.
    batch : int
        How many; 1 returns the problem itself.

    Raises
    ------
    InputError
        Where `batch` is no whole number above zero, the problem is a batch already, or (when
        inputs are made) its instances differ in shape.
    """
    batch = require_size(batch, what="batch")
    if batch == 1:
        return problem
    if problem.batch != 1:
        raise InputError(
            f"{problem.name} is a batch already.", f"of {problem.batch}", "batch the problem of one"
        )

    def inputs(size: int, seed: int) -> tuple[Any, ...]:
        made = [problem.inputs(size, seed + at) for at in range(batch)]
        return tuple(_stacked(problem.name, values) for values in zip(*made, strict=True))

    def outputs(*arguments: Any) -> Arrays:
        one = problem.outputs(*next(instances(arguments, 1)))
        return tuple(np.repeat(out[None], batch, axis=0) for out in one)

    @functools.wraps(problem.reference)
    def reference(*arguments: Any) -> Arrays:
        answers = [as_tuple(problem.reference(*one)) for one in instances(arguments, batch)]
        return tuple(np.stack(parts) for parts in zip(*answers, strict=True))

    module = problem.torch_module
    return replace(
        problem,
        inputs=inputs,
        reference=reference,
        outputs=outputs,
        bytes_moved=lambda size: batch * problem.bytes_moved(size),
        operations=lambda size: batch * problem.operations(size),
        torch_module=None if module is None else lambda: _torch_module(module(), batch),
        batch=batch,
    )


def instances(arguments: tuple[Any, ...], batch: int) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of each instance: a view of every stacked array, scalars as they are."""
    for at in range(batch):
        yield tuple(one[at] if getattr(one, "ndim", 0) else one for one in arguments)


def each(function: Callable[..., Any], batch: int) -> Callable[..., Any]:
    """Return a function that calls `function` for each instance of a batch and stacks its answers.

    Parameters
    ----------
    function : callable
        Of one instance: it returns an answer, or fills the outputs that it is handed.
    batch : int
        1 returns the function itself.
    """
    if batch == 1:
        return function

    @functools.wraps(function)
    def whole(*arguments: Any) -> Any:
        answers = [function(*one) for one in instances(arguments, batch)]
        if all(answer is None for answer in answers):
            return None
        parts = zip(*(as_tuple(answer) for answer in answers), strict=True)
        return tuple(np.stack(list(part)) for part in parts)

    return whole


def _stacked(name: str, values: tuple[Any, ...]) -> Any:
    if not isinstance(values[0], np.ndarray) or not values[0].ndim:
        return values[0]
    shapes = sorted({value.shape for value in values})
    if len(shapes) > 1:
        raise InputError(
            f"Instances of {name} cannot be stacked to a batch.",
            f"their shapes differ: {', '.join(map(str, shapes))}",
            "race it with batch=1",
        )
    return np.stack(values)


def _torch_module(module: Any, batch: int) -> Any:
    import torch

    class Batch(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = module

        def forward(self, *arguments):
            answers = [as_tuple(self.one(*one)) for one in instances(arguments, batch)]
            first, *more = (torch.stack(parts) for parts in zip(*answers, strict=True))
            return (first, *more) if more else first

    return Batch()
