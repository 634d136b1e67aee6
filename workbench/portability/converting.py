"""A file at another opset, made by ONNX's own converter in a process of its own.

The converter is native code over a model that may be anything: a crash of it must be a sentence. It
refuses to return a model that it has not got at the opset that was asked for.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from workbench.errors import ExecutionError, InputError

if TYPE_CHECKING:
    import onnx

LIMIT_S = 60
MAX_BYTES = 256 * 2**20
"""Larger models are not converted: the converter keeps several copies."""

_PROGRAM = """
import sys, onnx
from onnx import version_converter
model = onnx.load_model_from_string(sys.stdin.buffer.read())
made = version_converter.convert_version(model, int(sys.argv[1]))
sys.stdout.buffer.write(made.SerializeToString())
"""


class ConversionError(ExecutionError):
    """A model cannot be brought to another opset."""


def converted(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Return a model at `opset` of the ``ai.onnx`` domain.

    Raises
    ------
    InputError
        Where the model is larger than `MAX_BYTES`.
    ConversionError
        Where the converter refuses, dies or takes longer than `LIMIT_S` seconds.
    """
    import onnx

    data = model.SerializeToString()
    if len(data) > MAX_BYTES:
        raise InputError("The model is too large to convert.", f"{len(data):,} bytes")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROGRAM, str(opset)],
            input=data,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as cause:
        raise ConversionError(
            f"The model was not converted to opset {opset}.", f"no end after {LIMIT_S} s"
        ) from cause
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no word"]
        ended = f"signal {-done.returncode}: " if done.returncode < 0 else ""
        raise ConversionError(
            f"The model was not converted to opset {opset}.",
            (ended + words[-1])[:300],
            "export it again at that opset, from where it was made",
        )
    return onnx.load_model_from_string(done.stdout)
