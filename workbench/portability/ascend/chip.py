"""The part of a simulated Ascend device that a learner fills in: kernels, and what ran.

It answers the three things that a provider asks of a chip: run an operator, compile a graph, run
the compiled graph. Who asks is not its business: Huawei's provider in a worker (see `device`), or a
recording of it (see `workbench.portability.recorded`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from workbench.errors import KernelError
from workbench.portability.ascend.kernels import KERNELS, Kernel
from workbench.portability.ascend.programs import Program
from workbench.portability.kernel_calls import call_kernel, require_shape

_ALIASES = {"BatchMatMul": "MatMul"}
_RESHAPED = ("Flatten",)  # all it does is the new shape, and the provider alone says which


class Chip:
    """Kernels by the device's names, and a count of what ran.

    Parameters
    ----------
    kernels : mapping, optional
        Operator, as the device names it (``MatMul``, ``Conv2D``, ``Softmax``, ...), to
        ``kernel(attributes, *inputs)``; those of `kernels.KERNELS` by default. ``{}`` is an empty
        device.

    Attributes
    ----------
    runs : Counter
        How often each kernel ran.
    compiled_shapes : list of str
        The input shapes of each compile, as the provider says them.
    """

    def __init__(self, kernels: Mapping[str, Kernel] | None = None):
        self.kernels: dict[str, Kernel] = dict(KERNELS if kernels is None else kernels)
        self.runs: Counter[str] = Counter()
        self.compiled_shapes: list[str] = []
        self._programs: list[Program] = []

    def kernel(self, operator: str) -> Callable[[Kernel], Kernel]:
        """Put a kernel on the device, as a decorator: ``@device.kernel("MatMul")``."""

        def add(function: Kernel) -> Kernel:
            self.kernels[operator] = function
            return function

        return add

    def operator(self, body: Mapping[str, Any]) -> list[np.ndarray]:
        """Answer a call of one operator."""
        name: str = body["operator"]
        key = name if name in self.kernels else _ALIASES.get(name, name)
        function = self.kernels.get(key)
        if function is None:
            raise KernelError(
                f"The device has no kernel {name!r}.",
                f"asked with attributes {body['attributes']}",
                f'write one: @device.kernel("{name}")',
            )
        results = call_kernel(key, function, body["attributes"], *body["inputs"])
        self.runs[name] += 1
        made = []
        for result, (dtype, shape) in zip(results, body["outputs"], strict=False):
            result = np.asarray(result)
            if name in _RESHAPED and result.size == int(np.prod(shape, dtype=np.int64)):
                result = result.reshape(shape)
            require_shape(key, result, shape)
            made.append(result.astype(dtype, copy=False))
        return made

    def build(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Compile a graph for the shapes that are asked for."""
        program = Program(body["onnx"], body["shapes"], self.kernels, self.count)
        self._programs.append(program)
        self.compiled_shapes.append(body["shapes"])
        key = len(self._programs) - 1
        return {"key": key, "inputs": program.inputs, "outputs": program.outputs}

    def run(self, body: Mapping[str, Any]) -> list[np.ndarray]:
        """Run a compiled graph."""
        program = self._programs[body["program"]]
        results = program.run(body["inputs"])
        return [
            np.asarray(result, dtype).reshape(shape)
            for result, (dtype, shape) in zip(results, program.outputs, strict=True)
        ]

    def count(self, operator: str) -> None:
        """Count a run of a kernel."""
        self.runs[operator] += 1
