"""``torch.device("wb")``: a PyTorch device one can read in an afternoon, extend and watch at work.

Importing this module registers the device under PrivateUse1; there is no autoload entry point. What
makes a tensor live somewhere is in `core`; operators are tables in `ops`, their loops are made by
`codegen`. Kernels of your own go behind operators with `register`; `score` says how right they are.
"""

from workbench.torch_device import device as _device

_device.check_torch()

import torch as _torch  # noqa: E402

from workbench.torch_device import accelerator as _accelerator  # noqa: E402
from workbench.torch_device import autocast as _autocast  # noqa: E402
from workbench.torch_device import distributed as _distributed  # noqa: E402
from workbench.torch_device import fallback as _fallback  # noqa: E402
from workbench.torch_device import modules as _modules  # noqa: E402
from workbench.torch_device import ops as _ops  # noqa: E402
from workbench.torch_device import tier as _tier  # noqa: E402
from workbench.torch_device import vendor as _vendor  # noqa: E402
from workbench.torch_device.compiling import backend as compile_backend  # noqa: E402
from workbench.torch_device.core import views as _views  # noqa: E402
from workbench.torch_device.core.streams import launch_blocking  # noqa: E402
from workbench.torch_device.coverage import coverage, summary  # noqa: E402
from workbench.torch_device.dispatching import trace  # noqa: E402
from workbench.torch_device.extend import register, stub  # noqa: E402
from workbench.torch_device.fallback import strict  # noqa: E402
from workbench.torch_device.memory_map import memory_map  # noqa: E402
from workbench.torch_device.score import score  # noqa: E402
from workbench.torch_device.timeline import dropped_waits, recording  # noqa: E402
from workbench.torch_device.traffic import (  # noqa: E402
    BYTES,
    FALLBACKS,
    LOG,
    NATIVE,
    VENDOR,
    reset,
)

TIER = _tier.choose()
"""``"shim"`` or ``"python"``: what answers for the device in this process."""

_device.claim(TIER == "shim")
_library = _torch.library.Library("aten", "IMPL")
_views.register(_library, _tier.install(TIER, _library))
_fallback.register()
_autocast.register(_library)
_ops.register(_library)
_distributed.register()
_modules.install()
_accelerator.install(TIER)
vendor_library = _vendor.switch

__all__ = [
    "BYTES",
    "FALLBACKS",
    "LOG",
    "NATIVE",
    "TIER",
    "VENDOR",
    "compile_backend",
    "coverage",
    "dropped_waits",
    "launch_blocking",
    "memory_map",
    "recording",
    "register",
    "reset",
    "score",
    "strict",
    "stub",
    "summary",
    "trace",
    "vendor_library",
]
