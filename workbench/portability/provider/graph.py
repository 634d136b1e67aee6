"""The runtime's description of a graph, as records.

The C++ side sends JSON; this turns it into `Node` and `Value`. It refuses to interpret: what an
operator means is the kernels' business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

# Element types of ONNX's TensorProto.DataType that NumPy has: https://onnx.ai/onnx/intro/concepts.html
DTYPES: dict[int, np.dtype] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
}


@dataclass(frozen=True)
class Value:
    """An input or output of a node.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype or None
        None for what is not a tensor of a NumPy type (strings, sequences, bfloat16, ...).
    shape : tuple of int
        -1 where a dimension is not known.
    constant : bool
        Whether it is an initialiser.
    """

    name: str
    dtype: np.dtype | None
    shape: tuple[int, ...]
    constant: bool


@dataclass(frozen=True)
class Node:
    """One operator in the graph.

    Attributes
    ----------
    name, operator, domain : str
    version : int
        The opset in which this form of the operator appeared.
    inputs, outputs : tuple of Value or None
        None where an optional one is left out.
    attributes : dict
        Decoded: int, float, str, lists of them, or arrays; `Unreadable` where it is none of these.
    subgraphs : int
        How many graphs the node holds (``If``, ``Loop``, ``Scan``).
    nested : bool
        Whether the node stands in such a graph itself.
    """

    name: str
    operator: str
    domain: str
    version: int
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    subgraphs: int = 0
    nested: bool = False

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or `default` where the node does not carry it."""
        return self.attributes.get(name, default)

    def dtype(self, index: int = 0) -> np.dtype | None:
        """Return the dtype of an output."""
        value = self.outputs[index]
        return value.dtype if value else None


class Unreadable:
    """An attribute that is not plain data."""


def parse_nodes(text: bytes) -> list[Node]:
    """Return the nodes in the runtime's JSON, in the order of execution."""
    return [node_of(entry) for entry in json.loads(text)]


def parse_node(text: bytes) -> Node:
    """Return one node in the runtime's JSON."""
    return node_of(json.loads(text))


def node_of(entry: dict[str, Any]) -> Node:
    """Return one node of the runtime's description."""
    return Node(
        _text(entry["name"]),
        _text(entry["operator"]),
        entry["domain"],
        entry["version"],
        tuple(map(_value, entry["inputs"])),
        tuple(map(_value, entry["outputs"])),
        {name: _attribute(*found) for name, found in entry["attributes"].items()},
        entry["subgraphs"],
        entry["nested"],
    )


def _text(escaped: str) -> str:
    """Undo the escaping of single bytes: names are UTF-8."""
    return escaped.encode("latin-1", "replace").decode("utf-8", "replace")


def _value(entry: list[Any] | None) -> Value | None:
    if entry is None or not entry[0]:
        return None
    return Value(_text(entry[0]), DTYPES.get(entry[1]), tuple(entry[2]), entry[3])


def _attribute(kind: int, value: Any) -> Any:
    if kind == 8 and value is not None:
        element, dims, data = value
        dtype = DTYPES.get(element)
        if dtype is None:
            return Unreadable()
        return np.frombuffer(bytes.fromhex(data), dtype).reshape(dims)
    if not isinstance(value, str):
        return Unreadable()
    data = bytes.fromhex(value)
    if kind in (1, 2):
        numbers = np.frombuffer(data, np.int64).tolist()
    elif kind in (3, 4):
        numbers = np.frombuffer(data, np.float32).astype(float).tolist()
    elif kind == 5:
        return data.rstrip(b"\0").decode("utf-8", "replace")
    else:
        return [piece.decode("utf-8", "replace") for piece in data.rstrip(b"\0").split(b"\0")]
    return numbers[0] if kind in (1, 3) else numbers
