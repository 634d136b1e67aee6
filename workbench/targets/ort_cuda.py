"""ONNX Runtime on an Nvidia GPU: the problem's exported model.

Needs a build of ONNX Runtime with CUDA in this environment, and its driver. The stock runtime lands
on the processor without a word where either is missing; here that is an error.
"""

from __future__ import annotations

from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module

SUMMARY = "ONNX Runtime with CUDA, on an Nvidia GPU"
PROVIDER = "CUDAExecutionProvider"


def probe(index: int) -> Availability:
    """Answer for CUDA device number `index`."""
    from workbench.targets._ort import probe_provider

    return probe_provider(PROVIDER, {"device_id": index})


def supports(problem: Problem) -> Availability:
    """Problems with a torch module, from which the model is exported."""
    return needs_torch_module(problem, "its torch module, exported to ONNX")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the exported model on CUDA device number `index`."""
    from workbench.targets._ort import prepare_provider

    place = {"options": {"device_id": index}, "memory": "cuda", "index": index}
    return prepare_provider(PROVIDER, problem, inputs, **place)
