"""A vendor's library that crashes, loops or eats memory: the worker ends, the notebook does not."""

import os
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import onnx
import pytest

from workbench import portability
from workbench.errors import InputError, UnavailableError, WorkerError
from workbench.portability._compile import compiled, compiler_availability
from workbench.portability.comparing import compare
from workbench.portability.plugins import add_plugin, known_plugins
from workbench.portability.previewing import Preview
from workbench.portability.provider import library
from workbench.portability.refusals import ProviderError
from workbench.portability.session import provider_availability
from workbench.portability.sweeping import sweep
from workbench.portability.workers.limits import in_words, memory_limit_bytes
from workbench.portability.workers.process import Worker

compiler = compiler_availability()
needs_compiler = pytest.mark.skipif(not compiler, reason=f"{compiler.reason}; {compiler.remedy}")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process uses")
SOURCE = Path(__file__).with_name("failing_provider.cpp")
X = np.array([[-1.0, 2.0, 3.0]], np.float32)
_number = count()


@pytest.fixture
def model():
    return onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]>\n'
        "g (float[1, 3] x) => (float[1, 3] z) { y = Sin(x)  z = Relu(y) }"
    )


def plugin(step, how):
    """Compile a provider that fails in this way, and make its name known."""
    provider = f"Failing{next(_number)}ExecutionProvider"
    flags = [f'-DPROVIDER="{library.SOURCE}"', f"-DAT={step}", f"-DHOW={how}"]
    add_plugin(provider, compiled(SOURCE, flags, f"libfailing_{step}_{how}.so"))
    return provider


@needs_compiler
def test_a_plugin_of_somebody_elses_is_previewed_and_run_in_a_worker(model):
    provider = plugin("nowhere", "harmless")
    found = portability.preview(model, provider, runs=[{"x": X}])
    assert [(node.operator, node.provider) for node in found.nodes] == [
        ("Sin", provider),
        ("Relu", "CPUExecutionProvider"),
    ]
    assert not found.disagreements
    assert "error" not in found.runs[0]
    held = compare(model, "CPUExecutionProvider", provider, inputs={"x": X})
    assert held.first is not None  # it copies where a sine is asked for
    assert held.first.operator == "Sin"


@needs_compiler
@pytest.mark.parametrize(("how", "signal"), [("null_pointer", "SIGSEGV"), ("aborts", "SIGABRT")])
def test_a_library_that_crashes_when_it_is_registered_is_a_reason_and_no_crash(model, how, signal):
    provider = plugin("create_factories", how)
    assert signal in provider_availability(provider).reason
    with pytest.raises(ProviderError, match=signal):
        portability.open_session(model, provider)  # it was tried in a worker first
    with pytest.raises(UnavailableError, match=signal):
        portability.preview(model, provider)


@needs_compiler
@pytest.mark.parametrize("step", ["get_capability_step", "compile_step"])
def test_a_library_that_crashes_over_a_model_ends_its_worker_only(model, step):
    provider = plugin(step, "null_pointer")
    with Preview() as preview:
        with pytest.raises(WorkerError, match="SIGSEGV"):
            preview(model, provider)
        assert preview(model, "CPUExecutionProvider").on_device == 2
        with pytest.raises(WorkerError, match="SIGSEGV"):  # a fresh worker, as dead as the first
            preview(model, provider)


@needs_compiler
def test_the_last_words_of_a_library_that_aborts_are_in_the_report(model):
    provider = plugin("run_step", "aborts")
    found = portability.preview(model, provider, runs=[{"x": X}])
    assert found.on_device == 1  # what was seen before it died holds
    assert "SIGABRT" in found.runs[0]["error"]
    assert "the vendor's last words" in found.runs[0]["error"]
    with pytest.raises(WorkerError, match="SIGABRT"):
        compare(model, "CPUExecutionProvider", provider, inputs={"x": X})


@needs_compiler
def test_a_sweep_goes_on_over_a_provider_that_dies(model):
    provider = plugin("get_capability_step", "null_pointer")
    with Preview() as preview:
        found = sweep({18: model}, [(provider, ""), ("CPUExecutionProvider", "")], preview=preview)
    assert "SIGSEGV" in found.steps[0].failed
    assert found.steps[1].share == 1.0


@needs_compiler
def test_a_provider_that_never_returns_is_ended_at_its_limit_and_says_which(model):
    provider = plugin("run_step", "loops")
    with Preview(limit_s=2.0) as preview:
        found = preview(model, provider, runs=[{"x": X}])
    assert "within its limit of 2 s" in found.runs[0]["error"]


@linux
@needs_compiler
def test_a_provider_that_eats_memory_is_ended_at_its_limit_and_says_which(model):
    provider = plugin("run_step", "eats")
    with Preview(limit_bytes=10**9) as preview:
        found = preview(model, provider, runs=[{"x": X}])
    assert "over its limit of 1 GB" in found.runs[0]["error"]
    assert memory_limit_bytes() > 0
    assert in_words(1_500_000) == "1.5 MB"


@linux
def test_a_busy_worker_that_a_passing_thread_started_lives_on_and_ends_with_its_parent(start):
    code = (
        "import os, signal, sys, threading, time; from pathlib import Path\n"
        "from workbench.portability.workers.process import Worker\n"
        "made = []\n"
        "thread = threading.Thread(target=lambda: made.append(Worker(Path(sys.executable))))\n"
        "thread.start(); thread.join(); time.sleep(0.5)\n"
        "child = made[0]._process.pid; made[0].counters()\n"  # it outlives the thread
        "os.kill(child, signal.SIGSTOP)\n"  # as deaf to its socket as one in native code
        "print(child, flush=True); time.sleep(60)"
    )
    parent = start([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    state, deadline = Path(f"/proc/{child}/stat"), time.monotonic() + 10
    while state.exists() and state.read_text().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)


def test_workers_are_started_by_one_thread_whoever_asks():
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(_parent())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [os.getpid()] * 2
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("workbench-starts-workers") == 1


def _parent():
    with Worker(Path(sys.executable)) as worker:
        stat = Path(f"/proc/{worker._process.pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])


@needs_compiler
def test_a_plugin_is_named_once_and_a_name_that_is_taken_is_refused(tmp_path):
    provider = plugin("nowhere", "harmless")
    assert provider in known_plugins()
    (tmp_path / "other.so").write_bytes(b"")
    with pytest.raises(InputError, match="another library"):
        add_plugin(provider, tmp_path / "other.so")
    with pytest.raises(InputError, match="here already"):
        add_plugin("CPUExecutionProvider", tmp_path / "other.so")
    with pytest.raises(InputError, match="no such plug-in library"):
        add_plugin("NewExecutionProvider", tmp_path / "missing.so")
