import json

import onnx
import pytest

from workbench.errors import DataFileError, ExecutionError, InputError
from workbench.portability import converting
from workbench.portability.converting import ConversionError, converted
from workbench.portability.feeds import runnable_feeds
from workbench.portability.findings import findings
from workbench.portability.port import port_model
from workbench.portability.report import report_html, write_report
from workbench.portability.session import open_session
from workbench.portability.sweeping import whom_it_serves

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def no_builds(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


def test_a_model_whose_names_are_html_gives_a_page_without_a_script(tmp_path, no_builds):
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[N, 4] x) => (float[N, 4] y)'
        " { a = Relu(x) y = Softmax(a) }"
    )
    model.graph.node[0].name = EVIL
    model.producer_name = EVIL
    path = tmp_path / "<b>model.onnx"
    path.write_bytes(model.SerializeToString())
    report = port_model(str(path))
    write_report(report, tmp_path / "r.html", tmp_path / "r.json")
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page
    assert "<b>model" not in page
    assert "http" not in page.replace("https://onnx", "")
    data = json.loads((tmp_path / "r.json").read_text())
    assert data["parity"]["outputs_agree"]
    assert data["latency"]["provenance"] == "measured"
    assert data["summary"]["open_dimensions"] == ["x[0]"]
    assert all("unavailable" in row for row in data["placement"])


def test_what_is_not_a_model_is_an_error_and_no_report(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no")
    with pytest.raises(DataFileError):
        port_model(str(path))
    with pytest.raises(InputError, match=r"package\.module:factory"):
        port_model("nothing_like_it")
    with pytest.raises(InputError, match="cannot be found"):
        port_model("os:no_such_factory")


def relu_file(folder, name="m.onnx", opset=20):
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {opset}]> g (float[N, 4] x) => (float[N, 4] y)'
        " { y = Relu(x) }"
    )
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def test_memory_is_measured_in_a_process_of_its_own(tmp_path, no_builds):
    values = ", ".join(["0.5"] * 4096)
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[1, 64] x) => (float[1, 64] y)'
        f" <float[64, 64] w = {{{values}}}> {{ y = MatMul(x, w) }}"
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    memory = port_model(str(path))["memory"]
    assert memory["provenance"] == "measured"
    assert memory["weight_bytes"] == 4 * 64 * 64
    assert memory["input_bytes"] == memory["output_bytes"] == 4 * 64
    assert memory["peak_bytes"] >= memory["peak_opening_bytes"] > 0
    assert memory["process_bytes"] > 10e6


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise RuntimeError('no licence')", "no licence"),
        ("import nothing_of_the_kind", "nothing_of_the_kind"),
        ("make = 3", "cannot be called"),
        ("def make(): raise ValueError('too tired')", "too tired"),
        ("def make(): return 1", "returned no model"),
        ("def make(): return ('module', ())", "Only a torch.nn.Module exports"),
    ],
)
def test_a_factory_that_fails_is_a_sentence(tmp_path, monkeypatch, code, words):
    monkeypatch.chdir(tmp_path)
    name = f"factory_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    try:
        said = " ".join(port_model(f"{name}:make")["findings"])
    except InputError as error:
        said = str(error)
    assert words in said


def test_a_module_that_does_not_export_gives_a_report_with_the_way_round(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "branching.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n"
        "        return x * 2 if x.sum() > 0 else x\n"
        "def make(): return Net(), (torch.ones(2),)\n"
    )
    report = port_model("branching:make")
    assert "torch.cond" in report["findings"][0]
    write_report(report, tmp_path / "r.html", tmp_path / "r.json")
    assert "torch.cond" in (tmp_path / "r.html").read_text()


def test_a_file_is_brought_to_another_opset_or_the_reason_is_given(tmp_path):
    model = onnx.load(relu_file(tmp_path, opset=13))
    assert converted(model, 20).opset_import[0].version == 20
    with pytest.raises(ConversionError, match="opset 3"):
        converted(model, 3)


