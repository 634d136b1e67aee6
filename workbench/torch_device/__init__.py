"""``torch.device("wb")``: a PyTorch device one can read in an afternoon, extend and watch at work.

Importing this module registers the device under PrivateUse1; there is no autoload entry point. What
makes a tensor live somewhere is in `core`; operators are tables in `ops`, beside it.
"""

from workbench.torch_device.core import device as _device

_device.check_torch()

import torch as _torch  # noqa: E402

from workbench.torch_device import autocast as _autocast  # noqa: E402
from workbench.torch_device import ops as _ops  # noqa: E402
from workbench.torch_device.core import fallback as _fallback  # noqa: E402
from workbench.torch_device.core import pure_python as _pure_python  # noqa: E402
from workbench.torch_device.core import views as _views  # noqa: E402
from workbench.torch_device.core.traffic import BYTES, FALLBACKS, LOG, NATIVE  # noqa: E402

_device.claim()
_library = _torch.library.Library("aten", "IMPL")
_views.register(_library)
_fallback.register()
_pure_python.install()
_autocast.register(_library)
_ops.register(_library)

__all__ = ["BYTES", "FALLBACKS", "LOG", "NATIVE"]
