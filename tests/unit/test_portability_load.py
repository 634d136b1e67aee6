import numpy as np
import onnx
import pytest

from workbench.errors import DataFileError
from workbench.portability.load import ModelFileError, load_model

TEXT = """<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y) {
  a = Relu(x)
  y = Neg(a)
}"""


@pytest.fixture
def model():
    return onnx.parser.parse_model(TEXT)


def test_a_sound_model_comes_back(model, tmp_path):
    path = tmp_path / "<b>&.onnx"
    path.write_bytes(model.SerializeToString())
    assert [node.op_type for node in load_model(path).graph.node] == ["Relu", "Neg"]


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 40, b"hello, this is a text", b"version https://git-lfs.github.com"]
)
def test_what_is_not_an_onnx_file_is_said(data):
    with pytest.raises(ModelFileError):
        load_model(data)


def test_a_truncated_file_is_said(model):
    with pytest.raises(DataFileError):
        load_model(model.SerializeToString()[:-20])


def test_a_missing_file_and_a_folder_are_said(tmp_path):
    for path in (tmp_path / "no.onnx", tmp_path):
        with pytest.raises(ModelFileError, match=str(path.name)):
            load_model(path)


def test_nodes_in_a_cycle_are_said_with_the_value(model):
    model.graph.node[0].input[0] = "y"
    with pytest.raises(ModelFileError, match="cycle"):
        load_model(model)


def test_a_value_that_nobody_makes_is_said(model):
    model.graph.node[0].input[0] = "nowhere"
    with pytest.raises(ModelFileError, match="nowhere"):
        load_model(model)


def test_an_unknown_opset_and_an_unknown_operator_are_said(model):
    model.opset_import[0].version = 999
    with pytest.raises(ModelFileError, match="999"):
        load_model(model)
    model.opset_import[0].version = 20
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelFileError, match="NoSuchOperator"):
        load_model(model)


def test_an_unknown_domain_is_said(model):
    model.graph.node[0].domain = "nobody.knows"
    with pytest.raises(ModelFileError, match=r"nobody\.knows"):
        load_model(model)


def test_a_size_that_no_file_can_hold_is_said(model):
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1 << 40, 1 << 20])
    model.graph.initializer.append(tensor)
    with pytest.raises(ModelFileError, match="no file can hold"):
        load_model(model)


def external(location, **entries):
    model = onnx.parser.parse_model(TEXT)
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    model.graph.initializer.append(tensor)
    return model.SerializeToString()


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/passwd", "a/../../b", ""])
def test_external_data_outside_the_folder_is_refused(tmp_path, location):
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "m.onnx"
    path.write_bytes(external(location))
    with pytest.raises(ModelFileError, match="outside"):
        load_model(path)


def test_external_data_that_is_missing_or_too_short_is_said(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(external("w.bin"))
    with pytest.raises(ModelFileError, match=r"w\.bin"):
        load_model(path)
    (tmp_path / "w.bin").write_bytes(b"\0" * 8)
    with pytest.raises(ModelFileError, match="do not fit"):
        load_model(path)


def test_external_data_beside_the_file_is_read_in(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(external("w.bin", offset=0, length=16))
    (tmp_path / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    loaded = load_model(path)
    assert onnx.numpy_helper.to_array(loaded.graph.initializer[0]).tolist() == [0, 1, 2, 3]
