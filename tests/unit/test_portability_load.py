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


def test_a_domain_that_is_imported_and_that_nobody_has_is_said_with_its_node(model):
    model.graph.node[0].domain = "nobody.knows"
    model.opset_import.add(domain="nobody.knows", version=1)
    with pytest.raises(ModelFileError, match=r"\(Relu\) is of 'nobody\.knows'"):
        load_model(model)


def test_an_opset_of_the_runtimes_own_domain_that_does_not_exist_is_said(model):
    model.opset_import.add(domain="com.microsoft", version=999)
    with pytest.raises(ModelFileError, match=r"com\.microsoft at 999"):
        load_model(model)


def test_a_name_that_is_not_utf_8_is_said(model):
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "zzzz"
    with pytest.raises(ModelFileError, match="UTF-8"):
        load_model(model.SerializeToString().replace(b"zzzz", b"zz\xff\xfe"))


def test_a_download_cache_that_is_made_of_links_says_to_copy_both_files(tmp_path):
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir(), folder.mkdir()
    (blobs / "1a").write_bytes(external("w.bin"))
    (blobs / "2b").write_bytes(b"\0" * 16)
    (folder / "m.onnx").symlink_to("../blobs/1a")
    (folder / "w.bin").symlink_to("../blobs/2b")
    with pytest.raises(ModelFileError, match=r"leads outside the folder\nTry: copy both"):
        load_model(folder / "m.onnx")


def test_a_model_that_is_linked_to_where_its_data_is_is_read(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "m.onnx").write_bytes(external("w.bin"))
    (tmp_path / "real" / "w.bin").write_bytes(b"\0" * 16)
    (tmp_path / "m.onnx").symlink_to("real/m.onnx")
    assert load_model(tmp_path / "m.onnx").graph.initializer[0].raw_data == b"\0" * 16


def test_a_model_over_the_limit_is_refused_before_its_data_is_read(tmp_path):
    model = onnx.load_model_from_string(external("w.bin"))
    model.graph.initializer[0].dims[:] = [1 << 30]
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(1 << 32)  # sparse: it takes no room
    with pytest.raises(ModelFileError, match="the limit"):
        load_model(tmp_path / "m.onnx")


def test_a_model_that_is_too_large_with_its_data_is_refused_with_its_size(tmp_path):
    rows = 600_000_000
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(4 * rows)  # sparse: it takes no room
    weight = onnx.TensorProto(name="w", data_type=1, dims=[rows])
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(4 * rows))):
        weight.external_data.add(key=key, value=value)
    node = onnx.helper.make_node("Mul", ["x", "w"], ["y"])
    info = onnx.helper.make_tensor_value_info
    ends = [info("x", 1, [1])], [info("y", 1, [rows])]
    graph = onnx.helper.make_graph([node], "g", *ends, [weight])
    path = tmp_path / "large.onnx"
    path.write_bytes(onnx.helper.make_model(graph, ir_version=9).SerializeToString())
    with pytest.raises(ModelFileError, match=r"2400000[0-9]{3} bytes with its data"):
        load_model(path)
