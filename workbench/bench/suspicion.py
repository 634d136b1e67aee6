"""What a learner's code may not do, seen from inside the process that runs it.

These checks apply to callables that join a race, not to our own targets. They sit beside the
timed calls, never in them: what code does when it is watched is not what is timed, and which calls
are watched is decided after they ended. What lasts in the process (a thread that goes on, a
replaced function of NumPy's) ends the process, too: the other lanes go on in a new one.

It refuses to promise more than it does: code that rewrites this process's memory can defeat any
check made in it. That is why answers and statistics are judged in another process (`judge`).
"""

from __future__ import annotations

import glob
import inspect
import os
import random
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from workbench.bench.engine import CLOCK, Lane
from workbench.errors import ExecutionError
from workbench.problem import Problem

WATCHES = 8
_SHARED = ("numpy", "numpy.linalg", "numpy.fft", "torch", "torch.nn.functional", "time")
LEFT_THREADS = 3
"""This many calls that leave a new thread behind are no accident (a pool is made once)."""


class SpoiltError(ExecutionError):
    """What a learner's code did lasts, so that this process can measure nobody any more."""


def held_out(problem: Problem, secret: random.Random) -> tuple[Any, ...]:
    """Return inputs of another size, seed and scale than the race's."""
    size = secret.choice(problem.test_sizes)
    scale = secret.uniform(0.25, 4.0)
    return tuple(
        (value * scale).astype(value.dtype)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for value in problem.inputs(size, secret.getrandbits(31))
    )


