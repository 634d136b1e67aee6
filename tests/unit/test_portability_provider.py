import ast
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import UnknownNameError
from workbench.portability import provider as package
from workbench.portability._compile import compiler_availability
from workbench.portability.previewing import preview
from workbench.portability.provider.engine import Provider
from workbench.portability.session import SessionError, open_session

compiler = compiler_availability()
pytestmark = pytest.mark.skipif(not compiler, reason=f"{compiler.reason}; {compiler.remedy}")

MODEL = """<ir_version: 10, opset_import: ["": 20]> g (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> {
  a = MatMul(x, w)
  b = Tanh(a)
  c = Sigmoid(b)
  y = Softmax<axis = -1>(c)
}"""


@pytest.fixture
def model():
    return onnx.parser.parse_model(MODEL)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((5, 4), dtype=np.float32)


def test_a_whole_model_runs_in_our_kernels_and_agrees_with_the_cpu(model, x):
    provider = Provider()
    session = provider.open_session(model, whole_graph=True)
    np.testing.assert_allclose(session.run([x])[0], open_session(model).run([x])[0], atol=1e-6)
    assert provider.record.compiled == [("MatMul", "Tanh", "Sigmoid", "Softmax")]
    assert sum(provider.record.runs.values()) == 4


def test_a_provider_with_one_kernel_takes_one_node_and_leaves_the_rest(model, x):
    provider = Provider(kernels={})

    @provider.kernel("Tanh")
    def tanh(node, value):
        return np.tanh(value)

    session = provider.open_session(model)
    assert session.nodes_by_provider()["WorkbenchExecutionProvider"] == ["Tanh"]
    np.testing.assert_allclose(session.run([x])[0], open_session(model).run([x])[0], atol=1e-6)
    assert {reason for _, reason in provider.record.refused} == {"no kernel for this operator"}


def test_a_kernel_that_raises_fails_the_run_with_its_own_words(model, x):
    provider = Provider(kernels={})

    @provider.kernel("Tanh")
    def tanh(node, value):
        raise ValueError("the chip is on fire")

    with pytest.raises(SessionError, match="the chip is on fire"):
        provider.open_session(model).run([x])


@pytest.mark.parametrize("given", [lambda x: np.zeros((9, 9)), lambda x: x.T])
def test_a_kernel_that_returns_the_wrong_shape_fails_the_run_by_name(model, x, given):
    provider = Provider(kernels={})

    @provider.kernel("Tanh")
    def tanh(node, value):
        return given(value)

    with pytest.raises(
        SessionError, match=r"'Tanh' returned the wrong shape\.\n.*\?, 3\) is declared"
    ):
        provider.open_session(model).run([x])


def test_a_kernel_that_claims_too_much_is_seen_when_the_model_runs(x):
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y)'
        " { y = Gelu<approximate = 'tanh'>(x) }".replace("'", '"')
    )
    provider = Provider(kernels={})

    @provider.kernel("Gelu", accepts=lambda node: node.get("approximate") != "tanh")
    def gelu(node, value):
        raise AssertionError("never asked")

    session = provider.open_session(model)
    assert "WorkbenchExecutionProvider" not in session.nodes_by_provider()


def test_two_providers_in_one_process_keep_their_records_apart(model, x):
    first, second = Provider(), Provider(fuse=False)
    a, b = first.open_session(model), second.open_session(model)
    a.run([x])
    assert sum(second.record.runs.values()) == 0
    b.run([x])
    assert len(first.record.compiled) == 1
    assert len(second.record.compiled) == 4


def test_attributes_reach_the_kernel_decoded():
    seen = {}
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (int64[N] y)
        { z = LeakyRelu<alpha = 0.25>(x)
          s = Shape<start = 0>(z)
          y = ConstantOfShape<value = int64[1] {7}>(s) }"""
    )
    provider = Provider(kernels={})

    @provider.kernel("LeakyRelu")
    def leaky(node, value):
        seen["alpha"] = node.get("alpha")
        return value

    @provider.kernel("ConstantOfShape")
    def constant(node, sizes):
        seen["value"] = node.get("value").tolist()
        return np.full(sizes, seen["value"][0])

    got = provider.open_session(model).run([np.ones(2, np.float32)])[0]
    assert got.tolist() == [7, 7]
    assert seen == {"alpha": 0.25, "value": [7]}


def test_the_kernels_use_neither_onnx_runtime_nor_onnxs_reference():
    for path in Path(package.__file__).parent.glob("kernels_*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in statement.names] if isinstance(statement, ast.Import) else []
            if isinstance(statement, ast.ImportFrom):
                names = [statement.module]
            assert not [name for name in names if name.startswith(("onnx", "torch"))], path.name


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_a_reduction_agrees_with_the_cpu_at_any_rank_and_axis(shape, axis, keep, seed):
    rank = len(shape)
    axis = axis % rank
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=int(keep))],
            "g",
            [onnx.helper.make_tensor_value_info("x", 1, [None] * rank)],
            [onnx.helper.make_tensor_value_info("y", 1, None)],
            [onnx.numpy_helper.from_array(np.array([axis]), "axes")],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    x = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    ours = Provider().open_session(model).run([x])[0]
    np.testing.assert_allclose(ours, open_session(model).run([x])[0], rtol=1e-5, atol=1e-6)


def test_a_preview_says_the_providers_own_reason_and_knows_near_misses():
    found = preview(
        onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["": 20]> g (float[2, 2] x) => (float y) '
            "{ a = Tanh(x)  y = Det(a) }"
        ),
        "WorkbenchExecutionProvider",
    )
    assert [node.reason for node in found.refused] == ["no kernel for this operator"]
    with pytest.raises(UnknownNameError, match=r"did you mean .*CUDAExecutionProvider"):
        preview(MODEL, "CudaExecutionProvider")
    with pytest.raises(UnknownNameError, match=r"cann.*cuda.*openvino"):
        preview(MODEL, "nvidia")
