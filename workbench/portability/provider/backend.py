"""The provider as an ONNX backend, so that ONNX's own tests can grade it.

``onnx.backend.test`` runs its models through this class: a session with our provider in front and
ONNX Runtime's CPU for what we do not claim. Graph optimisation is off, so that the nodes counted
are the model's own. It refuses other devices than the CPU.
"""

from __future__ import annotations

from typing import Any

from onnx.backend import base

from workbench.portability._ort import onnxruntime
from workbench.portability.provider.engine import Provider

PROVIDER = Provider()
"""The provider that is graded; its record counts claims and runs over all tests."""


class Prepared(base.BackendRep):
    """One model, ready to run."""

    def __init__(self, session: Any):
        self.session = session

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """Run on inputs in the model's order, or by name."""
        return tuple(self.session.run(inputs))


class WorkbenchBackend(base.Backend):
    """ONNX's backend interface over `PROVIDER`."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **_: Any) -> bool:
        """Every model may be tried."""
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **_: Any) -> Prepared:
        """Open a session on the model."""
        ort = onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        return Prepared(PROVIDER.open_session(model, session_options=options))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU."""
        return device == "CPU"
