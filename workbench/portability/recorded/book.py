"""The files of recordings, and how a model is found in them.

A recording is looked up by the *structure* of a model (operators, names, attributes, shapes,
opset), never by its weights: a network exported again with other random numbers is the same
question. What is not in a recording raises `NotRecordedError`; nothing is ever made up or taken
from a neighbour.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.catalog import folder
from workbench.errors import DataFileError, UnavailableError

if TYPE_CHECKING:
    import onnx

FORMAT = 1
_SMALL = 64
"""Integers of a constant up to this many are part of the structure: axes, shapes, pads."""


class NotRecordedError(UnavailableError):
    """Something was asked of a recording that is not in it."""


@dataclass
class Book:
    """One file of recordings, all taken on one machine.

    Attributes
    ----------
    machine, taken_at : str
        Where and when (ISO 8601).
    versions : dict
        Package to version, of what was recorded.
    entries : dict
        Key to what was recorded; each player knows its own form.
    """

    machine: str
    taken_at: str
    versions: dict[str, str]
    entries: dict[str, Any] = field(default_factory=dict)

    @property
    def caption(self) -> str:
        """Return the sentence that stands wherever something of the recording is shown."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"recorded on {self.taken_at[:10]} on {self.machine}, with {versions}"

    def entry(self, model: onnx.ModelProto, *words: str) -> Any:
        """Return what was recorded for a model, or raise.

        Raises
        ------
        NotRecordedError
            Where this model was not recorded with these words.
        """
        found = self.entries.get(key_of(model, *words))
        if found is None:
            operators = ", ".join(dict.fromkeys(node.op_type for node in model.graph.node))
            raise NotRecordedError(
                f"This model is not in the recording ({' '.join(filter(None, words))}).",
                f"its operators: {operators[:200]}; {self.caption}",
                "leave the network as the notebook has it, or install what is missing and run it "
                "for yourself (`workbench providers list`)",
            )
        return found


def key_of(model: onnx.ModelProto, *words: str) -> str:
    """Return the key of a model's structure, with `words` (a provider, a mode) in it."""
    return "/".join((*words, structure(model)))


def structure(model: onnx.ModelProto) -> str:
    """Return a digest of everything in a model but its weights, comments and metadata."""
    lines = [repr(sorted((entry.domain, entry.version) for entry in model.opset_import))]
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in dims]
        lines.append(repr((value.name, value.type.tensor_type.elem_type, sizes)))
    for constant in model.graph.initializer:
        lines.append(repr((constant.name, constant.data_type, list(constant.dims))))
        lines.append(_integers(constant))
    lines += _node_lines(model.graph)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:20]


def _integers(constant: Any) -> str:
    from onnx import numpy_helper

    if constant.data_type not in (6, 7) or len(constant.dims) > 1:  # int32, int64
        return ""
    found = numpy_helper.to_array(constant).ravel()
    return repr(found.tolist()) if found.size <= _SMALL else ""


def _node_lines(graph: Any) -> list[str]:
    lines = []
    for node in graph.node:
        lines.append(repr((node.domain, node.op_type, list(node.input), list(node.output))))
        for attribute in sorted(node.attribute, key=lambda a: a.name):
            if attribute.HasField("g"):
                lines += [attribute.name, *_node_lines(attribute.g)]
            else:
                data = attribute.SerializeToString(deterministic=True)
                lines.append(f"{attribute.name} {hashlib.sha256(data).hexdigest()}")
    return lines


def books_folder() -> Path:
    """Return where the recordings of providers are."""
    return folder("datasets") / "recordings" / "providers"


@cache
def read_book(name: str) -> Book:
    """Return the recording called `name`.

    Raises
    ------
    DataFileError
        Where it is missing, damaged, or of a newer form.
    """
    path = books_folder() / f"{name}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its form is {data['format']}, and {FORMAT} is what is known here")
        return Book(data["machine"], data["taken_at"], data["versions"], data["entries"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise DataFileError(
            f"The recording {name!r} cannot be read.",
            f"{path}: {type(cause).__name__}: {cause}",
            "take it from the repository again, or record it: scripts/record_providers",
        ) from cause


def write_book(name: str, book: Book) -> Path:
    """Write a recording, one entry a line so that a change can be read, and return the file."""
    path = books_folder() / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "format": FORMAT,
        "provenance": "recorded",
        "machine": book.machine,
        "taken_at": book.taken_at,
        "versions": book.versions,
    }
    rows = ",\n".join(
        f"{json.dumps(key)}:{json.dumps(book.entries[key], separators=(',', ':'), allow_nan=False)}"
        for key in sorted(book.entries)
    )
    text = json.dumps(head, indent=1)[:-2] + ',\n "entries": {\n' + rows + "\n}}\n"
    path.write_text(text, encoding="utf-8")
    return path
