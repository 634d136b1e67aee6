"""Runs the diverging node by itself: is the error made there, and where in its body.

A node is run alone, with the inputs that the believed place gave it. One with a body (``If``,
``Loop``, ``Scan``) is entered: its body becomes a model, fed with what it is given in each
iteration, and is compared value by value as the graph around it was. It refuses to enter where a
place cannot run a piece of a graph, or a scan's slices are not along their first axis: then it
names the body's results that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.portability.places import Place, Values

if TYPE_CHECKING:
    import onnx

MOST_ITERATIONS = 32
"""Iterations of a body that are compared, one by one: each opens sessions of its own."""

_FIRST_OUTPUT = {"If": 0, "Loop": 1, "Scan": 0}  # of the body, that is an output of the node


def bodies_of(node: onnx.NodeProto) -> dict[str, onnx.GraphProto]:
    """Return the bodies of a node by the name of their attribute; none for most nodes."""
    import onnx

    graphs = [a for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return {attribute.name: attribute.g for attribute in graphs}


def known_values(
    model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], values: Values
) -> dict[str, np.ndarray]:
    """Return every value of a graph that is known: constants, inputs, and what was computed."""
    import onnx

    constants = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    return {**constants, **feeds, **values}


def run_alone(
    model: onnx.ModelProto, node: onnx.NodeProto, value: str, known: Values, place: Place
) -> np.ndarray | None:
    """Run one node on a place and return one of its results; None where that cannot be done."""
    import onnx

    names = [name for name in dict.fromkeys(node.input) if name]
    if not place.runs_nodes or bodies_of(node) or not all(name in known for name in names):
        return None
    graph = onnx.helper.make_graph(
        [node], "one_node", _inputs(names, known), [onnx.ValueInfoProto(name=value)]
    )
    fed = {name: np.asarray(known[name]) for name in names}
    return place.run(_model(model, graph), fed)[value]


def look_inside(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    differing: list[str],
    known: Values,
    places: tuple[Place, Place],
    compare: Callable[..., Any],
) -> tuple[str, ...]:
    """Return, in words, where in the bodies of a node two places first differ.

    Parameters
    ----------
    model : onnx.ModelProto
    node : onnx.NodeProto
        With a body.
    differing : list of str
        Its results that differ.
    known : dict
        The values that the first place believes.
    places : (Place, Place)
    compare : callable
        ``compare(model, a, b, inputs=...)``, which walks a body's model.
    """
    results = [_result_of(node, list(node.output).index(value)) for value in differing]
    border = f"of its body, these results differ: {', '.join(filter(None, results))}"
    if not all(place.runs_nodes for place in places):
        return (border, "its body was not entered: one of the places runs whole models only")
    try:
        for where, body, fed in _iterations(model, node, known, places[0]):
            found = compare(body, *places, inputs=fed)
            if found.first is not None:
                return (border, f"in {where}: {found.sentence}", *found.notes)
    except (WorkbenchError, KeyError, ValueError) as error:
        return (border, f"its body was not entered: {error}".splitlines()[0])
    return (border, f"given the same inputs, {MOST_ITERATIONS} iterations or all of them agree")


def _result_of(node: onnx.NodeProto, index: int) -> str:
    names = []
    for name, body in bodies_of(node).items():
        at = index + _FIRST_OUTPUT.get(node.op_type, 0)
        if at < len(body.output):
            names.append(f"{body.output[at].name} ({name})")
    return " or ".join(names)


Step = tuple[str, Any, dict[str, np.ndarray]]


def _iterations(
    model: onnx.ModelProto, node: onnx.NodeProto, known: Values, believed: Place
) -> Iterator[Step]:
    """Yield, for each time a body runs: where that is, the body as a model, and its inputs."""
    bodies = bodies_of(node)
    if node.op_type == "If":
        name = "then_branch" if np.asarray(known[node.input[0]]).all() else "else_branch"
        yield f"its {name}", *_as_model(model, bodies[name], known, {})
    elif node.op_type == "Loop":
        yield from _loop(model, node, bodies["body"], known, believed)
    elif node.op_type == "Scan":
        yield from _scan(model, node, bodies["body"], known, believed)
    else:
        raise ValueError(f"{node.op_type} runs its body in a way that is not known here")


def _loop(model, node, body, known, believed) -> Iterator[Step]:
    trips = int(known[node.input[0]]) if node.input[0] else MOST_ITERATIONS
    goes_on = bool(known[node.input[1]]) if len(node.input) > 1 and node.input[1] else True
    carried = [np.asarray(known[name]) for name in node.input[2:]]
    names = [value.name for value in body.input]
    for trip in range(min(trips, MOST_ITERATIONS)):
        if not goes_on:
            return
        given = dict(zip(names, [np.int64(trip), np.bool_(True), *carried], strict=True))
        piece, fed = _as_model(model, body, known, given)
        yield f"iteration {trip} of its body", piece, fed
        results = believed.run(piece, fed)
        goes_on = bool(results[body.output[0].name])
        carried = [results[out.name] for out in body.output[1 : 1 + len(carried)]]


def _scan(model, node, body, known, believed) -> Iterator[Step]:
    given = {attribute.name: attribute for attribute in node.attribute}
    scanned = given["num_scan_inputs"].i
    ways = [given.get(f"scan_input_{kind}") for kind in ("axes", "directions")]
    if any(any(way.ints) for way in ways if way is not None):
        raise ValueError("it scans along another axis than the first, or backwards")
    arrays = [np.asarray(known[name]) for name in node.input]
    states, sequences = arrays[: len(arrays) - scanned], arrays[len(arrays) - scanned :]
    names = [value.name for value in body.input]
    for trip in range(min(len(sequences[0]), MOST_ITERATIONS)):
        slices = [sequence[trip] for sequence in sequences]
        bound = dict(zip(names, [*states, *slices], strict=True))
        piece, fed = _as_model(model, body, known, bound)
        yield f"iteration {trip} of its body", piece, fed
        results = believed.run(piece, fed)
        states = [results[out.name] for out in body.output[: len(states)]]


def _as_model(
    model: onnx.ModelProto, body: onnx.GraphProto, known: Values, given: Mapping[str, Any]
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Return a body as a model, whose inputs are its own and what it takes from around it."""
    import onnx

    outer = {name: known[name] for name in sorted(_taken_from_outside(body)) if name in known}
    fed = {name: np.asarray(value) for name, value in {**outer, **given}.items()}
    graph = onnx.GraphProto()
    graph.CopyFrom(body)
    del graph.input[:]
    made = {value for node in body.node for value in node.output}
    results = {value.name for value in body.output}
    fed = {n: v for n, v in fed.items() if n not in made}
    graph.input.extend(_inputs(list(fed), fed))
    for name in sorted(results - made):  # handed through: as a model it needs a node
        inner = f"{name}__in"
        next(value for value in graph.input if value.name == name).name = inner
        for node in graph.node:
            node.input[:] = [inner if value == name else value for value in node.input]
        graph.node.append(onnx.helper.make_node("Identity", [inner], [name]))
        fed[inner] = fed.pop(name)
    return _model(model, graph), fed


def _taken_from_outside(graph: onnx.GraphProto) -> set[str]:
    own = {value.name for value in graph.input} | {c.name for c in graph.initializer}
    taken: set[str] = set()
    for node in graph.node:
        inner = [_taken_from_outside(body) for body in bodies_of(node).values()]
        taken |= ({*node.input} - {""}).union(*inner) - own
        own |= set(node.output)
    return (taken | {value.name for value in graph.output}) - own


def _inputs(names: list[str], values: Mapping[str, Any]) -> list[onnx.ValueInfoProto]:
    import onnx

    kind, info = onnx.helper.np_dtype_to_tensor_dtype, onnx.helper.make_tensor_value_info
    return [info(n, kind(np.asarray(values[n]).dtype), np.shape(values[n])) for n in names]


def _model(model: onnx.ModelProto, graph: onnx.GraphProto) -> onnx.ModelProto:
    import onnx

    return onnx.helper.make_model(
        graph,
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
        functions=list(model.functions),
    )
