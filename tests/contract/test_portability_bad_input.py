"""What a machine, a model or a person can do to the portability room: a clear error each."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import onnx
import pytest

from workbench.errors import InstallationError, UnknownNameError, WorkbenchError, WorkerError
from workbench.portability import port, sections
from workbench.portability._compile import compiled, compiler_availability
from workbench.portability.ascend.device import AscendDevice
from workbench.portability.ascend.programs import CompileError, _parse_shapes
from workbench.portability.exporting import export
from workbench.portability.previewing import Preview
from workbench.portability.provider.engine import Provider
from workbench.portability.session import open_session
from workbench.portability.workers import environments, installing
from workbench.portability.workers.downloads import Wheel
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

HERE = Path(sys.executable)
CPU = "CPUExecutionProvider"
compiler = compiler_availability()
needs_compiler = pytest.mark.skipif(not compiler, reason=f"{compiler.reason}; {compiler.remedy}")
NAMES = (
    '<img src=x onerror="alert(1)">',
    "a;b:3,4;c",
    "x:0",
    "two words\nand a line",
    "ünïcödé 🙂",
    "../../etc/passwd",
    "%s%n${HOME}`id`",
    "n" * 5000,
)


def chain(names):
    """A model whose nodes and values have these names."""
    values = ["x:0;", *names]
    nodes = [onnx.helper.make_node("Relu", [a], [b], name=b) for a, b in itertools.pairwise(values)]
    ends = [onnx.helper.make_tensor_value_info(v, 1, [2, 3]) for v in (values[0], values[-1])]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 18)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)


@needs_compiler
@pytest.mark.parametrize("crash", ["__builtin_trap();", "*(volatile int*)0 = 1;", "_Exit(3);"])
def test_a_library_that_crashes_when_it_is_loaded_takes_its_worker_only(tmp_path, crash):
    source = tmp_path / "crash.cpp"
    text = f"#include <cstdlib>\n__attribute__((constructor)) void f() {{ {crash} }}\n"
    source.write_text(text)
    with pytest.raises((WorkerError, InstallationError), match=r"SIG|exit code 3"):
        Worker(HERE, [compiled(source)])
    with Worker(HERE) as worker:
        assert worker.alive


def test_a_library_that_is_no_library_is_said(tmp_path):
    (tmp_path / "lib.so").write_text("not a library")
    with pytest.raises(InstallationError, match=r"lib\.so"):
        Worker(HERE, [tmp_path / "lib.so"])


def test_a_worker_that_does_not_answer_is_ended_and_stays_ended():
    worker = Worker(HERE, limit_s=1.0)
    os.kill(worker._process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="did not answer"):
        worker.counters()
    assert not worker.alive
    with pytest.raises(WorkerError, match="gone"):
        worker.counters()


def test_a_worker_takes_its_folder_along():
    with Worker(HERE) as worker:
        folder = Path(worker._folder.name)
        assert Path(f"/proc/{worker._process.pid}/cwd").resolve() == folder.resolve()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_busy_worker_does_not_outlive_a_parent_that_is_killed(start):
    code = (
        "import os, signal, sys, time; from pathlib import Path\n"
        "from workbench.portability.workers.process import Worker\n"
        "worker = Worker(Path(sys.executable)); child = worker._process.pid\n"
        "os.kill(child, signal.SIGSTOP)\n"  # as deaf to its socket as one in native code
        "print(child, flush=True); time.sleep(60)"
    )
    parent = start([str(HERE), "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    state, deadline = Path(f"/proc/{child}/stat"), time.monotonic() + 10
    while state.exists() and state.read_text().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)


@pytest.fixture
def hollow(tmp_path, monkeypatch):
    """An environment that says it is ready and has lost its packages."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    folder = environments.environment_folder("cann")
    venv.create(folder, with_pip=False)
    packages = list(environments.BUILDS["cann"].packages)
    (folder / "ready.json").write_text(json.dumps({"packages": packages}))
    return folder


def test_an_environment_that_lost_its_packages_says_how_to_mend_it(hollow):
    with pytest.raises(InstallationError, match="numpy") as error:
        Worker(environments.python_of("cann"))
    assert "workbench providers remove" in error.value.advice


def test_an_environment_that_lost_its_interpreter_is_not_used(hollow):
    (hollow / "bin" / "python").unlink()
    with pytest.raises(InstallationError, match="interpreter is gone"):
        environments.python_of("cann")


@pytest.mark.parametrize("mark", ["", "{", "[]", "null", '{"packages": ["other==1"]}'])
def test_a_mark_that_is_damaged_or_of_another_version_is_not_believed(hollow, mark):
    (hollow / "ready.json").write_text(mark)
    assert not environments.build_availability("cann")


