import json

import onnx
import pytest

from workbench.errors import DataFileError, InputError
from workbench.portability.port import port_model
from workbench.portability.report import write_report

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
