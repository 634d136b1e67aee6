"""Streams and events: queues of work that run in order, beside each other and beside Python.

Each stream but the default one has a worker thread. What is put on a stream runs later, in order;
kernels run outside Python's lock, so two streams and the host really overlap. The default stream
(id 0) of every device runs its work at once on the calling thread, as CUDA does under
``CUDA_LAUNCH_BLOCKING=1``; `launch_blocking(False)` gives it a worker, too.

An error in queued work is kept and raised at the next synchronisation, naming the operator and the
line that queued it; what was queued behind it is dropped, since its inputs are wrong. Frees are
stream-ordered (`allocator`). After a fork the device refuses to work, as CUDA does.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench.errors import ExecutionError
from workbench.torch_device import traffic
from workbench.torch_device.core import allocator, memory


class StreamError(ExecutionError, RuntimeError):
    """Work that was queued on a stream failed."""


class ForkedProcessError(ExecutionError, RuntimeError):
    """The device was touched in a child made by ``fork``, where its streams do not exist."""


@dataclass(frozen=True)
class Span:
    """One piece of work on a stream, for `StreamTimeline`. Times are `time.perf_counter_ns`."""

    stream: int
    name: str
    queued_ns: int
    start_ns: int
    end_ns: int


SPANS: list[Span] = []
_recording = False
_forked = False
_numbers = itertools.count(1)
_here = threading.local()
_any_side_stream = False
_current_device = 0
listener: Callable[[bool, int], None] = lambda busy, device: None  # noqa: E731
"""Told whether work needs more than running it at once, and the current device; the shim's."""


class Stream:
    """A queue of work on one device.

    Parameters
    ----------
    device : torch.device, str or int, optional
        The current device where left out.
    priority : int, optional
        Accepted for CUDA's sake; all streams are equal here.

    Raises
    ------
    ForkedProcessError
        In a forked child.
    """

    def __init__(self, device=None, priority: int = 0, *, number: int | None = None):
        check_not_forked()
        self.device_index = index_of(device)
        self.stream_id = next(_numbers) if number is None else number
        self.priority = priority
        self.inline = number == 0
        self.queued = self.finished = 0
        self.error: BaseException | None = None
        self._work: queue.SimpleQueue = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        STREAMS[self.stream_id, self.device_index] = self

    def __repr__(self) -> str:
        return f"<wb.Stream {self.stream_id} on wb:{self.device_index}>"

    @property
    def device(self) -> torch.device:
        """The stream's device."""
        return torch.device("wb", self.device_index)

    def put(self, name: str, work: Callable[[], object]) -> None:
        """Queue a piece of work; on an inline stream, run it now."""
        check_not_forked()
        if self.inline:
            start = time.perf_counter_ns()
            work()
            if _recording:
                SPANS.append(Span(self.stream_id, name, start, start, time.perf_counter_ns()))
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=repr(self), daemon=True)
            self._thread.start()
        with self._changed:
            self.queued += 1
        self._work.put((name, work, traffic.caller(), time.perf_counter_ns()))

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            name, work, line, queued_ns = item
            start = time.perf_counter_ns()
            if self.error is None or name.startswith("event"):
                try:
                    work()
                except BaseException as error:  # kept: the next synchronisation raises it
                    self.error = self.error or _explained(error, name, line, self)
            if _recording:
                now = time.perf_counter_ns()
                SPANS.append(Span(self.stream_id, name, queued_ns, start, now))
            with self._changed:
                self.finished += 1
                self._changed.notify_all()

    def query(self) -> bool:
        """Return whether all work queued so far is done."""
        return self.finished >= self.queued

    def synchronize(self) -> None:
        """Wait for all work queued so far.

        Raises
        ------
        StreamError
            Where some of it failed: names the operator and the line that queued it.
        """
        target = self.queued
        if threading.current_thread() is not self._thread:
            with self._changed:
                self._changed.wait_for(lambda: self.finished >= target)
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def wait_event(self, event: Event) -> None:
        """Make work queued from now on wait for an event."""
        event.wait(self)

    def wait_stream(self, other: Stream) -> None:
        """Make work queued from now on wait for what is on another stream now."""
        self.wait_event(other.record_event())

    def uses(self, tensor: torch.Tensor) -> None:
        """Note that work here uses a tensor's memory: `Tensor.record_stream` for this class."""
        record(tensor, self)

    def record_event(self, event: Event | None = None) -> Event:
        """Put an event behind the work queued so far."""
        event = event or Event()
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        self._outer = set_current(self)
        return self

    def __exit__(self, *exc) -> None:
        set_current(self._outer)


