"""What ends a launch before its time, and what it says then: one flag for every tier."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from typing import Any

from workbench.errors import StoppedError
from workbench.simt.codegen.device_functions import START_FUEL

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64)
_SLICE_S = 0.02


class Watch:
    """The stop flag of one launch.

    Attributes
    ----------
    stopped : bool
    error : BaseException or None
        What ended the launch: KeyboardInterrupt, or a limit.
    """

    def __init__(self, limit_s: float | None):
        self.callbacks: list[Any] = []
        self.start(limit_s)

    def start(self, limit_s: float | None) -> None:
        """Begin a launch."""
        self.limit_s, self.stopped = limit_s, False
        self.error: BaseException | None = None
        self.started = time.perf_counter()

    def stop(self, error: BaseException) -> None:
        """Make every thread of the launch leave at its next back edge."""
        self.error = self.error or error
        self.stopped = True

    def asks(self) -> bool:
        """Return whether to go on: not after a stop, nor beyond the time limit."""
        if self.limit_s is not None and time.perf_counter() - self.started > self.limit_s:
            self.stop(_limit_error(self.limit_s))
        return not self.stopped

    def ended(self, state: str) -> BaseException:
        """Return what to raise for a launch that was stopped, with the state of its threads."""
        error = self.error
        if isinstance(error, StoppedError):
            return StoppedError(error.happened, f"{error.saw}; {state}", error.advice)
        if error is None or isinstance(error, KeyboardInterrupt):
            return KeyboardInterrupt(f"The kernel was stopped: {state}.")
        return error

    def left_alone(self) -> BaseException:
        """Return what to raise for a launch that does not answer a stop."""
        return self.ended(
            "it did not leave a step that asks nobody (a long call of a library) and goes on in "
            "the background; its arrays may still change, and the next launch is not affected"
        )

    # -- what compiled code asks

    def address(self) -> int:
        """Return the address of a new C function that one worker asks."""
        answers = self._answers()
        next(answers)
        self.callbacks.append(_CALLBACK(answers.__next__))
        return ctypes.cast(self.callbacks[-1], ctypes.c_void_p).value or 0

    def _answers(self) -> Iterator[int]:
        """Yield how many back edges a worker may take next, or -1 to stop.

        A generator, because Python delivers a signal as a frame starts or resumes: a function
        would raise before its ``try`` begins, a generator resumes inside it.
        """
        grant, last = START_FUEL, time.perf_counter()
        while True:
            try:
                yield grant if self.asks() else -1
                now = time.perf_counter()
                took, last = max(now - last, 1e-6), now
                grant = int(min(max(grant * _SLICE_S / took, 1 << 12), 1 << 26))
            except GeneratorExit:
                return
            except BaseException as error:  # Ctrl-C arrives here, in the main thread
                self.stop(error)


def _limit_error(limit_s: float) -> StoppedError:
    return StoppedError(
        "The kernel was stopped by its time limit.",
        f"it ran for more than {limit_s:g} s",
        "look for a loop that never ends, or raise the limit: cuda.set_time_limit(seconds)",
    )
