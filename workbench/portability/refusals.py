"""The errors of this room that a session, a plug-in and a worker raise alike.

They stand apart from `session` so that what a session needs (plug-ins, tried out in workers) can
raise them, too. It refuses to hold errors that only one file raises: those stand beside their use.
"""

from __future__ import annotations

from workbench.errors import ExecutionError, UnavailableError


class ProviderError(UnavailableError):
    """A provider was asked for and is not what runs."""


class SessionError(ExecutionError):
    """ONNX Runtime refused the model, or a run of it failed."""
