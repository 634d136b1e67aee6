"""The data of an ONNX model that is kept in other files: in its folder, whole, not too large.

It refuses data outside the model's folder, however that is written, and to read anything before
the sizes are known to fit.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import DataFileError

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2**31 - 1
"""Protocol buffers' own limit for one message; larger models keep their data in other files."""


class ModelFileError(DataFileError):
    """An ONNX file cannot be used."""


# bits of an element by ONNX's data types, https://onnx.ai/onnx/intro/concepts.html#element-type
ELEMENT_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64,
    15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip


def data_folder(model: onnx.ModelProto, source: Any, real: Path | None) -> Path | None:
    """Return the folder whose files are the model's data: beside the file, or beside its link."""
    if real is None or not Path(source).is_symlink():
        return real
    there = all((real / place).is_file() for _, place in _external_places(model))
    return real if there else Path(source).parent.resolve()


def _external_places(model: onnx.ModelProto) -> list[tuple[onnx.TensorProto, str]]:
    return [
        (tensor, entry.value)
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    ]


def check_total(model: onnx.ModelProto, name: str) -> None:
    """Raise, before any data is read, where the model and its data pass the format's limit."""
    data = [tensor for tensor, _ in _external_places(model)]
    bits = sum(math.prod(t.dims) * ELEMENT_BITS.get(t.data_type, 0) for t in data)
    total = model.ByteSize() + bits // 8
    if total > MAX_BYTES:
        raise ModelFileError(
            f"{name} is too large to be looked at here.",
            f"{total} bytes with its data; the limit for a model in one piece is {MAX_BYTES}",
            "preview one of its layers, or a smaller configuration: the operators are the same",
        )


def check_external(tensor: Any, name: str, folder: Path | None, need: int) -> None:
    """Raise where a tensor's `need` bytes are not in a file inside the model's folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise ModelFileError(
            f"{name} keeps data in another file, and was not given as a file.",
            f"{tensor.name!r} in {location!r}",
            "give the path of the .onnx file",
        )
    path = (folder / location).resolve()
    written = Path(os.path.normpath(folder / location)) if "\0" not in location else path
    if written.is_symlink() and written.is_relative_to(folder) > path.is_relative_to(folder):
        raise ModelFileError(
            f"{name} keeps its data behind a link.",
            f"{location!r} is a link that leads outside the folder",
            "copy both, the model and its data, into one folder (`cp -L`)",
        )
    if not location or "\0" in location or not path.is_relative_to(folder):
        raise ModelFileError(
            f"{name} points outside its own folder.",
            f"the data of {tensor.name!r} is said to be in {location!r}",
            "do not use this file: a sound exporter writes no such path",
        )
    if not path.is_file():
        raise ModelFileError(
            f"{name} misses the file with its data.",
            f"{location!r} is not beside it",
            f"copy {location!r} into the same folder",
        )
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", need))
    except ValueError as cause:
        raise ModelFileError(
            f"{name} has a broken place of external data.", str(entries)
        ) from cause
    if offset < 0 or length != need or offset + length > path.stat().st_size:
        raise ModelFileError(
            f"{name} and its data file do not fit.",
            f"{tensor.name!r} needs {need} bytes at {offset}; {location!r} has "
            f"{path.stat().st_size}",
            "both files must come from the same export",
        )


def read_external(model: onnx.ModelProto, folder: Path, name: str) -> None:
    """Read the data into the model."""
    from onnx import external_data_helper

    try:
        external_data_helper.load_external_data_for_model(model, str(folder))
    except Exception as cause:
        raise ModelFileError(f"The data of {name} cannot be read.", str(cause)) from cause