def _explained(error: BaseException, name: str, line: str, stream: Stream) -> BaseException:
    explained = StreamError(
        f"{name} failed on stream {stream.stream_id} of wb:{stream.device_index}.",
        f"{type(error).__name__}: {error} (queued at {line})",
        "what was queued behind it was dropped; with WORKBENCH_LAUNCH_BLOCKING=1 the error is "
        "raised at that line itself",
    )
    explained.__cause__ = error
    return explained


class Event:
    """A mark in a stream: it happens when the work before it is done.

    Parameters
    ----------
    enable_timing : bool, optional
        Whether `elapsed_time` may be asked.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, device=None):
        self.enable_timing = enable_timing
        self.device_index = index_of(device)
        self._happened: threading.Event | None = None
        self._time_ns = 0

    def record(self, stream: Stream | None = None) -> None:
        """Put the event behind the work queued on a stream (the current one) so far."""
        happened = self._happened = threading.Event()

        def mark():
            self._time_ns = time.perf_counter_ns()
            happened.set()

        (stream or current()).put("event record", mark)

    def wait(self, stream: Stream | None = None) -> None:
        """Make a stream (the current one) wait for this event; not recorded means done."""
        happened = self._happened
        if happened is not None and not _dropping_waits:
            (stream or current()).put("event wait", happened.wait)

    def query(self) -> bool:
        """Return whether the event has happened (or was never recorded)."""
        return self._happened is None or self._happened.is_set()

    def synchronize(self) -> None:
        """Wait on the host until the event has happened."""
        if self._happened is not None:
            self._happened.wait()

    def elapsed_time(self, end: Event) -> float:
        """Return the time from this event to `end` in milliseconds.

        Raises
        ------
        RuntimeError
            Where timing was not enabled or one of the two has not happened.
        """
        if not (self.enable_timing and end.enable_timing):
            raise RuntimeError("Both events must be created with argument 'enable_timing=True'.")
        if not (self._time_ns and end._time_ns and self.query() and end.query()):
            raise RuntimeError("Both events must be recorded and completed; synchronize first.")
        return (end._time_ns - self._time_ns) / 1e6


STREAMS: dict[tuple[int, int], Stream] = {}
_dropping_waits = False


def is_busy() -> bool:
    """Return whether work needs more than running it at once, on the calling thread."""
    return _any_side_stream or _recording or _forked


def _tell() -> None:
    listener(is_busy(), _current_device)


def index_of(device) -> int:
    """Return the index of a device given as a device, a string, a number or None."""
    if device is None:
        return _current_device
    if isinstance(device, int):
        return device
    index = torch.device(device).index
    return _current_device if index is None else index


def check_not_forked() -> None:
    """Raise where this process is a forked child."""
    if _forked:
        raise ForkedProcessError(
            "The wb device cannot be used in a forked process.",
            "its streams' threads exist in the parent only, and its memory is the parent's",
            "start workers with torch.multiprocessing's 'spawn' method",
        )


def current_device() -> int:
    """Return the index of the current device."""
    return _current_device


def set_device(index: int) -> int:
    """Make a device current and return the one that was."""
    global _current_device
    if not 0 <= index < memory.DEVICE_COUNT:
        raise RuntimeError(
            f"wb error: invalid device ordinal {index}; there are {memory.DEVICE_COUNT} devices, "
            "set WORKBENCH_DEVICE_COUNT before Python starts for more"
        )
    previous, _current_device = _current_device, index
    _tell()
    return previous


def default(device: int | None = None) -> Stream:
    """Return a device's default stream."""
    return STREAMS[0, _current_device if device is None else device]


