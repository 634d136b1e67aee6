"""ONNX Runtime providers: strict about where they run, here and in another environment."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from workbench import catalog, targets
from workbench.errors import InputError, UnavailableError
from workbench.measurement import Availability
from workbench.targets import _ort, _ort_model
from workbench.targets._child import Child, ChildRunner

CPU = "CPUExecutionProvider"


def exported(problem, inputs):
    return _ort._exported(problem.torch_module, _ort._signature(inputs), _ort._Held(inputs))


def test_a_model_runs_in_another_interpreter_and_follows_new_inputs():
    problem = catalog.load_problem("saxpy")
    inputs, others = problem.inputs(33, 1), problem.inputs(33, 2)
    arguments = (exported(problem, inputs), CPU, inputs, {})
    factory = "workbench.targets._ort_model:ModelRunner"
    with ChildRunner("ort", factory, arguments, python=sys.executable) as runner:
        assert runner.run() > 0
        problem.check(runner.fetch(), inputs)
        runner.load(others)
        runner.run()
        problem.check(runner.fetch(), others)


def test_an_environment_with_a_runtime_and_numpy_alone_is_enough(tmp_path):
    for name in ("torch", "onnx", "numba"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not in there')")
    path = os.pathsep.join((str(tmp_path), str(catalog.ROOT)))
    child = Child("ort", {"PYTHONPATH": path}, sys.executable)
    try:
        details = (CPU, {}, _ort._one_addition())
        assert child.ask("call", "workbench.targets._ort_model:look", details) is None
    finally:
        child.close()


@pytest.mark.parametrize("provider", ["CUDAExecutionProvider", "CANNExecutionProvider"])
def test_a_provider_that_is_not_here_is_never_replaced_by_the_processor(provider):
    if _ort.probe_provider(provider):
        pytest.skip(f"{provider} is really here")
    answer = _ort_model.look(provider, {}, _ort._one_addition())
    assert not answer
    assert provider in answer.reason
    problem = catalog.load_problem("saxpy")
    name = {"CUDAExecutionProvider": "ort_cuda", "CANNExecutionProvider": "ort_cann"}[provider]
    with pytest.raises(UnavailableError, match=name):
        targets.find(name).prepare(problem, problem.inputs(3, 0))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another environment"])
def test_a_runtime_that_claims_a_provider_and_cannot_run_it_is_refused(monkeypatch, elsewhere):
    found = Availability(True, "claimed")
    if elsewhere:
        monkeypatch.setattr(_ort, "_elsewhere", lambda provider: (sys.executable, found))
    else:
        monkeypatch.setattr(_ort, "provider_availability", lambda provider: found)
    answer = _ort.probe_provider("CANNExecutionProvider")
    assert not answer
    assert "CANNExecutionProvider" in answer.reason
    assert answer.remedy


def test_a_plain_number_is_a_constant_of_the_model_and_may_not_change():
    saxpy = catalog.load_problem("saxpy")
    plain = dataclasses.replace(
        saxpy, inputs=lambda size, seed: (2.0 + seed, *saxpy.inputs(size, seed)[1:])
    )
    inputs = plain.inputs(5, 0)
    with targets.find("ort_cpu").prepare(plain, inputs) as runner:
        runner.run()
        plain.check(runner.fetch(), inputs)
        runner.load((inputs[0], *plain.inputs(5, 1)[1:]))
        with pytest.raises(InputError, match="constant in the exported model"):
            runner.load(plain.inputs(5, 1))


def test_one_export_serves_all_contents_of_the_same_shapes():
    problem = catalog.load_problem("saxpy")
    _ort._exported.cache_clear()
    first, second = (exported(problem, problem.inputs(7, seed)) for seed in (1, 2))
    assert first is second
    assert exported(problem, problem.inputs(8, 1)) is not first


def test_telemetry_is_off_before_the_runtime_is_imported(tmp_path):
    code = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "from workbench import targets; targets.find('ort_cpu').probe()\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"), str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == "1", ran.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_outputs_stay_those_of_the_last_run():
    problem = catalog.load_problem("saxpy")
    inputs, others = problem.inputs(5, 1), problem.inputs(5, 2)
    with targets.find("ort_cpu").prepare(problem, inputs) as runner:
        runner.run()
        kept = runner.fetch()[0]
        runner.load(others)
        runner.run()
        assert not np.array_equal(kept, runner.fetch()[0])
        problem.check(kept, inputs)
