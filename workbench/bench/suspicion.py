"""What a learner's code may not do, seen from inside the process that runs it.

These checks apply to callables that join a race, not to our own targets. They sit beside the
timed calls, never in them: what code does when it is watched is not what is timed, and which calls
are watched is decided after they ended.

It refuses to promise more than it does: code that rewrites this process's memory can defeat any
check made in it. That is why answers and statistics are judged in another process (`judge`).
"""

from __future__ import annotations

import inspect
import random
import sys
import time
from typing import Any

import numpy as np

from workbench.bench.engine import Lane
from workbench.errors import ExecutionError
from workbench.problem import Problem

WATCHES = 8
LEFT_THREADS = 3
"""This many calls that leave a new thread behind are no accident (a pool is made once)."""


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
        raise ExecutionError(
            "Calls return while a thread they started is still working.",
            f"{lane.left_threads} calls left a thread behind",
            "join the thread before returning: the clock stops when the call returns",
        )


class Lingering:
    """Watches who uses the processor after a call has returned.

    The time of all threads of this process is read, the watching thread sleeps, and it is read
    again: what grew was used by a thread that works on after its call returned.
    """

    def __init__(self):
        self.idle_ns = min(_busy_while_asleep(0.001) for _ in range(3))
        self.seen: dict[str, list[tuple[int, int]]] = {}
        self.usual: set[str] = set()

    def watch(self, lane: Lane) -> None:
        """Watch once, just after a call of that lane.

        Raises
        ------
        ExecutionError
            For a learner's lane, where in the middle of at least `WATCHES` watches more than half
            of a call's time, more than 50 µs, and much more than after our own targets' calls
            (whose libraries have threads too) was used after the call.
        """
        sleep_s = min(0.02, max(0.001, 2e-9 * lane.last_ns))
        seen = self.seen.setdefault(lane.label, [])
        seen.append((_busy_while_asleep(sleep_s) - self.idle_ns, lane.last_ns))
        if lane.trusted:
            self.usual.add(lane.label)
        if lane.trusted or len(seen) < WATCHES:
            return
        after, own = _middle(seen)
        usual = max((_middle(self.seen[label])[0] for label in self.usual), default=0.0)
        if after > max(0.5 * own, 50_000, 3 * usual):
            raise ExecutionError(
                "The code works on after its call has returned.",
                f"a call takes {own / 1e3:.0f} µs, and {after / 1e3:.0f} µs of processor time "
                "follow after it",
                "wait for your threads inside the call",
            )


def _middle(seen: list[tuple[int, int]]) -> tuple[float, float]:
    """Return the medians of the time after a call and of the call."""
    after, own = (float(np.median(column)) for column in zip(*seen, strict=True))
    return after, own


def _busy_while_asleep(seconds: float) -> int:
    before = time.process_time_ns()
    time.sleep(seconds)
    return time.process_time_ns() - before


def _place(function: Any) -> tuple[str, int] | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else _code_place(code)


def _code_place(code: Any) -> tuple[str, int]:
    return code.co_filename, code.co_firstlineno
