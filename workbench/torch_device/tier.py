"""Which tier answers for the device in this process: pure Python, or the C++ shim in front of it.

``WORKBENCH_SHIM`` chooses, see `shim.bridge`. In ``auto`` a shim that cannot be built is not an
error: the pure-Python tier works, and `WHY` says what happened. It refuses to switch after the
import.
"""

from __future__ import annotations

import torch

from workbench.torch_device import pure_python
from workbench.torch_device.shim import bridge, quick

WHY = ""
"""Why this tier was chosen."""


def choose() -> str:
    """Return ``"shim"`` or ``"python"``, building the shim first where it is to be used.

    Raises
    ------
    ShimError
        With ``WORKBENCH_SHIM=1`` where it cannot be built.
    """
    global WHY
    wish = bridge.wanted()
    if wish == "0":
        WHY = "WORKBENCH_SHIM=0"
        return "python"
    if wish == "auto" and not bridge.available():
        WHY = "there is no C++ compiler"
        return "python"
    try:
        bridge.build()
    except bridge.ShimError as error:
        if wish == "1":
            raise
        WHY = str(error)
        return "python"
    WHY = f"built: {bridge.library_path().name}"
    return "shim"


def install(tier: str, library: torch.library.Library) -> set[str]:
    """Load what the tier needs, after the device has its name.

    Returns the operators that the tier has registered itself.
    """
    if tier == "python":
        pure_python.install()
        return set()
    quick.connect(bridge.load())
    return quick.register_minimal(library)
