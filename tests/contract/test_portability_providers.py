"""Huawei's and NVIDIA's own providers, unmodified, over stand-ins: placement, copies, compiles."""

import importlib.util
import itertools
import os
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest

from workbench.errors import (
    InputError,
    InstallationError,
    KernelError,
    UnavailableError,
    WorkerError,
)
from workbench.portability._compile import compiler_availability
from workbench.portability.ascend.device import AscendDevice, real_library
from workbench.portability.comparing import compare
from workbench.portability.exporting import export
from workbench.portability.port import port_model
from workbench.portability.previewing import Preview
from workbench.portability.recorded.book import read_book
from workbench.portability.recorded.previews import RecordedPreview
from workbench.portability.recorded.reach import reach
from workbench.portability.session import SessionError, open_session
from workbench.portability.sweeping import sweep
from workbench.portability.workers import environments, installing

compiler = compiler_availability()
pytestmark = pytest.mark.skipif(not compiler, reason=f"{compiler.reason}; {compiler.remedy}")
OPSETS = {"mlp": (20,), "alexnet": (18, 22), "decoder": (20, 23)}


@pytest.fixture(scope="session")
def cann():
    if not environments.build_availability("cann"):
        try:
            installing.add_build("cann", say=lambda line: None)
        except InstallationError as error:
            pytest.skip(f"onnxruntime-cann cannot be installed: {error.saw}")


@pytest.fixture(scope="session")
def models():
    path = Path(__file__).parents[1] / "models" / "portable_nets.py"
    spec = importlib.util.spec_from_file_location("portable_nets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        name: {opset: export(net, inputs, dynamic=dynamic, opset=opset) for opset in OPSETS[name]}
        for name, (net, inputs, dynamic) in module.nets().items()
    }


@pytest.fixture
def device(cann):
    with AscendDevice() as device:
        yield device