def refuse_the_reference(problem: Problem, runner: Any) -> None:
    """Run once under a tracer and raise where the code calls the problem's own reference.

    Raises
    ------
    ExecutionError
        The answer would be right, and its time would be the reference's.
    """
    if _place(runner.function) == _place(problem.reference):
        return  # it is the reference, openly
    called: list[bool] = []

    def look(frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and _code_place(frame.f_code) == _place(problem.reference):
            called.append(True)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        runner.run()
    finally:
        sys.setprofile(before)
    if called:
        raise ExecutionError(
            "The code falls back to the reference.",
            f"it calls {problem.name}'s reference instead of computing the answer itself",
            "let it fail where it cannot compute; race `numpy` to see the reference",
        )


def refuse_left_threads(lane: Lane) -> None:
    """Raise where calls keep coming back with one more thread than they began with."""
    if lane.left_threads >= LEFT_THREADS:
        raise SpoiltError(
            "Calls return while a thread they started is still working.",
            f"{lane.left_threads} calls left a thread behind",
            "join the thread before returning: the clock stops when the call returns",
        )


class Ground:
    """What all lanes of this process stand on, as it was before any learner's code was loaded.

    The problem, the functions of NumPy, PyTorch and `time`, how many threads PyTorch uses, on which
    processors and with what priority this process runs: code that changes one of them changes the
    times, or the answers, of the others.
    """

    def __init__(self, problem: Problem):
        self._objects: list[tuple[Any, str, Any]] = [
            (problem, name, getattr(problem, name)) for name in vars(problem)
        ]
        code = getattr(problem.reference, "__code__", None)
        self._objects += [(problem.reference, "__code__", code)] if code else []
        for module in filter(None, map(sys.modules.get, _SHARED)):
            public = (name for name in dir(module) if not name.startswith("_"))
            self._objects += [
                (module, name, value)
                for name in public
                if callable(value := vars(module).get(name)) and not isinstance(value, ModuleType)
            ]
        self._settings = _settings()

    def require_untouched(self) -> None:
        """Raise `SpoiltError` where something is not what it was, naming it."""
        for owner, name, value in self._objects:
            if getattr(owner, name, None) is not value:
                whose = getattr(owner, "__name__", type(owner).__name__)
                raise SpoiltError(
                    "The code changed what the other lanes use, too.",
                    f"{whose}.{name} is no longer what it was",
                    "leave other people's modules as they are",
                )
        for what, value in _settings().items():
            if value != self._settings.get(what, value):
                raise SpoiltError(
                    "The code changed how the other lanes run, too.",
                    f"{what}: {self._settings[what]} before, {value} now",
                    "set the race's `threads`; leave the process as it is",
                )


def _settings() -> dict[str, Any]:
    found: dict[str, Any] = {"priority": os.getpriority(os.PRIO_PROCESS, 0)}
    if hasattr(os, "sched_getaffinity"):
        found["processors"] = sorted(os.sched_getaffinity(0))
    if "torch" in sys.modules:
        found["PyTorch's threads"] = sys.modules["torch"].get_num_threads()
    return found


class Lingering:
    """Watches who uses the processor after a call has returned.

    The time of the other threads of this process and of the processes it started is read, the
    watching thread sleeps, and it is read again: what grew was used by something that works on
    after its call returned. What our own targets' libraries use (they have threads, too) is seen
    before any learner's code is loaded. What the watching thread itself needs to fall asleep and
    wake up depends on the load of the machine and not on the code, so it does not count.
    """

    def __init__(self):
        self.usual_ns = 0.0
        self.seen: dict[str, list[tuple[int, int, int]]] = {}

    def learn(self, lane: Lane) -> None:
        """Take for usual what is used after calls of one of our own targets."""
        slept_s = _pause_s(lane)
        seen = []
        for _ in range(3 if lane.last_ns < 20_000_000 else 1):
            lane.runner.run()
            seen.append(_busy_while_asleep(slept_s))
        self.usual_ns = max(self.usual_ns, float(np.median(seen)))

    def watch(self, lane: Lane) -> None:
        """Watch once, just after a call of a learner's lane.

        Raises
        ------
        SpoiltError
            Where in the middle of at least `WATCHES` watches more than half of the call's or of the
            watch's time, more than 50 µs, and much more than usual was used after the call, and
            where that is so again in as many watches after calls that are made for it.
        """
        seen = self.seen.setdefault(lane.label, [])
        seen.append(_look(lane))
        if len(seen) < WATCHES or not self._too_much(seen):
            return
        again = [_look_after_a_call(lane) for _ in range(WATCHES)]
        if self._too_much(again):
            after, own, _ = _middle(again)
            raise SpoiltError(
                "The code works on after its call has returned.",
                f"a call takes {own / 1e3:.0f} µs, and {after / 1e3:.0f} µs of processor time "
                "follow after it",
                "wait for your threads and processes inside the call",
            )
        seen.clear()  # it was not the code's doing

    def _too_much(self, seen: list[tuple[int, int, int]]) -> bool:
        after, own, slept = _middle(seen)
        return after > max(0.5 * min(own, slept), 50_000, 3 * self.usual_ns)


def _look(lane: Lane) -> tuple[int, int, int]:
    """Return the processor time used after the lane's last call, that call's time, and the pause's.

    All in nanoseconds.
    """
    slept_s = _pause_s(lane)
    return _busy_while_asleep(slept_s), lane.last_ns, round(1e9 * slept_s)


def _look_after_a_call(lane: Lane) -> tuple[int, int, int]:
    call(lane)
    return _look(lane)


def call(lane: Lane) -> None:
    """Run a lane once, outside the race, and note how long it took."""
    start = CLOCK()
    lane.runner.run()
    lane.last_ns = CLOCK() - start


def _middle(seen: list[tuple[int, int, int]]) -> tuple[float, float, float]:
    after, own, slept = (float(np.median(column)) for column in zip(*seen, strict=True))
    return after, own, slept


def _pause_s(lane: Lane) -> float:
    return min(0.02, max(0.001, 2e-9 * lane.last_ns))


def _busy_while_asleep(seconds: float) -> int:
    """Return the processor time used by everything of this process but the thread that sleeps.

    That thread counts only where it was busy for more than half of its sleep: then something (a
    handler of signals) works in it.
    """
    children, everybody, own = _children_ns(), time.process_time_ns(), time.thread_time_ns()
    time.sleep(seconds)
    own = time.thread_time_ns() - own
    everybody = time.process_time_ns() - everybody
    counted = everybody if own > 0.5e9 * seconds else max(0, everybody - own)
    return counted + max(0, _children_ns() - children)


def _children_ns() -> int:
    """Return the processor time of the processes that this one's threads started, in ns.

    Source: proc(5), ``/proc/[pid]/task/[tid]/children`` and ``.../schedstat`` (time spent on the
    processor, in nanoseconds). Where the system has neither, they are not seen.
    """
    total, waiting, known = 0, [os.getpid()], set()
    while waiting:
        process = waiting.pop()
        for task in glob.glob(f"/proc/{process}/task/*"):
            started = {int(one) for one in _words(f"{task}/children")} - known
            known |= started
            waiting += started
            if process != os.getpid():
                total += int((_words(f"{task}/schedstat") or ["0"])[0])
    return total


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:  # it has ended, or the system has no such file
        return []


def _place(function: Any) -> tuple[str, int] | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else _code_place(code)


def _code_place(code: Any) -> tuple[str, int]:
    return code.co_filename, code.co_firstlineno
