"""Opens the worker that has a provider: this environment's runtime, or a build of its own.

Whatever is not ONNX Runtime's own code runs in a worker, also where the runtime here has it: a
provider that crashes ends the worker, and the notebook goes on. It refuses to open our own
provider, whose kernels are Python functions of this process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import UnavailableError, UnknownNameError
from workbench.portability.ascend.device import AscendDevice, real_library
from workbench.portability.plugins import OWN, is_foreign
from workbench.portability.session import CPU, provider_availability, provider_names
from workbench.portability.workers import environments
from workbench.portability.workers.process import Worker

IN_PROCESS = (CPU, OWN)  # what runs in this process: the runtime's own code and the learner's


@dataclass(frozen=True)
class Workplace:
    """A worker that has a provider, and what must be said about it.

    Attributes
    ----------
    worker : Worker
    close : callable
    note : str
    compiles : bool
        Whether the provider compiles what it takes: then the runtime cannot write its graph.
    """

    worker: Worker
    close: Callable[[], None]
    note: str = ""
    compiles: bool = False


def open_workplace(provider: str, **limits: Any) -> Workplace:
    """Start a worker that has `provider`: of this environment where it can, else of a build.

    Parameters
    ----------
    provider : str
    **limits
        ``limit_s`` and ``limit_bytes`` of `Worker`.

    Raises
    ------
    UnavailableError
        Where neither this environment nor a build that is installed has it.
    """
    build = environments.build_for(provider)
    here = provider_availability(provider)
    if here:
        worker = Worker(Path(sys.executable), **limits)
        return Workplace(worker, worker.stop, "", is_foreign(provider))
    if build is None:
        raise UnavailableError(f"{provider} cannot be asked here.", here.reason, here.remedy)
    python = environments.python_of(build.name)
    if build.standin == "ascend":
        device = AscendDevice(**limits)
        return Workplace(device.worker, device.close, _note(device.simulated, "Ascend"))
    libraries = []
    real = bool(build.real_library) and bool(real_library(build.real_library))
    if build.standin == "nvidia" and not real:
        from workbench.portability.nvidia.stubs import provider_library, standin_libraries

        folder = environments.environment_folder(build.name)
        libraries = standin_libraries(provider_library(folder))
    worker = Worker(python, libraries, build.standin if libraries else "", **limits)
    note = _note(not real, "NVIDIA") if build.standin else ""
    return Workplace(worker, worker.stop, note, build.compiles)


def _note(simulated: bool, vendor: str) -> str:
    if simulated:
        return f"{vendor}'s own provider, unmodified, over a stand-in for the hardware's libraries"
    return f"{vendor}'s own provider over the real libraries of this machine"


def worker_here(provider: str) -> Worker:
    """Return a worker of this environment, for one use of a provider that its runtime has.

    Raises
    ------
    UnavailableError
        Where it does not have it.
    """
    if provider not in (names := provider_names()):
        raise UnknownNameError("execution provider", provider, names)
    if not (here := provider_availability(provider)):
        raise UnavailableError(f"{provider} cannot be asked here.", here.reason, here.remedy)
    return Worker(Path(sys.executable))