@pytest.mark.parametrize("mode", ["operators", "subgraphs", "graph"])
@pytest.mark.parametrize("name", ["alexnet", "decoder"])
def test_networks_run_on_the_simulated_ascend_and_agree_with_the_cpu(device, models, name, mode):
    exported = models[name][OPSETS[name][0]]
    session = device.open_session(exported.model, mode)
    feeds = exported.feeds()
    for got, want in zip(session.run(feeds), open_session(exported.model).run(feeds), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    seen = device.counters()
    assert seen["copies_to_device"] >= 1
    assert seen["copies_from_device"] >= 1
    assert (seen["kernels"] > 0) == (mode == "operators")
    assert (seen["compiles"] > 0) == (mode != "operators")


def test_every_new_length_of_the_cache_is_compiled_once(device, models):
    exported = models["decoder"][20]
    session = device.open_session(exported.model, "graph")
    compiles = []
    for past in (1, 2, 3, 3, 2, 1, 5):
        cache = np.zeros((1, 4, past, 8), np.float32)
        tokens = np.array([[3]])
        device.counters(reset=True)
        session.run([tokens, cache, cache, cache, cache])
        compiles.append(device.counters()["compiles"])
    assert compiles == [1, 1, 1, 0, 0, 0, 1]


def test_a_learners_kernel_is_what_the_provider_runs(device, models):
    seen = []

    @device.kernel("Softmax")
    def softmax(attributes, x):
        seen.append(x.shape)
        return np.zeros_like(x)

    exported = models["mlp"][20]
    result = device.open_session(exported.model, "graph").run(exported.feeds())[0]
    assert (result == 0).all()
    assert seen


DENSE = """<ir_version: 9, opset_import: ["": 18]> g (float[2, 4] x) => (float[2, 3] y)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> { y = MatMul(x, w) }"""


@pytest.mark.parametrize("mode", ["operators", "graph"])
def test_a_learners_kernel_of_the_wrong_shape_or_that_raises_is_named(device, mode):
    session = device.open_session(onnx.parser.parse_model(DENSE), mode)
    x = np.ones((2, 4), np.float32)
    device.kernel("MatMul")(lambda attributes, a, b: (a @ b).T)
    with pytest.raises(KernelError, match=r"MatMul.*\n?.*\(3, 2\), where \(2, 3\)"):
        session.run([x])
    device.kernel("MatMul")(lambda attributes, a, b: a / (1 // 0))
    with pytest.raises(KernelError, match="'MatMul' raised ZeroDivisionError"):
        session.run([x])
    device.kernel("MatMul")(lambda attributes, a, b: a @ b)
    assert session.run([x])[0].tolist() == [[22, 26, 30]] * 2


def test_a_worker_that_dies_in_a_run_leaves_the_reason_and_the_placement(cann):
    with Preview() as preview:
        worker = preview.worker("CANNExecutionProvider")
        worker.handlers["kernel"] = lambda body: os.kill(worker._process.pid, signal.SIGSEGV)
        feeds = {"x": np.ones((2, 4), np.float32)}
        model = onnx.parser.parse_model(DENSE)
        found = preview(model, "cann", "operators", runs=[feeds])
    assert found.on_device == 1
    assert "SIGSEGV" in found.runs[0]["error"]


def test_an_empty_device_refuses_by_the_name_of_the_missing_kernel(cann, models):
    with AscendDevice(kernels={}) as empty:
        session = empty.open_session(models["alexnet"][18].model, "operators")
        with pytest.raises(Exception, match=r"Conv2D|Relu"):
            session.run(models["alexnet"][18].feeds())


def test_a_provider_library_that_crashes_takes_its_worker_and_nothing_else(device):
    os.kill(device.worker._process.pid, signal.SIGSEGV)
    device.worker._process.wait(timeout=20)
    with pytest.raises(WorkerError, match="SIGSEGV"):
        device.counters()


def test_raising_the_opset_is_a_cliff_for_cann_and_none_for_the_decoder_on_its_graph_engine(
    cann, models
):
    places = [("cann", "operators"), ("cann", "subgraphs")]
    with Preview() as preview:
        alexnet = sweep({o: e.model for o, e in models["alexnet"].items()}, places, preview=preview)
    cliff = next(c for c in alexnet.cliffs if c.mode == "operators")
    assert (cliff.below, cliff.above) == (18, 22)
    assert cliff.lost["Conv"] == 4
    assert alexnet.best["cann operators"] == 18
    assert all(s.share == 1 for s in alexnet.steps if s.mode == "subgraphs")


def test_each_node_that_is_refused_has_the_providers_reason(cann, models):
    with Preview() as preview:
        found = preview(models["decoder"][20].model, "cann", "operators")
    assert found.simulated
    assert found.refused
    assert all(node.reason for node in found.refused)
    assert len(found.copies) > 4


def test_the_assignment_record_and_the_profile_are_held_against_each_other(cann, models):
    exported = models["alexnet"][18]
    with Preview() as preview:
        found = preview(exported.model, "cann", "operators", runs=[exported.feeds()])
    assert found.disagreements == ()
    assert found.runs[0]["kernels"] > 0


def cuda():
    """Return NVIDIA's provider where its build is here, and otherwise its recording."""
    return reach("cuda", say=lambda line: None, install=False).preview()


def test_the_cuda_provider_shows_its_cliffs(models):
    with cuda() as preview:
        before = preview(models["alexnet"][18].model, "cuda")
        after = preview(models["alexnet"][22].model, "cuda")
        decoders = [preview(models["decoder"][opset].model, "cuda") for opset in (20, 23)]
    assert before.on_device == len(before.nodes)
    assert {node.operator for node in after.refused} == {"MaxPool"}
    assert len(after.copies) == 6
    assert decoders[0].on_device < len(decoders[0].nodes)
    assert decoders[1].on_device == len(decoders[1].nodes)


@pytest.mark.parametrize("build", ["cann", "cuda"])
def test_the_recording_says_what_the_provider_says_now(build, models):
    state = environments.build_availability(build)
    if not state:
        pytest.skip(f"{build} is not installed here, only its recording was looked at: {state}")
    played = RecordedPreview(read_book(build))
    with Preview() as preview:
        for exported in itertools.chain(*(per.values() for per in models.values())):
            now, then = preview(exported.model, build), played(exported.model, build)
            assert then.nodes == now.nodes
            assert then.copies == now.copies


def test_an_unfinished_installation_is_not_used_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    (tmp_path / "providers" / "cann" / "bin").mkdir(parents=True)
    with pytest.raises(InstallationError, match="did not finish"):
        environments.python_of("cann")
    assert installing.remove("cann")
    with pytest.raises(UnavailableError, match="not installed"):
        environments.python_of("cann")


def test_a_worker_says_what_the_runtime_said(device):
    with pytest.raises(SessionError):
        device.open_session(b"no model at all")
    assert device.worker.alive


def test_a_report_holds_each_build_that_is_here_against_the_cpu(tmp_path, cann):
    """Over stand-ins a placement and no time; where it computes for real, parity and latency."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N, 4, 8] x) => (float[N, 4, 8] y)'
        "<float[8, 8] w = {" + ", ".join(["0.25"] * 64) + "}>"
        "{ a = MatMul(x, w) b = Softmax(a) c = Sigmoid(b) y = Mul(b, c) }"
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    report = port_model(str(path))
    rows = {(row["asked"], row["asked_mode"]): row for row in report["placement"]}
    operators = rows["cann", "operators"]
    assert operators["simulated"]
    assert operators["on_device"] < len(operators["nodes"])
    assert report["memory"]["peak_bytes"] > 0
    assert {step["opset"] for step in report["sweep"]["steps"]} >= {17, 18, 20, 22}
    assert "converted" in report["sweep"]["how"]
    if "sentence" in rows["openvino", ""]:
        (real,) = report["divergence"]
        assert real["outputs_agree"]
        assert real["latency"]["provenance"] == "measured"
    else:
        assert "no provider that computes for real" in report["divergence"]["reason"]


def test_a_run_over_a_stand_in_is_never_timed(device, models):
    exported = models["mlp"][20]
    session = device.open_session(exported.model, "graph")
    with pytest.raises(InputError, match="stand-in"):
        session.latencies(exported.feeds(), least=1, most=1, limit_s=1)


@pytest.mark.parametrize("build", ["cann", "openvino"])
def test_any_build_that_computes_can_be_compared_value_by_value(build, models):
    state = environments.build_availability(build)
    if not state:
        pytest.skip(f"{build} is not installed here: {state.reason}")
    compare(models["mlp"][20], "torch", build).check()


def test_over_the_cuda_stand_in_nothing_is_compared(models):
    state = environments.build_availability("cuda")
    if not state or real_library("libcuda.so.1"):
        pytest.skip(f"there is no CUDA stand-in here: {state.reason}")
    with pytest.raises(UnavailableError, match="stand-in"):
        compare(models["mlp"][20], "torch", "cuda")