def current(device: int | None = None) -> Stream:
    """Return the stream that work of this thread goes to."""
    index = _current_device if device is None else device
    return getattr(_here, "streams", {}).get(index) or STREAMS[0, index]


def set_current(stream: Stream) -> Stream:
    """Make a stream current on this thread and return the one that was."""
    global _any_side_stream
    previous = current(stream.device_index)
    _here.__dict__.setdefault("streams", {})[stream.device_index] = stream
    if not (stream.inline or _any_side_stream):
        _any_side_stream = True
        _tell()
    return previous


def wait_for_current(device: int | None = None) -> None:
    """Wait for the current stream: what every host access to device memory does first."""
    if _forked:
        check_not_forked()
    if _any_side_stream:
        stream = current(device)
        if stream.queued != stream.finished or stream.error is not None:
            stream.synchronize()


def launch(name: str, work: Callable[[], object]) -> None:
    """Run device work on the current stream: at once where it is inline, else in its turn."""
    if not _any_side_stream and not _recording and not _forked:
        work()
    else:
        current().put(name, work)


def enqueue_host(name: str, work: Callable[[], object]) -> bool:
    """Queue host work on the current stream; return False where that stream is inline."""
    stream = current()
    if stream.inline:
        return False
    stream.put(name, work)
    return True


def synchronize(device=None) -> None:
    """Wait for all streams of a device, and raise the first error among them."""
    index = index_of(device)
    for (_, owner), stream in list(STREAMS.items()):
        if owner == index:
            stream.synchronize()


def record(tensor: torch.Tensor, stream) -> None:
    """Keep a tensor's block from being reused before `stream` has passed this point."""
    allocator.record_stream(tensor.untyped_storage().data_ptr(), stream.stream_id)


pinned: set[int] = set()
"""Addresses of pinned host storages."""


def is_pinned(tensor: torch.Tensor) -> bool:
    """Return whether a host tensor's storage was made by `pin`."""
    return tensor.untyped_storage().data_ptr() in pinned


def launch_blocking(on: bool) -> None:
    """Choose whether the default streams run work at once (True) or queue it (False)."""
    global _any_side_stream
    for index in range(memory.DEVICE_COUNT):
        stream = STREAMS[0, index]
        stream.synchronize()
        stream.inline = on
    _any_side_stream = _any_side_stream or not on
    _tell()


@contextlib.contextmanager
def dropped_waits():
    """Ignore every `Event.wait` inside: the mistake that `StreamTimeline` shows."""
    global _dropping_waits
    _dropping_waits = True
    try:
        yield
    finally:
        _dropping_waits = False


@contextlib.contextmanager
def recording():
    """Collect a `Span` for each piece of work inside, and give the list."""
    global _recording
    SPANS.clear()
    _recording = True
    _tell()
    try:
        yield SPANS
    finally:
        for index in range(memory.DEVICE_COUNT):
            synchronize(index)
        _recording = False
        _tell()


def _after(ids: set[int], then: Callable[[], None]) -> None:
    """Run `then` when every one of these streams has done what it has queued now."""
    waiting = [s for (number, _), s in STREAMS.items() if number in ids and not s.query()]
    left = len(waiting)
    lock = threading.Lock()

    def passed():
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                then()

    if not waiting:
        then()
    for stream in waiting:
        stream.put("event free", passed)


def _mark_forked() -> None:
    global _forked
    _forked = True
    _tell()


def stop_workers() -> None:
    """Let queued work finish (at most a few seconds) and end the workers; runs at exit."""
    for stream in STREAMS.values():
        if stream._thread is not None and not _forked:
            stream._work.put(None)
            stream._thread.join(timeout=5)


for _index in range(memory.DEVICE_COUNT):
    Stream(_index, number=0)
allocator.stream_of = lambda device: current(device).stream_id if _any_side_stream else 0
allocator.after_streams = _after
os.register_at_fork(after_in_child=_mark_forked)
atexit.register(stop_workers)
if os.environ.get("WORKBENCH_LAUNCH_BLOCKING") == "0":
    launch_blocking(False)
