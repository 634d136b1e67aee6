"""Operators of one's own: nodes that neither ONNX, nor the runtime, nor the model itself defines.

No provider has such a node, and the runtime refuses a model that holds one. What it would do with
the rest is still worth knowing, so the node is cut out: its results become inputs of the graph and
its arguments outputs. It refuses to guess what the node computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.portability.load import known_domains
from workbench.portability.names import all_nodes

if TYPE_CHECKING:
    import onnx

WAYS_ROUND = (
    "register the library that has it with the session (register_custom_ops_library), keep it as a "
    "function of the model (an onnxscript function, or custom= of `export`), or write it with "
    "ONNX's operators"
)


def own_operators(model: onnx.ModelProto) -> dict[str, str]:
    """Return the top-level nodes that no provider has, by name, with the reason.

    A node that holds such a one in a body is one itself.
    """
    known = known_domains(model)
    found = {}
    for node in model.graph.node:
        inside = [
            one
            for attribute in node.attribute
            for body in (attribute.g, *attribute.graphs)
            for one in all_nodes(body)
        ]
        foreign = [one for one in (node, *inside) if not known(one.domain)]
        if foreign:
            name = f"{foreign[0].domain}::{foreign[0].op_type}"
            where = "" if foreign[0] is node else "its body holds one of them: "
            found[node.name] = f"{where}nobody here defines the operator {name}"
    return found


def without(model: onnx.ModelProto, names: set[str]) -> tuple[onnx.ModelProto, list[str]]:
    """Return the model with nodes cut out, and what had to be assumed for it.

    Parameters
    ----------
    model : onnx.ModelProto
    names : set of str
        Of top-level nodes.
    """
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    graph = cut.graph
    gone = [node for node in model.graph.node if node.name in names]
    del graph.node[:]
    graph.node.extend(node for node in model.graph.node if node.name not in names)
    typed = {value.name: value for value in (*graph.value_info, *graph.output)}
    made = {value for node in graph.node for value in node.output}
    promised = {value.name for value in graph.output}
    lost = {value for node in gone for value in node.output if value}
    assumed = []
    for name in sorted(lost):
        value = typed.get(name)
        if value is None or not value.type.WhichOneof("value"):
            assumed.append(name)
            value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        graph.input.append(value)
    kept = [value for value in graph.output if value.name not in lost]
    del graph.output[:]
    graph.output.extend(kept)
    for name in sorted({value for node in gone for value in node.input if value}):
        if name in made and name not in promised:
            graph.output.append(typed.get(name) or onnx.ValueInfoProto(name=name))
    del graph.value_info[:]
    return cut, assumed
