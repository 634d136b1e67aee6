"""ONNX Runtime with Intel's OpenVINO as a plug-in provider: the problem's exported model.

On a processor with bf16 units OpenVINO computes in bf16 unless told otherwise, which costs three
digits and makes it no match for providers that compute in f32. Here it is told f32. It refuses a
second device.
"""

from __future__ import annotations

from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module, only_one

SUMMARY = "ONNX Runtime with OpenVINO, on the host's processor"
PROVIDER = "OpenVINOExecutionProvider"
OPTIONS = {"load_config": '{"CPU": {"INFERENCE_PRECISION_HINT": "f32"}}'}


def probe(index: int) -> Availability:
    """Answer for the host; the only device is number 0."""
    from workbench.targets._ort import probe_provider

    found = probe_provider(PROVIDER, OPTIONS)
    return only_one(index, found.reason) if found else found


def supports(problem: Problem) -> Availability:
    """Problems with a torch module, from which the model is exported."""
    return needs_torch_module(problem, "its torch module, exported to ONNX")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the exported model, computing in f32."""
    from workbench.targets._ort import prepare_provider

    return prepare_provider(PROVIDER, problem, inputs, options=OPTIONS)
