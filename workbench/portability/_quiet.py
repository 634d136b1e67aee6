"""Keeps what the exporter prints, logs and warns about out of the notebook, as notes.

Nothing is lost: warnings of the loggers come back as sentences. It refuses to hide exceptions.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings


class _Collect(logging.Handler):
    def __init__(self, into: list[str]):
        super().__init__(logging.WARNING)
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "torchvision is not installed" not in message:
            self.into.append(message.splitlines()[0])


@contextlib.contextmanager
def quiet():
    """Collect what the exporter prints, logs and warns about as notes, instead of showing it."""
    notes: list[str] = []
    sink = io.StringIO()
    handler = _Collect(notes)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    kept = [(logger.propagate, logger.level, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.propagate, logger.handlers = False, [handler]
    try:
        with (
            warnings.catch_warnings(record=True),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            warnings.simplefilter("always")
            yield notes
    finally:
        for logger, (propagate, level, handlers) in zip(loggers, kept, strict=True):
            logger.propagate, logger.handlers = propagate, handlers
            logger.setLevel(level)