def test_an_installation_that_pip_refuses_leaves_nothing_that_looks_ready(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(InstallationError, match=r"onnxruntime-gpu.* could not be downloaded"):
        installing.add_build("cuda")
    assert "not installed" in environments.build_availability("cuda").reason
    with pytest.raises(UnknownNameError, match="cuda"):
        installing.add_build("cudda")


def test_wheels_that_pip_refuses_leave_nothing_that_looks_ready(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    files = [tmp_path / "broken-1.0-py3-none-any.whl"]
    files[0].write_bytes(b"no wheel")
    found = Wheel(files[0].name, files[0].as_uri(), "", files[0].stat().st_size)
    monkeypatch.setattr(installing.Downloads, "find", lambda self, package: found)
    with pytest.raises(InstallationError, match="pip could not install"):
        installing.add_build("cuda", lambda line: None)
    assert "did not finish" in environments.build_availability("cuda").reason
    assert installing.remove("cuda")


def test_two_installations_of_one_build_at_once_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))

    def again(*arguments):
        installing.add_build("cann")

    monkeypatch.setattr(installing, "Downloads", again)
    with pytest.raises(InstallationError, match="cann is being installed by another"):
        installing.add_build("cann")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_shapes_are_read_whatever_the_inputs_are_called(name):
    assert _parse_shapes(f"{name}:2,3;s;{name}2:1", [name, "s", f"{name}2"]) == {
        name: (2, 3),
        "s": (),
        f"{name}2": (1,),
    }
    with pytest.raises(CompileError):
        _parse_shapes("other:1", [name])


@needs_compiler
def test_names_of_any_kind_pass_through_a_provider_of_ones_own():
    provider = Provider()
    session = provider.open_session(chain(NAMES))
    x = np.array([[-1, 0, 1], [2, -2, 3]], np.float32)
    assert (session.run([x])[0] == np.maximum(x, 0)).all()
    assert len(session.nodes_by_provider()["WorkbenchExecutionProvider"]) == len(NAMES)


@needs_compiler
@pytest.mark.parametrize("mode", ["operators", "graph", "subgraphs"])
def test_names_of_any_kind_pass_through_the_vendors_provider(mode):
    state = environments.build_availability("cann")
    if not state:
        pytest.skip(f"onnxruntime-cann is not installed: {state.reason}")
    x = np.ones((2, 3), np.float32)
    with Preview() as preview, AscendDevice() as device:
        found = preview(chain(NAMES), "cann", mode, runs=[{"x:0;": x}])
        assert found.on_device == len(found.nodes)
        assert "error" not in found.runs[0]
        assert all("cannot be read" in words for words in found.disagreements)
        assert (device.open_session(chain(NAMES), mode).run([x])[0] == x).all()


def test_a_hostile_name_of_an_open_dimension_is_a_name():
    import torch

    made = export(torch.nn.ReLU(), (torch.ones(2, 3),), dynamic={"input": {0: NAMES[0]}})
    assert open_session(made.model).run([np.ones((5, 3), np.float32)])[0].shape == (5, 3)


def test_inputs_that_do_not_fit_are_an_error_in_a_worker_and_it_goes_on():
    with Worker(HERE) as worker:
        session = open_worker_session(worker, chain(["y"]), CPU)
        for feeds in ({}, {"nobody": np.ones(1)}, {"x:0;": np.ones((2, 3), np.int8)}, [1, 2, 3]):
            with pytest.raises(WorkbenchError):
                session.run(feeds)
        assert session.run([np.ones((2, 3), np.float32)])[0].shape == (2, 3)


def test_a_model_that_never_ends_costs_a_report_a_few_limits_and_each_is_named(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for module in (port, sections):
        monkeypatch.setattr(module, "RUN_LIMIT_S", 1.5)
    endless = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]>\n'
        "g (float[3] x) => (float[3] z) { t = Constant <value = bool {1}> ()\n"
        ' z = Loop("", t, x) < body = b (int64 i, bool on, float[3] s) => (bool go, float[3] o)\n'
        " { go = Identity(on)  o = Sin(s) }> }"
    )
    path = tmp_path / "endless.onnx"
    path.write_bytes(endless.SerializeToString())
    begun = time.monotonic()
    report = port.port_model(str(path))
    assert time.monotonic() - begun < 90  # some seconds where nothing else runs
    assert "within its limit of 1.5 s" in report["parity"]["error"]
    assert any("within its limit" in line for line in report["findings"])
    placed = next(row for row in report["placement"] if row["asked"] == "cuda")
    assert "unavailable" in placed
