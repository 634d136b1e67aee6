"""A target in its own process: right answers, its own clock, and no way to hang or to linger."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from workbench import catalog
from workbench.errors import InputError, WorkerError
from workbench.targets._child import Child, ChildRunner

FACTORY = """
import os, time
from workbench import catalog, errors
from workbench.targets import numpy as numpy_target

def reference(name, inputs):
    return numpy_target.prepare(catalog.load_problem(name), inputs)

def dies(how):
    print("last words")
    os._exit(3) if how == "exit" else os.abort()

def hangs():
    time.sleep(600)

def complains():
    raise errors.InputError("It was refused.", "seen", "advice")

def complains_strangely():
    class Local(Exception): pass
    raise Local("cannot be pickled")

def process():
    return os.getpid()
"""


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "child_factory.py").write_text(FACTORY)
    return {"PYTHONPATH": str(tmp_path)}


@pytest.fixture
def child(environment):
    child = Child("somewhere", environment)
    yield child
    child.close()


def test_a_runner_in_a_child_computes_and_times_itself(environment):
    problem = catalog.load_problem("saxpy")
    inputs, others = problem.inputs(1000, 1), problem.inputs(1000, 2)
    with ChildRunner("numpy", "child_factory:reference", ("saxpy", inputs), environment) as runner:
        assert runner.run() > 0
        problem.check(runner.fetch(), inputs)
        runner.load(others)
        assert not problem.compare(runner.fetch(), others).ok
        runner.run()
        problem.check(runner.fetch(), others)


@pytest.mark.parametrize(("how", "seen"), [("exit", "exit code 3"), ("abort", "SIGABRT")])
def test_a_child_that_dies_is_named_with_its_last_words(child, how, seen):
    with pytest.raises(WorkerError, match="somewhere died") as raised:
        child.ask("call", "child_factory:dies", (how,))
    assert seen in raised.value.saw


def test_a_child_that_hangs_is_ended(child):
    with pytest.raises(WorkerError, match="stopped answering"):
        child.ask("call", "child_factory:hangs", (), timeout_s=0.5)
    assert child._process.poll() is not None


def test_our_errors_cross_over_whole_and_strange_ones_are_quoted(child):
    with pytest.raises(InputError, match="It was refused") as raised:
        child.ask("call", "child_factory:complains", ())
    assert raised.value.advice == "advice"
    with pytest.raises(WorkerError, match="Local: cannot be pickled"):
        child.ask("call", "child_factory:complains_strangely", ())


def test_ctrl_c_is_the_parents_to_handle(child):
    pid = child.ask("call", "child_factory:process", ())
    os.kill(pid, signal.SIGINT)
    assert child.ask("call", "child_factory:process", ()) == pid


def test_a_busy_child_ends_soon_after_its_parent_was_killed(environment, start):
    parent = start(
        [
            sys.executable,
            "-c",
            "from workbench.targets._child import Child\n"
            f"child = Child('somewhere', {environment!r})\n"
            "print(child.ask('call', 'child_factory:process', ()), flush=True)\n"
            "child.ask('call', 'child_factory:hangs', ())",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_closing_ends_the_process_and_frees_the_pipe(child):
    pid = child.ask("call", "child_factory:process", ())
    child.close()
    child.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerError):
        child.ask("call", "child_factory:process", ())


def test_a_huge_answer_arrives_whole(environment):
    problem = catalog.load_problem("saxpy")
    inputs = problem.inputs(2_000_000, 1)
    with ChildRunner("numpy", "child_factory:reference", ("saxpy", inputs), environment) as runner:
        runner.run()
        assert np.isfinite(runner.fetch()[0]).all()
