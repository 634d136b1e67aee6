"""Reads an ONNX file that may be anything, and says what is wrong with it.

A model from outside may be truncated, hostile or simply something else. Everything that can be
checked without the runtime's native code is checked here, in this order: that it is there and not
too large; that it parses; that it has a graph; that sizes are what the data can hold; that external
data is inside the model's folder; that the graph has no cycle and uses nothing undefined; that
opsets and domains are known. Then ONNX's own checker has its say. It refuses to run anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.portability.external_data import (
    ELEMENT_BITS,
    MAX_BYTES,
    ModelFileError,
    check_external,
    check_total,
    data_folder,
    read_external,
)

if TYPE_CHECKING:
    import onnx

MAX_DEPTH = 32
"""Graphs within graphs: deeper than any real model, and shallow enough for native recursion."""


def load_model(source: Any, *, check: bool = True, own_operators: bool = False) -> onnx.ModelProto:
    """Return a sound model from a path, bytes or a model in memory.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        External data is read into the model, from the file's own folder only.
    check : bool
        Whether ONNX's own checker runs last.
    own_operators : bool
        Whether nodes of a domain that nobody here has may pass: no runtime takes the model then.

    Raises
    ------
    ModelFileError
        Saying what is wrong, where, and what to do.
    """
    import onnx

    if isinstance(source, onnx.ModelProto):
        model, folder, name = source, None, "the model"
    else:
        data, folder, name = _read(source)
        model = _parse(data, name)
        folder = data_folder(model, source, folder)
    _check_envelope(model, name)
    _check_graph(model.graph, name, folder, set(), 0)
    if not own_operators:
        _check_domains(model, model.graph, name)
    check_total(model, name)
    if folder is not None:
        read_external(model, folder, name)
    if check:
        _check_with_onnx(model, name)
    return model


def _read(source: Any) -> tuple[bytes, Path | None, str]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), None, "the model"
    path = Path(source)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ModelFileError("A folder is not an ONNX file.", str(path), "name the .onnx file")
        if size > MAX_BYTES:
            raise ModelFileError(
                f"{path.name} is too large for one ONNX file.",
                f"{size} bytes; the format's limit is {MAX_BYTES}",
                "save its weights as external data",
            )
        return path.read_bytes(), path.resolve().parent, path.name
    except OSError as cause:
        raise ModelFileError(
            f"{path.name} cannot be read.", str(cause), "check the path and the permissions"
        ) from cause


def _parse(data: bytes, name: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError) as cause:
        start = data[:8].hex(" ")
        raise ModelFileError(
            f"{name} is not an ONNX file, or is cut short.",
            f"{len(data)} bytes beginning with {start or 'nothing'}; {cause}",
            "download or export it again; a file of a few hundred bytes is often a pointer "
            "that `git lfs pull` resolves",
        ) from cause
    return model


def _check_envelope(model: onnx.ModelProto, name: str) -> None:
    import onnx

    if not model.HasField("graph") or not model.graph.node or not model.ir_version:
        raise ModelFileError(
            f"{name} holds no ONNX model.",
            f"IR version {model.ir_version}, {len(model.graph.node)} nodes",
            "is it an ONNX file at all? Export it again",
        )
    if model.ir_version > onnx.IR_VERSION:
        raise ModelFileError(
            f"{name} is of a newer ONNX than this one.",
            f"IR version {model.ir_version}, known up to {onnx.IR_VERSION}",
            "upgrade onnx, or export for an older one",
        )
    newest = onnx.defs.onnx_opset_version()
    for entry in model.opset_import:
        if entry.domain == "com.microsoft" and entry.version != 1:
            raise ModelFileError(
                f"{name} asks for an opset that does not exist here.",
                f"domain com.microsoft at {entry.version}, known is 1",
                "export it again",
            )
    versions = [e.version for e in model.opset_import if e.domain in ("", "ai.onnx")]
    if any(not 1 <= version <= newest for version in versions):
        raise ModelFileError(
            f"{name} asks for an opset that does not exist here.",
            f"opset {versions}, known from 1 to {newest}",
            "upgrade onnx, or export at an older opset",
        )


def known_domains(model: onnx.ModelProto) -> Callable[[str], bool]:
    """Return what says whether ONNX, the runtime or the model itself has a domain."""
    import onnx

    known = {"", "ai.onnx", *(schema.domain for schema in onnx.defs.get_all_schemas())}
    known |= {function.domain for function in model.functions}
    return lambda domain: domain in known or domain.startswith("com.microsoft")


def _check_domains(model: onnx.ModelProto, graph: onnx.GraphProto, name: str) -> None:
    """Raise where a node is of a domain that neither ONNX, the runtime nor the model itself has."""
    known = known_domains(model)
    for node in graph.node:
        if not known(node.domain):
            raise ModelFileError(
                f"{name} has a node of a domain that nobody here has.",
                f"node {node.name!r} ({node.op_type}) is of {node.domain!r}",
                "keep it as a function in the model, or write it with ONNX's operators",
            )
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                _check_domains(model, body, name)


def _check_graph(
    graph: onnx.GraphProto, name: str, folder: Path | None, outer: set[str], depth: int
) -> None:
    import onnx

    if depth > MAX_DEPTH:
        raise ModelFileError(f"{name} nests graphs too deeply.", f"more than {MAX_DEPTH} levels")
    for tensor in graph.initializer:
        _check_tensor(tensor, name, folder)
    known = outer | {v.name for v in graph.input} | {t.name for t in graph.initializer}
    known |= {tensor.values.name for tensor in graph.sparse_initializer}
    made = {output for node in graph.node for output in node.output}
    _check_names(graph, name)
    for node in graph.node:
        missing = [value for value in node.input if value and value not in known]
        if missing:
            later = [value for value in missing if value in made]
            raise ModelFileError(
                f"{name} has a cycle, or its nodes are out of order."
                if later
                else f"{name} uses a value that nobody makes.",
                f"node {node.name!r} ({node.op_type}) needs {missing[0]!r}",
                "export it again, or sort its nodes",
            )
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _check_tensor(attribute.t, name, folder)
            for body in (attribute.g, *attribute.graphs):
                if body.node:
                    _check_graph(body, name, folder, known, depth + 1)
        known.update(node.output)
    lost = [value.name for value in graph.output if value.name not in known]
    if lost:
        raise ModelFileError(f"{name} promises an output that nobody makes.", repr(lost[0]))


def _check_names(graph: onnx.GraphProto, name: str) -> None:
    """Raise where a name is not UTF-8: it is then read as bytes, which nothing else takes."""
    values = [value.name for value in (*graph.input, *graph.output, *graph.value_info)]
    tensors = [tensor.name for tensor in graph.initializer]
    parts = [(n.name, n.op_type, n.domain, *n.input, *n.output) for n in graph.node]
    for text in (*values, *tensors, *(text for part in parts for text in part)):
        if isinstance(text, bytes):
            raise ModelFileError(
                f"{name} holds a name that is not UTF-8.",
                repr(text[:60]),
                "export it again, or rename it with the tool that wrote it",
            )


def _check_tensor(tensor: onnx.TensorProto, name: str, folder: Path | None) -> None:
    import onnx

    external = tensor.data_location == onnx.TensorProto.EXTERNAL
    if any(size < 0 for size in tensor.dims):
        raise ModelFileError(f"{name} has a tensor of negative size.", f"{tensor.name!r}")
    count = math.prod(tensor.dims)
    bits = ELEMENT_BITS.get(tensor.data_type)
    if bits is None:
        if tensor.data_type != onnx.TensorProto.STRING:
            raise ModelFileError(
                f"{name} has a tensor of an unknown type.", f"{tensor.name!r}: {tensor.data_type}"
            )
        bits = 0
    need = -(-count * bits // 8)
    if need > MAX_BYTES and not external:
        raise ModelFileError(
            f"{name} declares a tensor that no file can hold.",
            f"{tensor.name!r} of shape {list(tensor.dims)} needs {need} bytes",
        )
    if external:
        check_external(tensor, name, folder, need)
    elif tensor.raw_data and len(tensor.raw_data) != need:
        raise ModelFileError(
            f"{name} has a tensor whose data does not fit its shape.",
            f"{tensor.name!r} of shape {list(tensor.dims)} needs {need} bytes, has "
            f"{len(tensor.raw_data)}",
            "the file is damaged: download or export it again",
        )


def _check_with_onnx(model: onnx.ModelProto, name: str) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except Exception as cause:
        reason = str(cause).strip().splitlines() or [type(cause).__name__]
        raise ModelFileError(
            f"ONNX's own checker refuses {name}.",
            " ".join(reason[:3])[:600],
            "the message names the node; export it again, or report it to the exporter",
        ) from cause
