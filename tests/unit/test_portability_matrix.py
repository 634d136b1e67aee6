import pytest

from workbench.errors import DataFileError, UnavailableError
from workbench.portability import matrix
from workbench.portability.matrix import load_matrix, operator_of, support_matrix
from workbench.portability.placement import NodePlacement, Placement
from workbench.portability.session import SessionError
from workbench.portability.sweeping import sweep


def test_the_kept_matrix_covers_every_node_model_and_names_its_builds():
    kept = load_matrix()
    assert kept["provenance"] == "recorded"
    assert set(kept["builds"]) == {"cann", "cuda", "openvino"}
    assert kept["models"] == 1884  # of onnx 1.23.2: the expanded ones, too
    for place, operators in kept["places"].items():
        cells = [cell for opsets in operators.values() for cell in opsets.values()]
        assert sum(tried for tried, *_ in cells) == kept["models"], place
        assert all(taken + without <= tried for tried, taken, without in cells), place


def test_the_kept_matrix_shows_the_cliffs():
    places = load_matrix()["places"]

    def taken(place, operator):
        return sum(cell[1] for cell in places[place][operator].values())

    assert taken("cann operators", "Softmax") == 0
    assert taken("cann subgraphs", "Softmax") > 0
    assert taken("cuda", "Relu") > 0
    assert taken("cann subgraphs", "Gelu") == 0
    assert taken("cuda", "Gelu, expanded") > 0


def models(*operators):
    import onnx

    text = '<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y) {{ {} }}'
    return [(name, onnx.parser.parse_model(text.format(body))) for name, body in operators]


FOUR = models(
    ("test_a", "y = Relu(x)"),
    ("test_a_expanded", "h = Neg(x) y = Abs(h)"),
    ("test_b", "y = Tanh(x)"),
    ("test_c", "h = Neg(x) y = Relu(h)"),
)


def ask(model, provider, mode):
    """A provider that has Relu and Neg, and whose runtime does not load Tanh."""
    if model.graph.node[0].op_type == "Tanh":
        raise SessionError("refused", "somewhere.cc:1 in f()\nno Tanh here\n")
    own = "OwnExecutionProvider"
    where = [own if n.op_type in ("Relu", "Neg") else "CPU" for n in model.graph.node]
    nodes = [NodePlacement("", n.op_type, w) for n, w in zip(model.graph.node, where, strict=True)]
    return Placement(own, mode, 20, tuple(nodes), (), (), (), False)


def test_each_model_is_counted_once_and_progress_is_said():
    said = []
    made = support_matrix(FOUR, [("own", "")], ask, said.append)
    assert made["places"]["own"] == {
        "Relu": {"20": [1, 1, 0]},
        "Relu, expanded": {"20": [1, 0, 0]},
        "Tanh": {"20": [1, 0, 1]},
        "several operators": {"20": [1, 1, 0]},
    }
    assert said == ["own : 4 of 4 models"]


def test_an_expanded_model_belongs_to_the_operator_that_it_defines():
    siblings = dict(FOUR)
    assert operator_of(siblings["test_a_expanded"], "test_a_expanded", siblings) == "Relu, expanded"
    assert operator_of(siblings["test_c"], "test_c_expanded", {}) == "several operators"


def test_a_build_that_is_missing_raises_and_is_no_column_of_zeros():
    def missing(model, provider, mode):
        raise UnavailableError("not installed")

    with pytest.raises(UnavailableError):
        support_matrix(FOUR, [("own", "")], missing)


def test_an_opset_at_which_there_is_no_session_is_a_cliff_with_the_reason():
    found = sweep({18: FOUR[0][1], 20: FOUR[2][1]}, [("own", "")], preview=ask)
    assert found.cliffs[0].sentence.endswith("makes no session at 20: no Tanh here")
    assert found.recommended == 18
    assert found.as_json()["steps"][1]["failed"] == "no Tanh here"


def test_a_damaged_matrix_says_how_to_make_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "matrix_path", lambda: tmp_path / "matrix.json")
    with pytest.raises(DataFileError, match="record_operator_support"):
        load_matrix()
