"""A node of one's own domain: no provider has it, and the rest is looked at all the same."""

import onnx
import pytest

from workbench.portability.external_data import ModelFileError
from workbench.portability.load import load_model
from workbench.portability.port import port_model
from workbench.portability.previewing import preview
from workbench.portability.report import report_html

CPU = "CPUExecutionProvider"
HEAD = '<ir_version: 9, opset_import: ["" : 18, "my.domain" : 1]>\n'
MODEL = HEAD + (
    "g (float[1, 3] x) => (float[1, 3] z)\n"
    "{ a = Sin(x)  b, c = my.domain.Magic(a)  d = Relu(b)  e = my.domain.Other(c)  z = Add(d, e) }"
)


def parsed(text):
    return onnx.parser.parse_model(text)


def test_no_provider_has_it_and_the_others_are_placed_in_the_graphs_order():
    found = preview(parsed(MODEL), CPU)
    assert [(node.operator, node.provider) for node in found.nodes] == [
        ("Sin", CPU),
        ("Magic", ""),
        ("Relu", CPU),
        ("Other", ""),
        ("Add", CPU),
    ]
    assert found.nodes[1].reason == "nobody here defines the operator my.domain::Magic"
    assert "CPU takes 3 of 5 nodes; no provider has 1 Magic, 1 Other." in found.sentence
    assert "register_custom_ops_library" in found.notes[0]
    assert "b, c, e" in found.notes[1]


def test_types_that_the_model_states_are_used_and_a_wrong_guess_is_said():
    text = HEAD + (
        "g (float[1, 3] x, int64[1] i) => (float[1, 3] z) <KIND>\n"
        "{ j = my.domain.Index(i)  z = Gather(x, j) }"
    )
    typed = preview(parsed(text.replace("<KIND>", "<int64[1] j>")), CPU)
    assert [node.provider for node in typed.nodes] == ["", CPU]
    guessed = preview(parsed(text.replace("<KIND>", "")), CPU)
    assert [node.provider for node in guessed.nodes] == [""]
    assert "could not be seen" in guessed.notes[-1]


@pytest.mark.parametrize(
    ("body", "operators"),
    [
        ("z = my.domain.Magic(x)", ["Magic"]),
        (
            "c = ReduceMax <keepdims = 0> (x)  k = Cast <to = 9> (c)  z = If(k) <\n"
            "then_branch = t () => (float[1, 3] p) { p = my.domain.Magic(x) },\n"
            "else_branch = e () => (float[1, 3] q) { q = Neg(x) }>",
            ["ReduceMax", "Cast", "If"],
        ),
    ],
    ids=["nothing else", "in a body"],
)
def test_it_may_be_all_there_is_or_stand_in_a_body(body, operators):
    found = preview(parsed(HEAD + f"g (float[1, 3] x) => (float[1, 3] z) {{ {body} }}"), CPU)
    assert [node.operator for node in found.nodes] == operators
    assert found.nodes[-1].provider == ""
    assert "my.domain::Magic" in found.nodes[-1].reason


def test_a_function_of_the_model_is_nobodys_problem():
    model = parsed(HEAD + "g (float[1, 3] x) => (float[1, 3] z) { z = my.domain.Magic(x) }")
    opset = [onnx.helper.make_opsetid("", 18)]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    body = onnx.helper.make_function("my.domain", "Magic", ["x"], ["y"], [node], opset)
    model.functions.append(body)
    found = preview(model, CPU)
    assert all(node.provider == CPU for node in found.nodes)


def test_a_report_on_it_says_so_and_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "own.onnx"
    path.write_bytes(parsed(MODEL).SerializeToString())
    report = port_model(str(path))
    assert report["summary"]["operators_nobody_has"]
    assert report["findings"][0].startswith("It runs nowhere yet: nobody here defines")
    assert "runs nowhere" in report["parity"]["reason"]
    assert "my.domain::Magic" in report_html(report)
    with pytest.raises(ModelFileError, match="a domain that nobody here has"):
        load_model(path)  # what is going to run a model still refuses it
