"""ONNX Runtime on an Ascend NPU, with Huawei's CANN: the problem's exported model.

Needs a build of ONNX Runtime with CANN in this environment, the CANN toolkit and the driver. What
Huawei's provider would do without any of these is shown by `workbench.portability`, and never under
this name.
"""

from __future__ import annotations

from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module

SUMMARY = "ONNX Runtime with CANN, on an Ascend NPU"
PROVIDER = "CANNExecutionProvider"


def probe(index: int) -> Availability:
    """Answer for NPU number `index`."""
    from workbench.targets._ort import probe_provider

    return probe_provider(PROVIDER, {"device_id": index})


def supports(problem: Problem) -> Availability:
    """Problems with a torch module, from which the model is exported."""
    return needs_torch_module(problem, "its torch module, exported to ONNX")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the exported model on NPU number `index`."""
    from workbench.targets._ort import prepare_provider

    place = {"options": {"device_id": index}, "memory": "cann", "index": index}
    return prepare_provider(PROVIDER, problem, inputs, **place)
