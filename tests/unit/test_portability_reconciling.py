"""Where nodes run, from three records: what optimisation explains, and what is a disagreement."""

import numpy as np
import onnx
import pytest

from workbench.portability.names import all_nodes, with_names
from workbench.portability.placement import Copy, NodePlacement, Placement, memory_copies
from workbench.portability.previewing import Preview
from workbench.portability.reconciling import reconcile
from workbench.portability.recorded.book import Book
from workbench.portability.recorded.previews import RecordedPreview, write_placement
from workbench.portability.workers._profile import BROKEN, profile_rows

CPU, DEVICE = "CPUExecutionProvider", "CANNExecutionProvider"


def parsed(body, inputs="float[2, 3] x", outputs="float[2, 3] z"):
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18, "com.microsoft" : 1]>\n'
        f"g ({inputs}) => ({outputs}) {{ {body} }}"
    )
    for node in model.graph.node:
        node.name = node.name or f"node_{node.output[0]}"
    return model


PLAIN = parsed("a = Sin(x)  b = Relu(a)  z = Neg(b)")
KEPT = [("node_a", "Sin", DEVICE), ("node_b", "Relu", CPU), ("node_z", "Neg", CPU)]


def placed(rows=KEPT):
    return [NodePlacement(name, operator, where) for name, operator, where in rows]


def ran(rows=KEPT):
    return [(where, operator, f"{name}_kernel_time", 1) for name, operator, where in rows]


def test_three_sources_that_say_the_same_leave_nothing_to_say():
    found = reconcile(PLAIN, placed(), PLAIN, ran(), DEVICE)
    assert found.changes == ()
    assert found.disagreements == ()
    assert found.sources == (
        "assignment record: 3 nodes",
        "optimised graph: 3 nodes and 0 copies",
        "profile: 3 nodes and groups ran",
    )


def test_a_fused_node_is_explained_by_the_node_that_makes_its_result():
    after = parsed("fused = Sin(x)  z = Neg(fused)")
    after.graph.node[0].name, after.graph.node[0].output[0] = "a+b", "b"
    after.graph.node[1].input[0] = "b"
    profile = ran([("a+b", "FusedSin", DEVICE), KEPT[2]])
    together = placed([KEPT[0], ("node_b", "Relu", DEVICE), KEPT[2]])
    found = reconcile(PLAIN, together, after, profile, DEVICE)
    assert {(c.node, c.what, c.into) for c in found.changes} == {
        ("node_a", "fused", "a+b"),
        ("node_b", "fused", "a+b"),
        ("a+b", "made by optimisation", ""),
    }
    assert found.disagreements == ()
    elsewhere = reconcile(PLAIN, together, after, ran([("a+b", "FusedSin", CPU)]), DEVICE)
    assert any("fused into a+b, which ran on CPU" in words for words in elsewhere.disagreements)


def test_a_node_whose_result_is_a_constant_now_was_folded_and_one_that_is_gone_removed():
    before = parsed("a = Sin(c)  b = Identity(x)  z = Add(a, b)")
    after = parsed("z = Add(a, x)")
    after.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.float32), "a"))
    rows = [("node_z", "Add", CPU)]
    found = reconcile(before, placed(rows), after, None, CPU)
    assert {c.node: c.what for c in found.changes} == {
        "node_a": "folded into a constant",
        "node_b": "removed",
    }
    assert found.disagreements == ()
    assert found.sources[2] == "profile: nothing was run"


def test_a_node_that_ran_elsewhere_than_it_was_assigned_is_a_disagreement():
    found = reconcile(PLAIN, placed(), PLAIN, ran([("node_a", "Sin", CPU), *KEPT[1:]]), DEVICE)
    assert found.disagreements == (
        f"node_a: assigned to {DEVICE}, ran on {CPU}",
        f"1 nodes are assigned to {DEVICE}, and it ran none",
    )


def test_a_record_that_is_empty_is_told_by_the_graph_and_by_the_profile():
    found = reconcile(PLAIN, [], PLAIN, ran(), DEVICE)
    assert f"no node is recorded as assigned to {DEVICE}, and it ran 1" in found.disagreements
    assert any("3 nodes are in the optimised graph" in words for words in found.disagreements)


def test_a_copy_that_stands_on_the_wrong_side_is_a_disagreement():
    after = parsed("a = Sin(x)  c = MemcpyToHost(a)  b = Relu(c)  z = Neg(b)")
    good = [*ran(), (DEVICE, "MemcpyToHost", "node_c_kernel_time", 1)]
    assert not reconcile(PLAIN, placed(), after, good, DEVICE).disagreements
    host = placed([("node_a", "Sin", CPU), *KEPT[1:]])
    found = reconcile(PLAIN, host, after, None, DEVICE)
    assert found.disagreements == (
        f"node_a: assigned to {CPU}, and the copy node_c treats it as {DEVICE}'s",
    )
    idle = reconcile(PLAIN, placed(), after, ran(), DEVICE)
    assert "1 copies are in the optimised graph and did not run" in idle.disagreements
    assert not reconcile(PLAIN, placed(), after, ran(), DEVICE, failed=True).disagreements


