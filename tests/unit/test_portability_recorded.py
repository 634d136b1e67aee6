"""What is played where a build or a compiler cannot be had: found by structure, never made up."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest

from workbench.errors import DataFileError, InputError, KernelError, UnknownNameError
from workbench.portability._compile import compiler_availability
from workbench.portability.provider.engine import Provider
from workbench.portability.recorded import book as books
from workbench.portability.recorded.ascend import RecordedAscendDevice
from workbench.portability.recorded.book import Book, NotRecordedError, key_of, read_book, structure
from workbench.portability.recorded.previews import RecordedPreview, write_placement
from workbench.portability.recorded.provider import RecordedProvider
from workbench.portability.recorded.reach import reach
from workbench.portability.session import SessionError, open_session
from workbench.portability.workers import environments

LESSON = """<ir_version: 10, opset_import: ["": 20]> g (float[N, 8] x) => (float[N, 8] y) {
  a = Tanh(x)
  b = Relu(a)
  c = Softmax<axis = 0>(b)
  y = Sqrt(c)
}"""
DENSE = """<ir_version: 10, opset_import: ["": 20]> g (float[N, 2] x) => (float[N, 2] y)
<float[2, 2] w = {1, 2, 3, 4}> { a = MatMul(x, w) y = Relu(a) }"""


def parsed(text):
    return onnx.parser.parse_model(text)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((4, 8), dtype=np.float32)


def test_other_weights_and_comments_are_the_same_question():
    other = parsed(DENSE.replace("{1, 2, 3, 4}", "{5, 6, 7, 8}"))
    other.graph.node[0].doc_string = "a comment"
    assert structure(other) == structure(parsed(DENSE))


@pytest.mark.parametrize(
    ("old", "new"), [("Relu", "Tanh"), ('"": 20', '"": 21'), ("float[N, 2] x", "float[3, 2] x")]
)
def test_another_operator_opset_or_shape_is_another_question(old, new):
    assert structure(parsed(DENSE.replace(old, new))) != structure(parsed(DENSE))


def test_every_recording_says_where_and_when_and_that_it_is_one():
    files = sorted(books.books_folder().glob("*.json"))
    assert [path.stem for path in files] == ["cann", "cuda", "own"]
    for path in files:
        data = json.loads(path.read_text())
        assert data["provenance"] == "recorded"
        assert data["machine"]
        assert data["taken_at"][:2] == "20"
        assert data["versions"]["onnx"]
        assert data["entries"]


def test_what_was_not_recorded_is_refused_and_not_made_up():
    with pytest.raises(NotRecordedError, match=r"not in the recording[\s\S]*MatMul") as error:
        RecordedPreview(read_book("cuda"))(parsed(DENSE), "cuda")
    assert "recorded on 20" in error.value.saw
    with pytest.raises(UnknownNameError, match="cann"):
        RecordedPreview(read_book("cuda"))(parsed(DENSE), "Cann")
    with pytest.raises(UnknownNameError, match="operators"):
        RecordedPreview(read_book("cann"))(parsed(DENSE), "cann", "opreators")


def test_a_placement_comes_back_as_it_was_with_its_caption(monkeypatch):
    from workbench.portability.placement import Copy, NodePlacement, Placement

    own = "CUDAExecutionProvider"
    nodes = (NodePlacement("a", "MatMul", own), NodePlacement("b", "Relu", "CPU" + own[4:], "why"))
    found = Placement(own, "", 20, nodes, (Copy("a", "from device", 8),), (), (), True, ("note",))
    book = Book("a machine", "2026-01-02T03:04:05+00:00", {"onnx": "1"})
    write_placement(book, parsed(DENSE), found, [])
    again = RecordedPreview(book)(parsed(DENSE), "cuda")
    assert (again.nodes, again.copies, again.notes) == (found.nodes, found.copies, found.notes)
    assert again.provenance == "recorded"
    assert "Recorded on 2026-01-02 on a machine" in again.sentence
    assert again.as_json()["provenance"] == "recorded"
    with pytest.raises(NotRecordedError, match="shapes"):
        RecordedPreview(book)(parsed(DENSE), "cuda", runs=[{"x": np.zeros((1, 2))}])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_recording_is_said(text, tmp_path, monkeypatch):
    monkeypatch.setattr(books, "books_folder", lambda: tmp_path)
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(DataFileError, match="bad"):
        read_book.__wrapped__("bad")


def test_your_kernels_answer_the_recorded_runtime(x):
    provider = RecordedProvider(read_book("own"), {})

    @provider.kernel("Tanh")
    def tanh(node, value):
        return np.tanh(value)

    session = provider.open_session(parsed(LESSON))
    np.testing.assert_allclose(
        session.run([x])[0], open_session(parsed(LESSON)).run([x])[0], atol=1e-6
    )
    assert session.nodes_by_provider()["WorkbenchExecutionProvider"] == ["Tanh"]
    assert provider.record.runs == {"Tanh": 1}


def test_the_recorded_runtime_groups_neighbours_as_the_real_one(x):
    provider = RecordedProvider(read_book("own"))
    session = provider.open_session(parsed(LESSON))
    session.run({"x": x})
    assert provider.record.compiled == [("Tanh", "Relu", "Softmax", "Sqrt")]


def test_a_kernel_that_raises_fails_the_recorded_run_with_its_own_words(x):
    provider = RecordedProvider(read_book("own"), {})

    @provider.kernel("Relu")
    def relu(node, value):
        raise ValueError("the chip is on fire")

    with pytest.raises(SessionError, match="the chip is on fire"):
        provider.open_session(parsed(LESSON)).run([x])
    with pytest.raises(InputError, match="x"):
        provider.open_session(parsed(LESSON)).run([])


def device_book(model):
    """A book with one session in which two kernels are asked for."""
    call = {"attributes": {}, "outputs": [["<f4", [1, 2]]]}
    steps = [
        ["kernel", {**call, "operator": "MatMul", "inputs": ["x", "w"], "names": ["a"]}, {"k": 1}],
        ["kernel", {**call, "operator": "Relu", "inputs": ["a"], "names": ["y"]}, {"k": 1}],
        ["rest", None, {"copies": 1}],
    ]
    entry = {"assigned": [], "opened": {}, "runs": {"x:1,2": {"first": steps, "again": steps}}}
    book = Book("a machine", "2026-01-02", {}, {"counters": ["k", "copies"]})
    book.entries[key_of(model, "session", "CANNExecutionProvider", "operators")] = entry
    return book


def test_a_recorded_device_asks_for_kernels_and_counts_as_far_as_it_came():
    model = parsed(DENSE)
    device = RecordedAscendDevice(device_book(model), {})
    session = device.open_session(model, "operators")
    feeds = [np.array([[1, -1]], np.float32)]

    @device.kernel("MatMul")
    def matmul(attributes, a, b):
        return a @ b

    with pytest.raises(KernelError, match="Relu"):
        session.run(feeds)
    assert device.counters(reset=True) == {"k": 2, "copies": 0}

    @device.kernel("Relu")
    def relu(attributes, value):
        return np.maximum(value, 0)

    assert session.run(feeds)[0].tolist() == [[0, 0]]
    assert device.counters() == {"k": 2, "copies": 1}
    assert device.runs == {"MatMul": 1, "Relu": 1}
    with pytest.raises(NotRecordedError, match="x:3,2"):
        session.run([np.zeros((3, 2), np.float32)])
    with pytest.raises(NotRecordedError, match="not in the recording"):
        device.open_session(model, "graph")
    with pytest.raises(UnknownNameError):
        device.open_session(model, "graf")


def test_what_cannot_be_installed_is_played_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    said = []
    found = reach("cuda", said.append, install=False)
    assert not found.live
    assert isinstance(found.preview(), RecordedPreview)
    assert "recorded on 20" in said[-1]
    reason = environments.build_availability("cuda").reason
    if compiler_availability():
        assert reason in said[-1]
    with pytest.raises(NotRecordedError, match="cann"):
        found.device()


def test_without_a_compiler_your_own_provider_is_played(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    said = []
    found = reach("own", said.append)
    assert isinstance(found.provider({}), RecordedProvider)
    assert "no C++ compiler" in said[-1]
    with pytest.raises(UnknownNameError, match="own"):
        reach("onw")


@pytest.mark.skipif(not compiler_availability(), reason="the live provider needs a C++ compiler")
def test_with_a_compiler_your_own_provider_is_live():
    found = reach("own", say=lambda line: None)
    assert found.live
    assert type(found.provider({})) is Provider


@pytest.mark.skipif(not compiler_availability(), reason="the live provider needs a C++ compiler")
def test_a_session_that_is_still_open_when_python_ends_does_no_harm(tmp_path):
    code = (
        "import builtins, onnx\nfrom workbench import portability\n"
        f"model = onnx.parser.parse_model('''{LESSON}''')\n"
        "session = portability.Provider().open_session(model)\n"
        "builtins.kept = [session]\ncycle = {'session': session}\ncycle['itself'] = cycle\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
