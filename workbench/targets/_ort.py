"""Running a problem's ONNX model on one execution provider: shared by the ``ort_*`` targets.

The model is exported from the problem's torch module for the shapes at hand. A provider that this
process's runtime has runs here; one that only another build has, which `workbench providers add`
installed into an environment of its own, runs in a child process with that environment. Either
way the provider asked for is the one that runs, which `workbench.portability.session` promises: it
raises otherwise. Where the provider left nodes to the host's processor, a note says how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import UnavailableError
from workbench.measurement import Availability
from workbench.portability.session import provider_availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._child import ChildRunner, ask_once
from workbench.targets._ort_model import ModelRunner, is_fed, look

_INSIDE = "workbench.targets._ort_model"


def probe_provider(provider: str, options: Mapping[str, object] | None = None) -> Availability:
    """Say whether `provider` runs here or in a build of its own, by running one addition on it.

    Being built into the runtime is not enough: its driver may be missing, and then the runtime
    would land on the processor without a word.
    """
    here = provider_availability(provider)
    if here:
        refusal = look(provider, options, _one_addition())
        return here if refusal is None else refusal
    python, about = _elsewhere(provider)
    if python is None:
        return Availability(False, here.reason, about.remedy or here.remedy)
    arguments = (provider, dict(options or {}), _one_addition())
    refusal = ask_once(provider, f"{_INSIDE}:look", arguments, python)
    return about if refusal is None else refusal


def prepare_provider(
    provider: str, problem: Problem, inputs: tuple[Any, ...], **placing: Any
) -> Runner:
    """Return a runner of the exported model, in this process or in a child.

    Parameters
    ----------
    provider : str
        As ONNX Runtime spells it.
    problem : Problem
    inputs : tuple
        NumPy arrays and scalars are inputs of the model; plain Python numbers are constants in it.
    **placing
        ``options``, ``memory`` and ``index`` of `ModelRunner`.
    """
    assert problem.torch_module is not None  # `supports` has said so
    model = _exported(problem.torch_module, _signature(inputs), _Held(inputs))
    if provider_availability(provider):
        return ModelRunner(model, provider, inputs, placing)
    python, _ = _elsewhere(provider)
    arguments = (model, provider, inputs, placing)
    return ChildRunner(provider, f"{_INSIDE}:ModelRunner", arguments, python=python)


def _elsewhere(provider: str) -> tuple[Path | None, Availability]:
    """Return the interpreter of the build that has the provider, and what is known about it."""
    from workbench.portability.workers.environments import build_for, python_of

    build = build_for(provider)
    if build is None:
        return None, Availability(False, "no build is known", "install one that has it")
    try:
        python = python_of(build.name)
    except UnavailableError as error:
        return None, Availability(False, error.saw, error.advice)
    return python, Availability(True, f"{build.packages[0]}, in an environment of its own")


class _Held:
    """Inputs that travel beside a cache's key without being part of it."""

    def __init__(self, inputs: tuple[Any, ...]):
        self.inputs = inputs

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


def _signature(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        (np.shape(one), np.asarray(one).dtype.str) if is_fed(one) else (type(one), one)
        for one in inputs
    )


@lru_cache(maxsize=16)
def _exported(torch_module: Callable[[], Any], signature: tuple[Any, ...], held: _Held) -> bytes:
    """Export a problem's torch module for the shapes of `signature`."""
    import torch

    from workbench.portability.exporting import export

    example = tuple(torch.tensor(one) if is_fed(one) else one for one in held.inputs)
    return export(torch_module(), example).model.SerializeToString()


@lru_cache(maxsize=1)
def _one_addition() -> bytes:
    """Return a model that adds two vectors of one element: the least that can be run."""
    from onnx import TensorProto, helper

    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "abc"]
    node = helper.make_node("Add", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "one_addition", vectors[:2], vectors[2:])
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
