"""Launches run off the thread that launches: what stops them, what they say, what they survive."""

import _thread
import contextvars
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from workbench import cuda
from workbench.errors import StoppedError
from workbench.simt.compiled.pace import control_of
from workbench.simt.host import launcher


@cuda.jit
def _endless(a):
    i = cuda.grid(1)
    if i < a.size:
        while a[i] >= 0:
            a[i] = (a[i] + 1) % 1000


LINE = _endless.py_func.__code__.co_firstlineno + 4


@cuda.jit
def _add_one(a):
    i = cuda.grid(1)
    if i < a.size:
        a[i] += 1


@cuda.jit
def _count(total, turns):
    for _ in range(turns[0]):
        cuda.atomic.add(total, 0, 1)


@pytest.fixture(autouse=True)
def _sigint_interrupts():
    """Shells start background jobs with SIGINT ignored; there Ctrl-C means nothing to Python."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _sigint_after(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.parametrize("tier", ["compiled", "lockstep", "step-through"])
def test_stop_ends_an_endless_kernel_within_a_second_and_says_where_its_threads_were(tier):
    numbers = np.zeros(40, np.int64)
    _endless.compile(numbers, block=32)
    cuda.set_time_limit(20)
    try:
        with cuda.tier(tier):
            _sigint_after(0.2)
            started = time.perf_counter()
            with pytest.raises(KeyboardInterrupt, match=f"line ({LINE}|{LINE + 1})"):
                _endless[2, 32](numbers)
            assert time.perf_counter() - started < 1.2
    finally:
        cuda.set_time_limit(None)


@pytest.mark.parametrize("tier", ["compiled", "lockstep", "step-through"])
def test_a_time_limit_says_where_the_threads_were(tier):
    numbers = np.zeros(40, np.int64)
    _endless.compile(numbers, block=32)
    cuda.set_time_limit(0.5)
    try:
        with cuda.tier(tier), pytest.raises(StoppedError, match=f"line ({LINE}|{LINE + 1})"):
            _endless[2, 32](numbers)
    finally:
        cuda.set_time_limit(None)


@cuda.jit
def _constant_but_long(a):
    i = cuda.grid(1)
    x = a[i]
    for _ in range(4000):
        for _ in range(4000):
            x = x * x + 0.5
    a[i] = x


def test_loops_of_constant_length_are_stopped_as_soon_as_others():
    values = np.zeros(1024 * 512, np.float64)
    _constant_but_long.compile(values, block=1024)
    cuda.set_time_limit(0.2)
    started = time.perf_counter()
    try:
        with pytest.raises(StoppedError, match="blocks had not begun"):
            _constant_but_long[512, 1024](values)
    finally:
        cuda.set_time_limit(None)
    assert time.perf_counter() - started < 1.2


def test_an_exception_sent_to_the_launching_thread_ends_its_launch():
    numbers, seen, begun = np.zeros(4, np.int64), [], threading.Event()
    _endless.compile(numbers, block=32)

    def launches():
        begun.set()
        try:
            _endless[1, 32](numbers)
        except KeyboardInterrupt as error:
            seen.append((time.perf_counter(), str(error)))

    thread = threading.Thread(target=launches)
    thread.start()
    begun.wait()
    time.sleep(0.2)
    started = time.perf_counter()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
    )
    thread.join(5)
    assert seen
    assert seen[0][0] - started < 1
    assert f"line {LINE}" in seen[0][1]


def test_the_next_launch_after_a_stop_is_right():
    numbers = np.zeros(4, np.int64)
    _endless.compile(numbers, block=32)
    threading.Timer(0.2, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        _endless[1, 32](numbers)
    values = np.zeros(100)
    for _ in range(4):
        _add_one[4, 32](values)
    assert (values == 4).all()


def test_what_does_not_answer_a_stop_is_left_alone_and_says_so():
    ended, told = threading.Event(), []

    def deaf():
        time.sleep(1.5)
        ended.set()

    _sigint_after(0.1)
    started = time.perf_counter()
    with pytest.raises(launcher.StillRunning) as raised:
        launcher.perform([deaf], told.append)
    assert time.perf_counter() - started < 1.3
    assert not ended.is_set()
    assert isinstance(raised.value.__cause__, KeyboardInterrupt)
    assert isinstance(told[0], KeyboardInterrupt)
    ran = []
    launcher.perform([lambda: ran.append(threading.current_thread().name)], told.append)
    assert ran == ["simt launcher"]
    assert ended.wait(3)


def test_a_launch_that_does_not_answer_explains_what_goes_on(monkeypatch):
    numbers = np.zeros(4)
    _add_one.compile(numbers, block=32)
    compiled = next(iter(_add_one.specialisations.values())).compiled
    real = compiled.function
    monkeypatch.setattr(launcher, "PATIENCE_S", 0.1)
    monkeypatch.setattr(compiled, "function", lambda *_: time.sleep(0.6))
    _sigint_after(0.1)
    with pytest.raises(KeyboardInterrupt, match="goes on in the background"):
        _add_one[1, 32](numbers)
    monkeypatch.setattr(compiled, "function", real)
    _add_one[1, 32](numbers)
    assert numbers[0] == 1


def test_launches_see_the_context_variables_of_their_caller():
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("mine")
    seen = []
    launcher.perform([lambda: seen.append(variable.get())], lambda _: None)
    assert seen == ["mine"]


def test_threads_that_launch_at_once_get_right_answers():
    total, turns = np.zeros(1, np.int64), np.array([100])
    _count.compile(total, turns, block=64)
    arrays = [np.zeros(1000) for _ in range(4)]
    _add_one.compile(arrays[0], block=64)

    def launches(values):
        for _ in range(20):
            _add_one[16, 64](values)
            _count[2, 64](total, turns)

    threads = [threading.Thread(target=launches, args=(values,)) for values in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((values == 20).all() for values in arrays)
    assert total[0] == 4 * 20 * 2 * 64 * 100


def test_a_signal_handler_may_launch_while_a_launch_is_waited_for():
    total, turns = np.zeros(1, np.int64), np.array([20_000])
    _count.compile(total, turns, block=64)
    inner = np.zeros(1, np.int64)
    handled = []

    def handler(*_):
        _count[1, 64](inner, np.array([10]))
        handled.append(int(inner[0]))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        for _ in range(400):
            _count[4, 64](total, turns)
            if handled:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled == [640]
    assert total[0] % (4 * 64 * 20_000) == 0


def test_a_callback_of_a_stream_may_launch():
    stream, values = cuda.stream(), np.zeros(32)
    _add_one[1, 32, stream](values)
    stream.add_callback(lambda *_: _add_one[1, 32](values))
    assert (values == 2).all()


def test_a_kernel_error_is_raised_where_the_launch_was_called():
    @cuda.jit
    def beyond(a):
        a[cuda.grid(1)] = 1

    values = np.zeros(10)
    for _ in range(3):
        with pytest.raises(IndexError, match="out of bounds") as raised:
            beyond[1, 32](values)
        assert [entry.path.name for entry in raised.traceback] == [
            "test_simt_launcher.py",
            "kernel.py",
        ]


def test_pdb_finds_step_through_kernels_in_the_calling_thread():
    names = []

    @cuda.jit
    def tells(a):
        names.append(threading.current_thread() is threading.main_thread())
        a[0] = 1

    with cuda.tier("step-through"):
        tells[1, 1](np.zeros(1))
    assert names == [True]
    assert tells.last_thread == "caller"


def test_short_launches_whose_loops_are_given_run_in_the_caller_and_show_it():
    values, seen = np.zeros(77), []
    for _ in range(6):
        _add_one[4, 32](values)
        seen.append(_add_one.last_thread)
    assert seen[0] == "launcher"
    assert seen[-1] == "caller"
    total, turns = np.zeros(1, np.int64), np.array([3])
    for _ in range(6):
        _count[1, 32](total, turns)
    assert _count.last_thread == "launcher", "memory says how long its loop is"


@cuda.jit(device=True)
def _power(x, n):
    y = 1.0
    for _ in range(n):
        y *= x
    return y


def _tiled(a, out, n, scale):
    i = cuda.grid(1)
    if i >= out.size:
        return
    k = n
    total = 0.0
    while k > 0:
        for j in range(a.shape[0]):
            if a[j] > 0:
                total += a[j]
        k //= 2
    out[i] = total * scale


def _rows(starts, out):
    i = cuda.grid(1)
    for k in range(starts[i], starts[i + 1]):
        out[i] += k


def _early(a, out, n):
    i = cuda.grid(1)
    if a[i] > 0:
        return
    for k in range(n):
        out[i] += k


def _through_a_name(a, out):
    n = 0
    if a[0] > 1:
        n = 1000
    for k in range(n):
        out[k] = k


def _calls(a, out, n):
    out[0] = _power(a[0], n)


def _calls_with_memory(a, out):
    out[0] = _power(2.0, a[0])


def test_which_launches_are_as_long_each_time_follows_from_the_source():
    def control(function):
        return control_of(cuda.jit(function).resolved)

    assert control(_tiled) >= {"n", "a"}
    assert "scale" not in control(_tiled)
    assert control(_add_one.py_func) == set()
    assert control(_calls) is not None
    assert "n" in control(_calls)
    for function in (_rows, _early, _through_a_name, _calls_with_memory):
        assert control(function) is None, function.__name__


SCRIPT = """
import os, signal, sys, threading, time
import numpy as np
from workbench import cuda

