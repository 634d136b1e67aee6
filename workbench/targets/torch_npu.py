"""PyTorch on an Ascend NPU through Huawei's torch_npu, in a child process of its own.

torch_npu takes PyTorch's only spare device slot (PrivateUse1), which the workbench's own device
also wants, so neither is ever imported in the notebook's process on the other's behalf. Needs the
CANN toolkit, a driver, and the torch_npu that was built for this torch. The tests reach it only
as far as a machine without an NPU allows: the refusals, and the child process it shares with
other targets.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from workbench import catalog
from workbench.batch import batched
from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module, version

SUMMARY = "PyTorch eager, on an Ascend NPU (torch_npu)"

_INSTALL = (
    "on a machine with an Ascend NPU, install CANN, source its set_env.sh, and install the "
    "torch_npu that its release notes pair with your torch"
)


def probe(index: int) -> Availability:
    """Answer for NPU number `index`."""
    if find_spec("torch_npu") is None:
        return Availability(False, "torch_npu is not installed", _INSTALL)
    from workbench.targets._child import ask_once

    names = ask_once("torch_npu", f"{__name__}:_device_names")
    found = f"torch_npu {version('torch-npu') or version('torch_npu') or 'of unknown version'}"
    if not names:
        return Availability(False, f"{found} finds no NPU", "run `npu-smi info`; " + _INSTALL)
    if index >= len(names):
        return Availability(
            False, f"there are {len(names)} NPUs, none has number {index}", "use a lower number"
        )
    return Availability(True, f"{names[index]}, {found}")


def supports(problem: Problem) -> Availability:
    """Problems of the shelf with a torch module: the child loads them by name."""
    if problem.name not in catalog.problem_names():
        return Availability(
            False,
            f"{problem.name} is not on the shelf, and a child process loads problems by name",
            f"save it as kernels/{problem.name}/problem.py",
        )
    return needs_torch_module(problem, "its torch module, eager, in a child process")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the torch module on NPU number `index`."""
    from workbench.targets._child import ChildRunner

    arguments = (problem.name, problem.batch, inputs, index)
    return ChildRunner("torch_npu", f"{__name__}:_inside", arguments)


def _torch() -> Any:
    """Return torch with the device registered, which importing torch_npu does."""
    import_module("torch_npu")
    return import_module("torch")


def _device_names() -> list[str]:
    """Return the names of the NPUs; runs in the child."""
    torch = _torch()
    return [torch.npu.get_device_name(number) for number in range(torch.npu.device_count())]


def _inside(name: str, batch: int, inputs: tuple[Any, ...], index: int) -> Runner:
    """Return the runner itself; runs in the child."""
    from workbench.targets._torch import TorchRunner

    torch = _torch()
    device = f"npu:{index}"
    problem = batched(catalog.load_problem(name), batch)
    runner = TorchRunner(problem, inputs, device, lambda: torch.npu.synchronize(device))
    runner.device = torch.npu.get_device_name(index)
    return runner