def test_what_ran_and_is_in_no_graph_is_a_disagreement():
    found = reconcile(PLAIN, placed(), PLAIN, [*ran(), (CPU, "Tan", "new_kernel_time", 1)], DEVICE)
    assert found.disagreements == (f"new: ran on {CPU}, and the optimised graph does not have it",)


def test_with_no_graph_the_sources_say_why_and_what_was_gone_before():
    found = reconcile(PLAIN, placed(KEPT[:2]), None, ran(KEPT[:2]), DEVICE)
    assert "the runtime refuses where the provider compiles" in found.sources[1]
    assert [(c.node, c.what) for c in found.changes] == [("node_z", "gone before assignment")]


def test_a_profile_that_names_have_broken_is_said_and_not_believed(tmp_path):
    found = reconcile(PLAIN, placed(), None, [("", "", BROKEN, 3)], DEVICE)
    assert "3 of its lines cannot be read" in found.disagreements[0]
    (tmp_path / "p.json").write_text('[\n{"cat": "Node", "name": "a"b"},\n]')
    assert profile_rows(tmp_path / "p.json") == [["", "", BROKEN, 1]]


def test_nodes_without_names_or_with_the_same_are_told_apart():
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]>\n'
        "g (float[3] x, bool c) => (float[3] z) {\n"
        " a = Relu(x)  b = Relu(a)  z = If(c) <\n"
        "  then_branch = t () => (float[3] p) { p = Relu(b) },\n"
        "  else_branch = e () => (float[3] q) { q = Neg(b) }> }"
    )
    model.graph.node[0].name = model.graph.node[1].name = "same"
    named = with_names(model)
    names = [node.name for node in all_nodes(named.graph)]
    assert len(set(names)) == len(names) == 5
    assert names[0] == "same"
    assert [node.name for node in model.graph.node] == ["same", "same", ""]  # the given one is left
    assert with_names(named) is named
    feeds = {"x": np.ones(3, np.float32), "c": np.array(True)}
    with Preview() as preview:
        found = preview(model, CPU, runs=[feeds])
    assert found.disagreements == ()
    assert len(found.nodes) == 5


def test_the_processors_own_answer_comes_from_all_three():
    with Preview() as preview:
        found = preview(PLAIN, CPU, runs=[{"x": np.ones((2, 3), np.float32)}])
        broken = preview(PLAIN, CPU, runs=[{"x": np.ones((9, 9), np.float32)}])
    assert found.sources == (
        "assignment record: 3 nodes",
        "optimised graph: 3 nodes and 0 copies",
        "profile: 3 nodes and groups ran",
    )
    assert found.explain().splitlines()[0] == "CPU takes 3 of 3 nodes."
    assert broken.runs[0]["error"]
    assert not broken.disagreements


@pytest.mark.parametrize(
    ("shapes", "size"), [(None, None), ({"x": [5, 3]}, 60)], ids=["open", "in a run"]
)
def test_the_bytes_of_a_copy_are_known_where_its_shape_is(shapes, size):
    after = parsed("a = Sin(x)  c = MemcpyToHost(a)  z = Relu(c)", "float[n, 3] x", "float[n, 3] z")
    assert memory_copies(after, shapes) == (Copy("a", "from device", size),)


def test_disagreements_and_changes_are_in_the_sentence_the_text_and_a_recording():
    kept = reconcile(PLAIN, placed(), PLAIN, ran([("node_a", "Sin", CPU), *KEPT[1:]]), DEVICE)
    after = reconcile(PLAIN, placed(KEPT[:2]), None, None, DEVICE)
    found = Placement(
        *(DEVICE, "graph", 18, tuple(placed()), (Copy("a", "to device", 24),), ()),
        *(kept.disagreements, True),
        changes=after.changes,
        sources=kept.sources,
    )
    assert "Its sources disagree: 2." in found.sentence
    assert f"they disagree: node_a: assigned to {DEVICE}, ran on {CPU}" in found.explain()
    assert "copy: a to device, 24 bytes" in found.explain()
    assert "gone before assignment: 1 Neg" in found.as_json()["optimised"]
    book = Book("here", "2026-01-01", {})
    write_placement(book, PLAIN, found, ())
    played = RecordedPreview(book)(PLAIN, "cann", "graph")
    assert played.changes == found.changes
    assert played.sources == found.sources
    assert played.disagreements == found.disagreements
