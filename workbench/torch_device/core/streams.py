"""Streams: queues of work that run in order, beside each other and beside Python.

Every stream, the default one too, has a thread that does its work in order; Python has gone on
meanwhile. Only where a stream is idle and the work is small is it done at once by the caller, which
nobody can tell from a fast device: a hand-over would take longer than the work. The host waits at
`synchronize`, ``.item()``, copies to the host, and events. ``WORKBENCH_LAUNCH_BLOCKING=1``, or
`launch_blocking(True)`, does all work at once, as ``CUDA_LAUNCH_BLOCKING=1`` does.

An error in queued work is kept and raised at the next synchronisation, naming the operator and the
line that queued it; what was queued behind it is dropped, since its inputs are wrong. Frees are
stream-ordered (`allocator`). After a fork the device refuses to work, as CUDA does.
"""

from __future__ import annotations

import atexit
import itertools
import threading
from collections.abc import Callable

import torch

from workbench.errors import ExecutionError
from workbench.torch_device import traffic
from workbench.torch_device.core import allocator, devices, memory
from workbench.torch_device.core.devices import check_not_forked, current_device, index_of
from workbench.torch_device.driver.draining import KERNEL, WORDS
from workbench.torch_device.driver.queue import BOARD, Gate, Piece, Queue, add

SMALL = 1 << 15  # elements an idle stream's caller does itself: some 20 us, a hand-over costs 30
LARGE = 1 << 62
_PRIVATE_USE_1 = 20  # c10/core/DeviceType.h
POOL = 32  # side streams per device; further ones share their queues in turn, as on CUDA


class StreamError(ExecutionError, RuntimeError):
    """Work that was queued on a stream failed."""


observe: Callable[[int, str, Callable], Callable] | None = None
"""Wraps each piece of work, by stream and name, while a timeline is recorded; `timeline`'s."""
_numbers = itertools.cycle(range(1, POOL + 1))
_here = threading.local()


class Stream(torch.Stream):
    """A queue of work on one device, taken in turn from a pool.

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

    queue: Queue

    def __new__(cls, device=None, priority: int = 0) -> Stream:
        """Return the next stream of the pool."""
        check_not_forked()
        return _stream(next(_numbers), index_of(device))

    @classmethod
    def _make(cls, number: int, device: int) -> Stream:
        made = super().__new__(
            cls, stream_id=number, device_index=device, device_type=_PRIVATE_USE_1
        )
        made.queue = Queue(repr(made), number != 0, lambda: _begin(made))
        return STREAMS.setdefault((number, device), made)

    def __repr__(self) -> str:
        return f"<wb.Stream {self.stream_id} on wb:{self.device_index}>"

    def put(self, name: str, work: Callable, amount: int = LARGE, always: bool = False) -> None:
        """Queue work, or do it now where it is small and nothing is queued.

        Parameters
        ----------
        name : str
            For errors and timelines; a name that begins with ``event`` is no work.
        work : callable
        amount : int, optional
            How many elements it goes over; taken for many where left out.
        always : bool, optional
            Whether to do it on a stream that has failed, too.
        """
        work = observe(self.stream_id, name, work) if observe else work
        if self._works_now(amount):
            work()
        else:
            self.queue.push(Piece(name, traffic.caller(), work, always=always))

    def put_kernel(self, kernel, words: tuple[int, ...], amount: int, explain, work) -> None:
        """Queue a compiled or shared-out kernel, which needs no Python then, or do `work` now."""
        if observe or len(words) > WORDS - 2 or self._works_now(amount):
            self.put(kernel.name, work, amount)
        else:
            piece = Piece(kernel.name, traffic.caller(), None, explain, keeps=kernel)
            self.queue.push(piece, KERNEL, kernel.address, words)

    def _works_now(self, amount: int) -> bool:
        check_not_forked()
        if _blocking:
            self.synchronize()
            return True
        idle = amount < SMALL and not observe and self.queue.is_done()
        return idle or self.queue.is_own_thread()

    def query(self) -> bool:
        """Return whether all work queued so far is done."""
        return self.queue.is_done()

    def synchronize(self) -> None:
        """Wait for all work queued so far.

        Raises
        ------
        StreamError
            Where some of it failed: names the operator and the line that queued it.
        """
        self.settle()
        failed = self.queue.forgive()
        if failed is not None:
            error, piece = failed
            raise StreamError(
                f"{piece.name} failed on stream {self.stream_id} of wb:{self.device_index}.",
                f"{type(error).__name__}: {error} (queued at {piece.line})",
                "what was queued behind it was dropped; with WORKBENCH_LAUNCH_BLOCKING=1 the error "
                "is raised at that line itself",
            ) from error

    def settle(self) -> None:
        """Wait for all work queued so far, and leave an error for `synchronize`."""
        if not self.queue.is_done() and not self.queue.is_own_thread():
            gate = Gate()
            self.queue.open_when_reached(gate)
            gate.wait()

    def reach(self, gate: Gate) -> None:
        """Open a gate when the work queued so far is done."""
        if observe:
            self.put("event record", gate.open_now, always=True)
        elif self._works_now(0):
            gate.open_now()
        else:
            self.queue.open_when_reached(gate)

    def wait_gate(self, gate: Gate) -> None:
        """Make work queued from now on wait for a gate."""
        if observe:
            self.put("event wait", gate.wait, always=True)
        elif not gate.is_open():
            self.queue.wait_for(gate)

    def wait_event(self, event) -> None:
        """Make work queued from now on wait for an event."""
        event.wait(self)

    def wait_stream(self, other: Stream) -> None:
        """Make work queued from now on wait for what is on another stream now."""
        gate = Gate()
        other.reach(gate)
        self.wait_gate(gate)

    def record_event(self, event=None):
        """Put an event, a new one where none is given, behind the work queued so far."""
        from workbench.torch_device.core.events import Event  # which knows streams

        event = event or Event()
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        left = devices.set_device(self.device_index), set_current(self)
        _here.__dict__.setdefault("outer", []).append(left)
        return self

    def __exit__(self, *exc) -> None:
        device, stream = _here.outer.pop()
        set_current(stream)
        devices.set_device(device)


STREAMS: dict[tuple[int, int], Stream] = {}


def _stream(number: int, device: int) -> Stream:
    return STREAMS.get((number, device)) or Stream._make(number, device)


def _begin(stream: Stream) -> None:
    """Put the thread on its stream, where it may write to what inference mode made, too.

    Gradients are the caller's business, and were seen to when a piece was queued.
    """
    devices.set_device(stream.device_index)
    _here.streams = {stream.device_index: stream}
    _here.inference = torch.inference_mode()
    _here.inference.__enter__()


def default(device: int | None = None) -> Stream:
    """Return a device's default stream."""
    return STREAMS[0, current_device() if device is None else device]


