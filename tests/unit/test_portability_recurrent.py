"""LSTM, GRU and RNN of our own, held against ONNX Runtime's on any layer that both take."""

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.portability.ascend.chip import Chip
from workbench.portability.provider.engine import Provider
from workbench.portability.session import open_session

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ACTIVATIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}


@st.composite
def layers(draw):
    """A recurrent layer as a model, and inputs for it."""
    kind = draw(st.sampled_from(sorted(GATES)))
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    steps, batch, size, hidden = (draw(st.integers(1, 4)) for _ in range(4))
    ways = 2 if direction == "bidirectional" else 1
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    rows = GATES[kind] * hidden
    shapes = {"w": (ways, rows, size), "r": (ways, rows, hidden), "b": (ways, 2 * rows)}
    shapes["h"] = shapes["c"] = (ways, batch, hidden)
    shapes["p"] = (ways, 3 * hidden)
    feeds = {"x": rng.standard_normal((steps, batch, size)).astype(np.float32)}
    given = {name: draw(st.booleans()) for name in ("b", "lengths", "h", "c", "p")}
    order = ["w", "r", "b", "lengths", "h", *(["c", "p"] if kind == "LSTM" else [])]
    names = ["x"]
    for name in order:
        here = given.get(name, True)
        names.append(name if here else "")
        if here and name == "lengths":
            feeds[name] = rng.integers(1, steps + 1, batch).astype(np.int32)
        elif here:
            feeds[name] = rng.standard_normal(shapes[name]).astype(np.float32)
    attributes = {"hidden_size": hidden, "direction": direction}
    if draw(st.booleans()):
        attributes["clip"] = 0.5
    if kind == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    if draw(st.booleans()):
        kinds = st.lists(
            st.sampled_from(["Sigmoid", "Tanh", "Relu"]),
            min_size=ways * ACTIVATIONS[kind],
            max_size=ways * ACTIVATIONS[kind],
        )
        attributes["activations"] = draw(kinds)
    outputs = ["y", "y_h", *(["y_c"] if kind == "LSTM" else [])]
    node = onnx.helper.make_node(kind, names, outputs, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "layer",
        [
            onnx.helper.make_tensor_value_info(n, 6 if n == "lengths" else 1, v.shape)
            for n, v in feeds.items()
        ],
        [onnx.helper.make_tensor_value_info(n, 1, None) for n in outputs],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), feeds


@settings(max_examples=120, deadline=None)
@given(layers())
def test_a_layer_computes_what_onnx_runtime_computes(layer):
    model, feeds = layer
    provider = Provider()
    session = provider.open_session(model, whole_graph=True)
    wanted = open_session(model).run(feeds)
    for got, want in zip(session.run(feeds), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(layers())
def test_the_graph_engine_of_the_simulated_device_has_the_layers_too(layer):
    model, feeds = layer
    shapes = ";".join(f"{n}:{','.join(map(str, v.shape))}" for n, v in feeds.items())
    chip = Chip()
    program = chip.build({"onnx": model.SerializeToString(), "shapes": shapes})
    results = chip.run({"program": program["key"], "inputs": list(feeds.values())})
    for got, want in zip(results, open_session(model).run(feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_activations_with_parameters_of_their_own_are_left():
    node = onnx.helper.make_node(
        "RNN", ["x", "w", "r"], ["y"], hidden_size=1, activations=["LeakyRelu"]
    )
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node], "g", [info(name, 1, [1, 1, 1]) for name in "xwr"], [info("y", 1, None)]
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    provider = Provider()
    provider.open_session(model)
    assert [one.operator for one, _ in provider.record.refused] == ["RNN"]