@cuda.jit
def endless(a):
    while a[0] >= 0:
        a[0] = (a[0] + 1) % 1000

@cuda.jit
def add_one(a):
    i = cuda.grid(1)
    if i < a.size:
        a[i] += 1

a = np.zeros(1, np.int64)
"""


@pytest.fixture
def script(tmp_path, start):
    """Return what runs a few lines in a Python of their own."""

    def begin(text):
        path = tmp_path / "script.py"
        path.write_text(SCRIPT + text)
        command = [sys.executable, str(path)]
        return start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return begin


def test_ctrl_c_ends_a_script_within_a_second(script):
    text = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    child = script(text + "print('begins', flush=True)\nendless[1, 1](a)\n")
    assert child.stdout.readline() == "begins\n"
    time.sleep(3)
    started = time.perf_counter()
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=10)
    assert time.perf_counter() - started < 2, "one second, and the interpreter's own end"
    assert child.returncode != 0
    assert "KeyboardInterrupt: The kernel was stopped" in stderr


def test_python_ends_with_a_launch_under_way(script):
    child = script(
        "endless.compile(a, block=1)\n"
        "threading.Thread(target=endless[1, 1], args=(a,), daemon=True).start()\n"
        "time.sleep(0.5)\nprint('ends', flush=True)\n",
    )
    stdout, stderr = child.communicate(timeout=30)
    assert (stdout, child.returncode) == ("ends\n", 0), stderr
    assert "Fatal" not in stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_launches_as_its_parent_does(script):
    child = script(
        "v = np.zeros(1 << 16)\n"
        "for _ in range(3):\n    add_one[256, 256](v)\n"
        "pid = os.fork()\n"
        "for _ in range(3):\n    add_one[256, 256](v)\n"
        "assert (v == 6).all()\n"
        "if pid == 0:\n    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
    )
    stdout, stderr = child.communicate(timeout=60)
    assert stdout == "7\n", stderr
