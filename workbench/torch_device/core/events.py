"""Events: marks in a stream that other streams and the host wait for, and whose time is taken.

An event is a gate that its stream opens when the work before it is done. It refuses to decide when
that is: streams run by themselves.
"""

from __future__ import annotations

from workbench.torch_device.core import devices, streams
from workbench.torch_device.driver.queue import Gate

dropping_waits = False
"""Whether `Event.wait` does nothing: the mistake that `timeline.dropped_waits` lets one see."""


class Event:
    """A mark in a stream: it happens when the work before it is done.

    Parameters
    ----------
    enable_timing : bool, optional
        Whether `elapsed_time` may be asked.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, device=None):
        self.enable_timing = enable_timing
        self.device_index = devices.index_of(device)
        self._gate: Gate | None = None

    def record(self, stream: streams.Stream | None = None) -> None:
        """Put the event behind the work queued on a stream (the current one) so far."""
        self._gate = Gate()
        (stream or streams.current()).reach(self._gate)

    def wait(self, stream: streams.Stream | None = None) -> None:
        """Make a stream (the current one) wait for this event; not recorded means done."""
        if self._gate is not None and not dropping_waits:
            (stream or streams.current()).wait_gate(self._gate)

    def query(self) -> bool:
        """Return whether the event has happened (or was never recorded)."""
        return self._gate is None or self._gate.is_open()

    def synchronize(self) -> None:
        """Wait on the host until the event has happened."""
        if self._gate is not None and not self._gate.is_open():
            devices.check_not_forked()
            self._gate.wait()

    def elapsed_time(self, end: Event) -> float:
        """Return the time from this event to `end` in milliseconds.

        Raises
        ------
        RuntimeError
            Where timing was not enabled or one of the two has not happened.
        """
        if not (self.enable_timing and end.enable_timing):
            raise RuntimeError("Both events must be created with argument 'enable_timing=True'.")
        if not (self._gate and end._gate and self.query() and end.query()):
            raise RuntimeError("Both events must be recorded and completed; synchronize first.")
        return (end._gate.time_ns - self._gate.time_ns) / 1e6