def current(device: int | None = None) -> Stream:
    """Return the stream that work of this thread goes to."""
    index = current_device() if device is None else device
    return getattr(_here, "streams", {}).get(index) or STREAMS[0, index]


def set_current(stream: Stream) -> Stream:
    """Make a stream current on this thread and return the one that was."""
    previous = current(stream.device_index)
    _here.__dict__.setdefault("streams", {})[stream.device_index] = stream
    change = (stream.stream_id != 0) - (previous.stream_id != 0)
    if change:
        add(1, change)
    return previous


def wait_for_current(device: int | None = None) -> None:
    """Wait for the current stream of a device, or of all: what a host access does first."""
    if BOARD[0]:
        check_not_forked()
        for index in range(memory.DEVICE_COUNT) if device is None else (device,):
            current(index).synchronize()


def launch(name: str, work: Callable, amount: int = LARGE, device: int | None = None) -> None:
    """Do device work in the current stream's order: now where that is idle and the work small."""
    if amount < SMALL and not BOARD[0]:
        work()
    else:
        current(device).put(name, work, amount)


def synchronize(device=None) -> None:
    """Wait for all streams of a device, and raise the first error among them."""
    index = index_of(device)
    for stream in list(STREAMS.values()):
        if stream.device_index == index:
            stream.synchronize()


def settle() -> None:
    """Wait for everything that is queued, and leave errors where they are."""
    if BOARD[0] and not devices.forked:
        for stream in list(STREAMS.values()):
            stream.settle()


def record(tensor: torch.Tensor, stream) -> None:
    """Keep a tensor's block from being reused before `stream` has passed this point."""
    allocator.record_stream(tensor.untyped_storage().data_ptr(), stream.stream_id)


def launch_blocking(on: bool) -> bool:
    """Choose whether all work is done at once (True) or queued, and return what was chosen."""
    global _blocking
    settle()
    previous, _blocking = _blocking, bool(on)
    return previous


def _after(ids: set[int], then: Callable[[], None]) -> None:
    """Run `then` when every one of these streams has done what it has queued now."""
    waiting = [s for (number, _), s in STREAMS.items() if number in ids and not s.query()]
    left = list(range(len(waiting)))
    for stream in waiting:  # who takes the last number off the list is the last to pass
        stream.put("event free", lambda: then() if left.pop() == 0 else None, always=True)
    if not waiting:
        then()


def stop_threads() -> None:
    """Let queued work finish (at most a few seconds) and end the threads; runs at exit."""
    global _blocking
    _blocking = True
    for stream in STREAMS.values():
        if not devices.forked:
            stream.queue.stop(5)


_blocking = memory.from_environment("WORKBENCH_LAUNCH_BLOCKING", 0, 0, 1) == 1
for _index in range(memory.DEVICE_COUNT):
    _stream(0, _index)
allocator.stream_of = lambda device: current(device).stream_id if BOARD[1] else 0
allocator.after_streams, allocator.settle = _after, settle
atexit.register(stop_threads)
