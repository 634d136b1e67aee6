"""The threads that launches run on, so that whoever launches can wait in peace and be interrupted.

A launch is one or more jobs, each on a launcher thread; the launching thread only waits. What is
raised in it meanwhile (Ctrl-C, Jupyter's Stop, an exception that another thread sends it) reaches
the launch as its stop flag; then the launch is given a moment to leave its loops and to say where
its threads were. One that does not answer is inside code that asks nobody: it is left alone on its
thread, the launching thread goes on, and the next launch gets another launcher.

Handing over and back costs two wake-ups, 40 to 60 microseconds; `pace` says which launches are
known to be too short for that. Launcher threads are daemons: at the interpreter's end, launches
that are still under way are told to stop first. A forked child starts its own.

It refuses to run the step-through tier: pdb talks to the thread that launched.
"""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from workbench.errors import StoppedError

SLICE_S = 0.05
"""How long the launching thread waits at a time: signals that only set a flag (Windows, tests) and
exceptions sent by other threads are seen between two slices; real signals at once."""
PATIENCE_S = 0.9
"""How long a stopped launch may take to leave its loops."""

Job = Callable[[], None]
Stop = Callable[[BaseException], None]
_idle: list[_Launcher] = []
_all: dict[int, _Launcher] = {}


class _Launcher:
    """One persistent thread, lent to one launch at a time."""

    def __init__(self) -> None:
        self.started = self.ended = 0
        self.abandoned = False
        self.error: BaseException | None = None
        self.stop: Stop | None = None
        self._job: Job | None = None
        self._turn, self._go, self._done = threading.Lock(), threading.Lock(), threading.Lock()
        self._go.acquire()
        self._done.acquire()
        thread = threading.Thread(target=self._loop, name="simt launcher", daemon=True)
        thread.start()
        _all[thread.ident or 0] = self

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self.ended != self.started

    def start(self, job: Job, stop: Stop) -> None:
        """Begin a job."""
        context = contextvars.copy_context()
        self.error, self.stop = None, stop
        self._job = lambda: context.run(job)
        self.started += 1
        self._go.release()

    def _loop(self) -> None:
        while True:
            self._go.acquire()
            job, self._job = self._job, None
            try:
                if job is not None:
                    job()
            except BaseException as error:  # the launching thread's to raise
                self.error = error
            job = self.stop = None
            with self._turn:
                self.ended += 1
                if self.abandoned:
                    self.abandoned, self.error = False, None
                    _idle.append(self)
            if self._done.locked():
                self._done.release()

    def wait(self) -> None:
        """Return when the job has ended; the lock is only a bell, which may ring twice."""
        while self.busy:
            self._done.acquire(timeout=SLICE_S)

    def ends_by(self, end: float) -> bool:
        """Wait until a time of `time.monotonic` for the job; one that goes on is abandoned."""
        while self.busy and time.monotonic() < end:
            self._done.acquire(timeout=0.01)
        with self._turn:
            self.abandoned = self.busy
            return not self.abandoned


def perform(jobs: Sequence[Job], stop: Stop, inline: bool = False) -> None:
    """Run jobs side by side on launcher threads, and return when all have ended.

    Parameters
    ----------
    jobs : sequence of callable
        Each sees the context variables of the caller.
    stop : callable
        ``stop(error)`` makes the jobs end soon. It is called with what is raised in the waiting
        thread, and at the interpreter's end. Nothing else tells that the caller was interrupted.
    inline : bool
        Run the first job in the calling thread. A launcher thread that launches (a finaliser that
        happens to run there) always does.

    Raises
    ------
    BaseException
        What a job raised.
    StillRunning
        Where the caller was interrupted and a job did not end.
    """
    inline = inline or threading.get_ident() in _all
    if inline and len(jobs) == 1:
        jobs[0]()
        return
    lent: list[_Launcher] = []
    try:
        for job in jobs[inline:]:
            lent.append(_idle.pop() if _idle else _Launcher())
            lent[-1].start(job, stop)
        if inline:
            jobs[0]()
        for one in lent:
            one.wait()
    except BaseException as error:
        stop(error)
        _let_end(lent, stop, error)
    failed = [one.error for one in lent if one.error is not None]
    _idle.extend(lent)
    if failed:
        raise failed[0]


class StillRunning(BaseException):
    """A stopped launch does not answer; `__cause__` is what interrupted the caller."""


def _let_end(lent: list[_Launcher], stop: Stop, error: BaseException) -> None:
    end = time.monotonic() + PATIENCE_S
    waiting = list(lent)
    while waiting:
        try:
            if not waiting[-1].ends_by(end):
                raise StillRunning from error
            waiting.pop()
        except KeyboardInterrupt as again:
            stop(again)


def _at_exit() -> None:
    """Daemon threads must not be inside compiled code while the interpreter goes away."""
    error = StoppedError(
        "The launch was stopped.", "Python ends", "wait for the threads that launch: thread.join()"
    )
    end = time.monotonic() + PATIENCE_S
    for one in list(_all.values()):
        stop: Any = one.stop
        if stop is not None:
            stop(error)
    for one in list(_all.values()):
        while one.busy and time.monotonic() < end:
            time.sleep(0.001)


def _in_child() -> None:
    _idle.clear()
    _all.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
