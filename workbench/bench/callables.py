"""Any callable can join a race: a runner around a learner's function, with the checks it needs.

Two styles are accepted. ``f(*inputs)`` returns the answer; ``f(*inputs, *outputs)`` writes into
the arrays it is handed, as a shelf kernel's ``launch`` does. Which one it is follows from how many
parameters it takes.

It refuses answers that are not plain arrays (a lazy subclass would do its work outside the timing)
and answers that share memory with an input.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.batch import each
from workbench.errors import InputError, WrongResultError
from workbench.problem import Arrays, Problem, as_tuple, poisoned


class CallableRunner:
    """A callable with fixed input and output buffers, in the words of `workbench.targets.Runner`.

    Parameters
    ----------
    problem : Problem
    function : callable
    inputs : tuple
        Arrays and scalars; copied into buffers that stay the same from call to call.
    """

    notes: tuple[str, ...] = ()
    device = ""

    def __init__(self, problem: Problem, function: Callable[..., Any], inputs: tuple[Any, ...]):
        self.function = each(function, problem.batch)
        self.buffers = tuple(_copy(value) for value in inputs)
        self.inputs = inputs
        outputs = problem.outputs(*inputs)
        self.outputs = tuple(poisoned(out.shape, out.dtype) for out in outputs)
        self.writes = _takes(function, len(inputs), len(self.outputs))
        self.arguments = (*self.buffers, *self.outputs) if self.writes else self.buffers
        self.answer: Any = None

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Put new contents into the same buffers and spoil the last answer."""
        self.inputs = inputs
        scalars = False
        for buffer, value in zip(self.buffers, inputs, strict=True):
            if isinstance(buffer, np.ndarray):
                np.copyto(buffer, value)
            else:
                scalars = True
        if scalars:
            self.buffers = tuple(
                buffer if isinstance(buffer, np.ndarray) else value
                for buffer, value in zip(self.buffers, inputs, strict=True)
            )
            self.arguments = (*self.buffers, *self.outputs) if self.writes else self.buffers
        for out in self.outputs:
            out[...] = poisoned((), out.dtype)
        self.answer = None

    def run(self) -> None:
        """Call the function once. What it returns is never taken for a time."""
        self.answer = self.function(*self.arguments)

    def fetch(self) -> Arrays:
        """Return copies of the answer.

        Raises
        ------
        WrongResultError
            Where the answer is not an exact array type, shares memory with an input, or an input
            was changed.
        """
        answers = self.outputs if self.writes else self._answers()
        for buffer, value in zip(self.buffers, self.inputs, strict=True):
            if not isinstance(buffer, np.ndarray):
                continue
            if any(np.shares_memory(answer, buffer) for answer in answers):
                raise WrongResultError(
                    "The answer shares memory with an input.",
                    f"an array of shape {buffer.shape}",
                    "return a new array",
                )
            if not np.array_equal(buffer, value, equal_nan=buffer.dtype.kind in "fc"):
                raise WrongResultError(
                    "The function changed its input.",
                    f"an array of shape {buffer.shape}",
                    "write into the outputs or into a copy",
                )
        return tuple(np.array(answer) for answer in answers)

    def _answers(self) -> Arrays:
        """Return what the function returned as plain arrays; as many as the problem has outputs."""
        given = as_tuple(self.answer)
        if len(given) != len(self.outputs):
            raise WrongResultError(
                "The answer is wrong.", f"{len(given)} outputs, expected {len(self.outputs)}",
                "return one array for each output",
            )  # fmt: skip
        return tuple(_plain(one) for one in given)

    def close(self) -> None:
        """Nothing is held."""


def _takes(function: Callable[..., Any], inputs: int, outputs: int) -> bool:
    """Say whether the function is handed its outputs, from how many parameters it takes."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    for count, writes in ((inputs, False), (inputs + outputs, True)):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return writes
    raise InputError(
        f"{getattr(function, '__name__', 'The callable')} takes neither the inputs nor the inputs "
        "and the outputs.",
        f"its parameters are {signature}; there are {inputs} inputs and {outputs} outputs",
        "write f(*inputs) -> answer, or f(*inputs, *outputs) that fills the outputs",
    )


def _copy(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value


def _plain(answer: Any) -> np.ndarray:
    kind = type(answer)
    if kind is np.ndarray:
        return answer
    if isinstance(answer, np.generic):
        return np.asarray(answer)
    if f"{kind.__module__}.{kind.__qualname__}" == "torch.Tensor":
        if answer.device.type != "cpu" or answer.is_neg() or answer.is_conj():
            raise WrongResultError(
                "The answer is not finished when the call returns.",
                f"a tensor on {answer.device}, neg {answer.is_neg()}, conj {answer.is_conj()}",
                "bring it to the host, as plain numbers, inside of the function",
            )
        return answer.detach().numpy()
    raise WrongResultError(
        "The answer is not a plain array.",
        f"{kind.__module__}.{kind.__qualname__}",
        "return numpy.ndarray or torch.Tensor itself: a subclass could work after the clock stops",
    )
