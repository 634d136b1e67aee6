"""The first divergence inside the bodies of If, Loop and Scan."""

import numpy as np
import onnx
import pytest

from workbench.errors import StoppedError
from workbench.portability.comparing import compare
from workbench.portability.names import all_nodes
from workbench.portability.places import Place, provider_place
from workbench.portability.previewing import Preview
from workbench.portability.session import open_session

CPU = "CPUExecutionProvider"
HEAD = '<ir_version: 9, opset_import: ["" : 18]>\n'
IF = HEAD + (
    "g (float[3] x, bool c) => (float[3] z) { y = Neg(x)  z = If(c) <\n"
    "then_branch = t () => (float[3] p) { s = Sin(y)  p = Relu(s) },\n"
    "else_branch = e () => (float[3] q) { q = Neg(y) }> }"
)
LOOP = HEAD + (
    "g (float[3] x, int64 n, float[3] w) => (float[3] z, float[k, 3] all) {\n"
    " t = Constant <value = bool {1}> ()  z, all = Loop(n, t, x) < body = b\n"
    "(int64 i, bool on, float[3] state) => (bool on, float[3] next, float[3] seen) {\n"
    " f = CastLike(i, state)  m = Mul(state, w)  s = Sin(m)  next = Add(s, f)\n"
    " seen = Identity(next) }> }"
)
SCAN = HEAD + (
    "g (float[3] x, float[4, 3] xs) => (float[3] z, float[4, 3] all) {\n"
    " z, all = Scan <num_scan_inputs = 1, body = b (float[3] state, float[3] one)\n"
    "=> (float[3] next, float[3] seen) { s = Sin(one)  next = Add(state, s)\n"
    " seen = Neg(next) }> (x, xs) }"
)
X = np.array([0.5, -1.0, 2.0], np.float32)


def wrong(operator, instead, only_over=-np.inf):
    """A place that computes `instead` for `operator`, where its model is fed more than a bound."""

    def run(model, feeds):
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        largest = max((float(np.max(v)) for n, v in feeds.items() if n == "i"), default=np.inf)
        for node in all_nodes(changed.graph):
            if node.op_type == operator and largest > only_over:
                node.op_type = instead
        return provider_place(CPU).run(changed, feeds)

    return Place("wrong", run)


def test_the_branch_that_was_taken_is_walked():
    model = onnx.parser.parse_model(IF)
    found = compare(model, CPU, wrong("Sin", "Cos"), inputs={"x": X, "c": np.array(True)})
    assert found.first.operator == "If"
    assert found.notes[0] == "of its body, these results differ: p (then_branch) or q (else_branch)"
    assert found.notes[1].startswith("in its then_branch: ")
    assert "first differ at Sin" in found.notes[1]
    other = {"x": X, "c": np.array(False)}
    assert compare(model, CPU, wrong("Sin", "Cos"), inputs=other).first is None


@pytest.mark.parametrize(("only_over", "iteration"), [(-1, 0), (1, 2)])
def test_a_loop_is_walked_iteration_by_iteration_with_what_the_believed_place_carried(
    only_over, iteration
):
    model = onnx.parser.parse_model(LOOP)
    feeds = {"x": X, "n": np.array(4, np.int64), "w": np.ones(3, np.float32)}
    found = compare(model, CPU, wrong("Sin", "Cos", only_over), inputs=feeds)
    assert found.first.operator == "Loop"
    assert "next (body)" in found.notes[0]
    assert "seen (body)" in found.notes[0]
    assert f"in iteration {iteration} of its body: " in found.notes[1]
    assert "first differ at Sin" in found.notes[1]


def test_a_scan_is_walked_slice_by_slice():
    model = onnx.parser.parse_model(SCAN)
    xs = np.zeros((4, 3), np.float32)
    found = compare(model, CPU, wrong("Sin", "Tan"), inputs={"x": X, "xs": xs + X})
    assert "in iteration 0 of its body: " in found.notes[1]
    assert "first differ at Sin" in found.notes[1]
    assert compare(model, CPU, wrong("Sin", "Tan"), inputs={"x": X, "xs": xs}).first is None


def test_a_place_that_runs_whole_models_only_is_not_asked_and_that_is_said():
    model = onnx.parser.parse_model(IF)
    whole = Place("whole", wrong("Sin", "Cos").run, runs_nodes=False)
    found = compare(model, whole, CPU, inputs={"x": X, "c": np.array(True)})
    assert "p (then_branch)" in found.notes[0]
    assert "runs whole models only" in found.notes[1]


def test_a_body_within_a_body_is_walked_to_the_end():
    model = onnx.parser.parse_model(
        HEAD + "g (float[3] x, bool c) => (float[3] z) { z = If(c) <\n"
        "then_branch = t () => (float[3] p) { p = If(c) <\n"
        "  then_branch = u () => (float[3] r) { k = Abs(x)  s = Sin(k)  r = Relu(s) },\n"
        "  else_branch = v () => (float[3] o) { o = Neg(x) }> },\n"
        "else_branch = e () => (float[3] q) { q = Neg(x) }> }"
    )
    found = compare(model, CPU, wrong("Sin", "Cos"), inputs={"x": X, "c": np.array(True)})
    assert sum(note.startswith("in its then_branch") for note in found.notes) == 2
    assert "first differ at Sin" in found.notes[-2] or "first differ at Sin" in found.notes[-1]


def test_a_loop_that_never_ends_is_ended_by_a_limit_that_is_named():
    model = onnx.parser.parse_model(
        HEAD + "g (float[3] x) => (float[3] z) { t = Constant <value = bool {1}> ()\n"
        ' z = Loop("", t, x) < body = b (int64 i, bool on, float[3] s) => (bool go, float[3] o)\n'
        " { go = Identity(on)  o = Sin(s) }> }"
    )
    session = open_session(model)
    with pytest.raises(StoppedError, match=r"limit: 0\.3 s"):
        session.run({"x": X}, limit_s=0.3)
    with Preview(limit_s=0.3) as preview:
        found = preview(model, CPU, runs=[{"x": X}])
    assert "longer than its limit" in found.runs[0]["error"]
