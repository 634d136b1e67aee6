import json
from dataclasses import replace

import pytest

from workbench.errors import InputError, UnavailableError
from workbench.portability.comparing import Comparison, Step
from workbench.portability.placement import Change, Copy, NodePlacement, Placement
from workbench.portability.sources import SourceLine
from workbench.widgets.divergence_view import DivergenceView
from workbench.widgets.placement_view import PlacementView

EVIL = '<img src=x onerror="alert(1)">'


def placement(opset, off=1):
    nodes = [NodePlacement(f"n{i}", "Conv", "CANNExecutionProvider") for i in range(3)]
    nodes += [NodePlacement(EVIL, "Gelu", "CPUExecutionProvider", "no kernel") for _ in range(off)]
    nodes.append(NodePlacement("last", "Relu", "CANNExecutionProvider"))
    copies = (Copy("x", "to device", 128), Copy("y", "from device", None))
    return Placement(
        "CANNExecutionProvider", "operators", opset, tuple(nodes), copies, (), (), True, ("note",)
    )


@pytest.fixture
def view():
    asked = []

    def ask(provider, mode, opset):
        asked.append((provider, mode, opset))
        if provider == "cuda":
            raise UnavailableError("The build is not installed.", "cuda", "workbench providers add")
        return placement(opset)

    made = PlacementView(ask, {"cann": ["operators", "graph"], "cuda": [""]}, [18, 20])
    made.asked = asked
    return made


def test_the_first_sentence_says_what_runs_where(view):
    assert view.sentence().startswith("At opset 18, CANN takes 4 of 5 nodes (operators)")
    assert json.loads(json.dumps(view.view)) == view.view


def test_changing_the_opset_asks_once_and_remembers(view):
    view.choose(opset=20)
    view.choose(opset=18)
    view.choose(opset=20)
    assert view.asked == [("cann", "operators", 18), ("cann", "operators", 20)]


def test_crossings_are_marked_where_execution_changes_sides(view):
    marks = [node["crosses"] for row in view.view["rows"] for node in row]
    assert marks == [False, False, False, True, True]


def test_a_provider_that_is_not_installed_is_said_in_words_and_the_next_choice_works(view):
    view.choose(provider="cuda")
    assert "not installed" in view.sentence()
    view.choose(provider="cann")
    assert view.view["chosen"]["mode"] == "operators"
    assert not view.view["failed"]


def test_what_is_not_offered_leaves_the_old_choice(view):
    view.choose(provider="nobody", opset=99)
    assert view.view["chosen"] == {"provider": "cann", "mode": "operators", "opset": 18}


def test_names_that_are_html_stay_text_in_the_static_picture(view):
    assert "<img" not in view.picture()
    assert view.picture().startswith("<svg")


def test_a_view_with_nothing_to_choose_is_refused():
    with pytest.raises(InputError):
        PlacementView(lambda *_: None, {}, [18])


@pytest.fixture
def comparison():
    good = Step("a", "Gemm", "linear", "float32", 1e-7, 1e-5, True)
    line = SourceLine("net.py", 7, "forward", f"return f(x)  # {EVIL}")
    bad = Step(EVIL, "Mul", "silu", "float32", 0.2, 1e-5, False, line)
    wrong_shape = Step("c", "Add", "add", "float32", float("inf"), 0.0, False)
    return Comparison("torch", "ort_cpu", (good, bad, wrong_shape), bad, 0.2, False, ("note",))


def test_the_divergence_view_opens_on_the_first_divergence(comparison):
    view = DivergenceView(comparison)
    assert view.view["first"] == view.view["chosen"] == 1
    assert "net.py:7" in view.view["steps"][1]["source"]
    json.dumps(view.view, allow_nan=False)


def test_the_divergence_view_walks_and_stays_inside(comparison):
    view = DivergenceView(comparison)
    assert view.choose(99).view["chosen"] == 2
    assert view.choose(-5).view["chosen"] == 0


def test_the_static_divergence_picture_escapes_what_comes_from_the_model(comparison):
    assert "<img" not in DivergenceView(comparison).picture()


def test_copies_sources_and_disagreements_are_rows_of_the_view():
    found = replace(
        placement(18),
        disagreements=(f"{EVIL}: assigned to A, ran on B",),
        sources=("assignment record: 5 nodes",),
        changes=(Change("gone", "Pad", "removed"),),
    )
    view = PlacementView(lambda *_: found, {"cann": [""]}, [18]).view
    assert view["copies"] == [
        {"tensor": "x", "direction": "to device", "bytes": "128"},
        {"tensor": "y", "direction": "from device", "bytes": "open"},
    ]
    assert view["copied"] == ["Copies of known size: 1 of 2, 128 bytes in each run."]
    assert view["disagreements"] == list(found.disagreements)
    assert view["sources"] == ["assignment record: 5 nodes", "removed: 1 Pad"]
    assert "Its sources disagree: 1." in view["sentence"]


def test_a_node_that_no_provider_has_is_told_from_one_that_the_host_has():
    nodes = (
        NodePlacement("own", "MyOp", "", "not a registered operator"),
        NodePlacement("plain", "Relu", "CPUExecutionProvider", "no kernel"),
    )
    found = replace(placement(18), nodes=nodes)
    view = PlacementView(lambda *_: found, {"cann": [""]}, [18]).view
    assert [node["nobody"] for node in view["rows"][0]] == [True, False]
    assert "no provider has 1 MyOp" in view["sentence"]