def test_a_converter_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(converting, "_PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(converting, "LIMIT_S", 1)
    with pytest.raises(ConversionError, match="no end"):
        converted(onnx.load(relu_file(tmp_path)), 18)


def test_a_converter_that_crashes_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(converting, "_PROGRAM", "import os; os.abort()")
    with pytest.raises(ConversionError, match="signal 6"):
        converted(onnx.load(relu_file(tmp_path)), 18)


def test_a_provider_that_claims_what_the_cpu_runs_and_then_fails_is_a_finding():
    row = {"asked": "x", "asked_mode": "", "error": "It refused.", "reason": "no Attention"}
    report = {"placement": [{**row, "advice": ""}], "parity": {"outputs_agree": True}}
    assert "claims the model and then fails" in findings(report)[0]
    assert "no Attention" in findings(report)[0]
    assert (
        "claims"
        not in findings({**report, "parity": {"error": "a", "reason": "b", "advice": ""}})[1]
    )


def placed(provider, mode, opset, *left, asked="x"):
    """A row of placement in which these operators stay on the CPU."""
    nodes = [{"operator": operator, "provider": "CPUExecutionProvider"} for operator in left]
    row = {"asked": asked, "asked_mode": mode, "provider": provider, "mode": mode, "opset": opset}
    return {**row, "nodes": nodes, "sentence": "It is so.", "runs": [], "disagreements": []}


def test_what_to_change_is_said_only_of_the_provider_and_the_opset_it_is_true_of():
    cann, vino = "CANNExecutionProvider", "OpenVINOExecutionProvider"
    said = findings({"placement": [placed(cann, "operators", 20, "Gemm", "Softmax", "Reshape")]})
    assert len(said) == 4
    for row in (
        placed(vino, "", 20, "Gemm", "Softmax", "Reshape"),
        placed(cann, "", 18, "Reshape"),
    ):
        assert findings({"placement": [row]}) == ["x: It is so."]


def test_an_opset_is_said_to_serve_all_only_where_every_placement_is_usable():
    steps = [{"provider": p, "mode": "", "opset": 18, "on_device": 3, "failed": ""} for p in "ab"]
    found = {"recommended": 18, "steps": steps}
    assert whom_it_serves(found, 2) == "Export at opset 18 to serve them all."
    assert findings({"sweep": {"serves": "x"}}) == ["x"]
    steps[1]["failed"] = "no"
    only = "Export at opset 18 to serve a; the others are not served by it."
    assert whom_it_serves(found, 2) == only
    steps[1]["failed"] = ""
    assert "them all" not in whom_it_serves(found, 3)  # one gave no placement at all
    section = {**found, "how": "exported", "not_made": {}, "cliffs": [], "serves": only}
    section["steps"] = [{**step, "nodes": 3, "copies": 0, "refused": {}} for step in steps]
    page = report_html({"model": "m", "made_at": "now", "findings": [], "sweep": section})
    assert only in page


def test_where_two_places_differ_the_first_node_is_a_finding():
    row = {"asked": "openvino", "outputs_agree": False, "sentence": "They first differ at n7."}
    assert findings({"divergence": [row]}) == ["openvino: They first differ at n7."]


def open_model(shape="1, 3, H, W"):
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 20]> g (float[{shape}] x) => (float[A, B, C, D] y)'
        " { y = MaxPool<kernel_shape = [40, 40]>(x) }"
    )


def test_inputs_are_made_up_in_the_first_size_on_which_the_model_runs():
    feeds, words = runnable_feeds(open_model(), open_session(open_model()).run)
    assert feeds["x"].shape == (1, 3, 64, 64)
    assert words.endswith("other open dimensions 64")


def test_where_no_size_runs_the_words_say_so():
    def never(feeds):
        raise ExecutionError("no")

    feeds, words = runnable_feeds(open_model(), never)
    assert feeds["x"].shape == (1, 3, 32, 32)
    assert "it runs with none of 32" in words


def test_an_open_first_dimension_and_those_of_its_name_are_a_batch_of_one():
    feeds, _ = runnable_feeds(open_model("N, N, H, W"), open_session(open_model()).run)
    assert feeds["x"].shape[:2] == (1, 1)


def test_copies_disagreements_and_where_a_body_differs_are_on_the_page():
    nodes = [{"name": "n", "operator": "MyOp", "provider": "", "reason": "nobody defines it"}]
    placed = {
        "asked": "cann",
        "asked_mode": "",
        "mode": "operators",
        "provider": "P",
        "sentence": "So.",
        "nodes": nodes,
        "notes": [],
        "runs": [],
        "copies": [{"value": EVIL, "direction": "to device", "bytes_moved": 2048}],
        "disagreements": ["n7: assigned to P, ran on CPU"],
        "sources": ["profile: nothing was run"],
        "optimised": ["removed: 2 Pad"],
    }
    parity = {
        "between": "A and B",
        "sentence": "They differ.",
        "notes": ["in iteration 3 of its body"],
    }
    page = report_html(
        {"model": "m", "made_at": "now", "findings": [], "placement": [placed], "parity": parity}
    )
    assert "<script" not in page
    for words in (
        "2,048",
        "ran on CPU",
        "nothing was run",
        "2 Pad",
        "iteration 3",
        "nobody defines",
    ):
        assert words in page
