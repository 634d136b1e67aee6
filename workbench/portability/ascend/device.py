"""An Ascend device that a learner fills in, under Huawei's unmodified execution provider.

The provider is the one on PyPI; which nodes it takes, which copies are inserted and when it
compiles are its own doing. The vendor's libraries below it are a stand-in, host memory plays the
device, and the kernels are Python functions in the learner's process. What this shows about
placement, copies and compiles is the vendor's own code; about *time* it shows nothing, and this
module gives none.

On a machine with the real libraries the same calls use them, `simulated` is False and the kernels
here are not asked.
"""

from __future__ import annotations

import ctypes.util
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import KernelError
from workbench.portability._compile import compiled
from workbench.portability.ascend.kernels import KERNELS, Kernel
from workbench.portability.ascend.programs import Program
from workbench.portability.workers.environments import python_of
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import WorkerSession, open_worker_session

_ALIASES = {"BatchMatMul": "MatMul"}
STANDIN = Path(__file__).with_name("standin.cpp")
PROVIDER = "CANNExecutionProvider"

# mode -> the provider's options (see options.py for the source of their names). Writing compiled
# models to disk is switched off: the stand-in has no file format.
MODES = {
    "operators": {"enable_cann_graph": "0"},
    "graph": {"enable_cann_graph": "1", "enable_cann_subgraph": "0", "dump_om_model": "0"},
    "subgraphs": {"enable_cann_graph": "1", "enable_cann_subgraph": "1", "dump_om_model": "0"},
}


def real_library(name: str) -> str:
    """Return where the vendor's library is on this machine; empty where it is not."""
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), "/usr/local/Ascend/driver/lib64"]
    folders += ["/usr/local/Ascend/ascend-toolkit/latest/lib64"]
    for folder in filter(None, folders):
        if (Path(folder) / name).exists():
            return str(Path(folder) / name)
    return ctypes.util.find_library(name.removeprefix("lib").partition(".so")[0]) or ""


def standin_libraries() -> list[Path]:
    """Return the stand-in under each of the three names that the provider asks for."""
    names = ("libascendcl.so", "libacl_op_compiler.so", "libfmk_onnx_parser.so")
    first = compiled(STANDIN, [f"-Wl,-soname,{names[0]}"], names[0])
    empty = Path(__file__).with_name("empty.cpp")
    return [first, *(compiled(empty, [f"-Wl,-soname,{name}"], name) for name in names[1:])]


class AscendDevice:
    """A device with kernels, and the provider's view of it.

    Parameters
    ----------
    kernels : mapping, optional
        Operator, as the device names it (``MatMul``, ``Conv2D``, ``Softmax``, ...), to
        ``kernel(attributes, *inputs)``; those of `kernels.KERNELS` by default. ``{}`` is an empty
        device.

    Raises
    ------
    UnavailableError
        Where the build is not installed (`workbench providers add cann`), or where there is no
        compiler for the stand-in.
    """

    def __init__(self, kernels: Mapping[str, Kernel] | None = None):
        self.kernels: dict[str, Kernel] = dict(KERNELS if kernels is None else kernels)
        self.runs: Counter[str] = Counter()
        self.compiled_shapes: list[str] = []
        self._programs: list[Program] = []
        python = python_of("cann")
        self.simulated = not real_library("libascendcl.so")
        self.worker = Worker(
            python,
            standin_libraries() if self.simulated else (),
            "ascend" if self.simulated else "",
            {"kernel": self._operator, "build": self._build, "run": self._run},
        )

    def kernel(self, operator: str) -> Callable[[Kernel], Kernel]:
        """Put a kernel on the device, as a decorator: ``@device.kernel("MatMul")``."""

        def add(function: Kernel) -> Kernel:
            self.kernels[operator] = function
            return function

        return add

    def open_session(self, model: Any, mode: str = "graph", **options: Any) -> WorkerSession:
        """Open a session of the CANN provider on this device.

        Parameters
        ----------
        model : bytes, path or onnx.ModelProto
        mode : str
            ``"operators"`` (each node by itself), ``"graph"`` (the provider's default: the whole
            graph, unchecked) or ``"subgraphs"`` (its list decides).
        **options
            Further options of the provider; unknown names raise.
        """
        return open_worker_session(self.worker, model, PROVIDER, options={**MODES[mode], **options})

    def counters(self, *, reset: bool = False) -> dict[str, int]:
        """Return copies, bytes, kernels and compiles so far; reset them to zero on request."""
        found = self.worker.counters(reset=reset)
        if reset:
            self.runs.clear()
        return found

    def close(self) -> None:
        """End the worker."""
        self.worker.stop()

    def __enter__(self) -> AscendDevice:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _operator(self, body: dict[str, Any]) -> list[np.ndarray]:
        name: str = body["operator"]
        function = self.kernels.get(name) or self.kernels.get(_ALIASES.get(name, name))
        if function is None:
            raise KernelError(
                f"The device has no kernel {name!r}.",
                f"asked with attributes {body['attributes']}",
                f'write one: @device.kernel("{name}")',
            )
        results = function(body["attributes"], *body["inputs"])
        self.runs[name] += 1
        results = results if isinstance(results, tuple) else (results,)
        made = []
        for result, (dtype, shape) in zip(results, body["outputs"], strict=False):
            result = np.asarray(result)
            if result.size != int(np.prod(shape, dtype=np.int64)):
                raise KernelError(
                    f"The kernel {name!r} returned the wrong shape.",
                    f"{result.shape}, where the provider made room for {tuple(shape)}",
                    "look at the attributes: pads, strides and transpositions decide the shape",
                )
            made.append(result.astype(dtype, copy=False).reshape(shape))
        return made

    def _build(self, body: dict[str, Any]) -> dict[str, Any]:
        program = Program(body["onnx"], body["shapes"], self.kernels, self._count)
        self._programs.append(program)
        self.compiled_shapes.append(body["shapes"])
        key = len(self._programs) - 1
        return {"key": key, "inputs": program.inputs, "outputs": program.outputs}

    def _run(self, body: dict[str, Any]) -> list[np.ndarray]:
        program = self._programs[body["program"]]
        results = program.run(body["inputs"])
        return [
            np.asarray(result, dtype).reshape(shape)
            for result, (dtype, shape) in zip(results, program.outputs, strict=True)
        ]

    def _count(self, operator: str) -> None:
        self.runs[operator] += 1
