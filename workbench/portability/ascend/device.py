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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import UnknownNameError
from workbench.portability._compile import compiled
from workbench.portability.ascend.chip import Chip
from workbench.portability.ascend.kernels import Kernel
from workbench.portability.workers.environments import python_of
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import WorkerSession, open_worker_session

STANDIN = Path(__file__).with_name("standin.cpp")
PROVIDER = "CANNExecutionProvider"

# mode -> the provider's options (see options.py for the source of their names). Writing compiled
# models to disk is switched off: the stand-in has no file format.
MODES = {
    "subgraphs": {"enable_cann_graph": "1", "enable_cann_subgraph": "1", "dump_om_model": "0"},
    "graph": {"enable_cann_graph": "1", "enable_cann_subgraph": "0", "dump_om_model": "0"},
    "operators": {"enable_cann_graph": "0"},
}


def mode_options(mode: str) -> dict[str, str]:
    """Return the provider's options that make a mode; an unknown one raises."""
    if mode not in MODES:
        raise UnknownNameError("mode of the CANN provider", mode, MODES)
    return MODES[mode]


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


class AscendDevice(Chip):
    """A device with kernels, and the provider's view of it.

    Parameters
    ----------
    kernels : mapping, optional
        See `Chip`.
    **limits
        ``limit_s`` and ``limit_bytes`` of `Worker`.

    Raises
    ------
    UnavailableError
        Where the build is not installed (`workbench providers add cann`), or where there is no
        compiler for the stand-in.
    """

    def __init__(self, kernels: Mapping[str, Kernel] | None = None, **limits: Any):
        super().__init__(kernels)
        python = python_of("cann")
        self.simulated = not real_library("libascendcl.so")
        self.worker = Worker(
            python,
            standin_libraries() if self.simulated else (),
            "ascend" if self.simulated else "",
            {"kernel": self.operator, "build": self.build, "run": self.run},
            **limits,
        )

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
        options = {**mode_options(mode), **options}
        return open_worker_session(self.worker, model, PROVIDER, options=options)

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
