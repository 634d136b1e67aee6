"""The one place from which ONNX Runtime is imported.

Linux wheels from 1.29 on write a device id and a SQLite file under the user's cache and send
telemetry by default; ``ORT_DISABLE_TELEMETRY=1`` stops that, and only before the first import.
So nothing in the package writes ``import onnxruntime``: it asks `onnxruntime` here. This module
refuses to choose providers or make sessions.
"""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType

from workbench.errors import InstallationError

TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}
"""Environment that every process which imports ONNX Runtime is given."""


@cache
def onnxruntime() -> ModuleType:
    """Return the `onnxruntime` module, imported with its telemetry off and quiet below errors.

    Raises
    ------
    InstallationError
        Where it is not installed.
    """
    os.environ.update(TELEMETRY_OFF)
    try:
        import onnxruntime as ort
    except ImportError as cause:
        raise InstallationError(
            "ONNX Runtime cannot be imported.", str(cause), "`pip install onnxruntime`"
        ) from cause
    ort.disable_telemetry_events()
    ort.set_default_logger_severity(3)
    return ort
