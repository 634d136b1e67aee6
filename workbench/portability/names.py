"""The nodes of a model, those of the bodies inside it too, each with a name of its own.

The records of what ran where know nodes by their names alone, which ONNX leaves optional and
ambiguous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def all_nodes(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    """Yield the nodes of a graph and of the bodies inside it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from all_nodes(body)


def with_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model where each node has a name of its own; a copy where one had to be given."""
    seen = Counter(node.name for node in all_nodes(model.graph))
    if "" not in seen and all(count == 1 for count in seen.values()):
        return model
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    taken: set[str] = set()
    for index, node in enumerate(all_nodes(copy.graph)):
        if not node.name or node.name in taken:
            name = f"{node.name or node.op_type}_{index}"
            while name in seen or name in taken:
                name += "_"
            node.name = name
        taken.add(node.name)
    return copy
