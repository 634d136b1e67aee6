"""Queues and scratch: how a kernel gets local memory, and how one pipe hands it to the next.

A queue owns `depth` buffers of one size. The producer allocates one, fills it and enqueues it; the
consumer dequeues it, uses it and frees it. Behind the scenes every hand-over is an event: enqueue
sets, dequeue waits, free sets, and the next allocation of the same buffer waits. With a depth of 2
the producer fills one buffer while the consumer uses the other: double buffering. A `scratch`
tensor has no events at all: it is safe only within one pipe, or with explicit flags.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

from workbench.aicore.findings import AICoreError, Finding, Site
from workbench.aicore.machine import BUFFERS, POSITIONS, UNIT_OF_BUFFER
from workbench.aicore.operations.arguments import whole
from workbench.aicore.operations.regions import as_dtype, footprint
from workbench.aicore.operations.tensors import LocalTensor
from workbench.aicore.recording.lines import caller
from workbench.aicore.recording.recorder import recorder
from workbench.errors import UnknownNameError

# layout of a matrix in each buffer, where it is not said otherwise
_LAYOUT = {"L1": "NZ", "L0A": "zZ", "L0B": "nZ", "L0C": "zN", "UB": "ND"}


class _Slot:
    """One buffer of a queue."""

    __slots__ = ("freed_before", "generation", "keys", "line", "number", "place", "queue", "state")

    def __init__(self, queue: Queue, number: int, place):
        self.queue, self.number, self.place = queue, number, place
        self.generation, self.freed_before, self.state = 0, False, "free"
        self.keys = {what: ("queue", queue._id, number, what) for what in ("free", "ready")}
        self.line: tuple[str, int] | None = None


class Queue:
    """Buffers handed from one pipe to another, in order.

    Parameters
    ----------
    position : str
        ``VECIN``, ``VECOUT``, ``A1``, ``B1``, ``A2``, ``B2`` or ``CO1``.
    shape : tuple of int
        The largest tensor that it holds; `allocate` may ask for less.
    dtype : data type
    depth : int
        Number of buffers; 2 is double buffering.
    name : str, optional
        For messages and pictures.

    Raises
    ------
    AICoreError
        Of kind ``overflow`` where the buffer has no room.
    """

    def __init__(self, position: str, shape: Any, dtype: Any, depth: int = 2, name: str = ""):
        _known("queue position", position, POSITIONS)
        if not whole(depth) or depth < 1:
            raise AICoreError(
                "queue",
                "A queue has a whole number of buffers, 1 or more.",
                f"depth = {reprlib.repr(depth)}",
            )
        one = recorder()
        self.position, self.depth = POSITIONS[position], depth
        self.shape, self.dtype = _shape(shape), as_dtype(dtype)
        self.layout = default_layout(self.position.buffer, self.shape)
        self.name = name or f"{position}{len(one.queues)}"
        self.nbytes = footprint(self.shape, self.dtype, self.layout)
        one.units.add(UNIT_OF_BUFFER[self.position.buffer])
        places = one.place(self.position.buffer, self.nbytes, self.name, depth)
        self._id = len(one.queues)
        self._slots = [_Slot(self, i, place) for i, place in enumerate(places)]
        self._next, self._waiting = 0, []
        self._fitting: set[tuple[int, ...]] = set()
        self._free, self._ready = f"{self.name} free", f"{self.name} ready"
        one.queues.append(self)

    def allocate(self, shape: Any = None) -> LocalTensor:
        """Return a tensor in the next buffer, to be filled by the producer.

        Raises
        ------
        AICoreError
            Of kind ``queue`` where all buffers are in use: a real core would hang here.
        """
        slot = self._slots[self._next]
        if slot.state != "free":
            raise AICoreError(
                "queue",
                f"All {self.depth} buffers of queue {self.name!r} are in use: "
                "a real core would hang here.",
                f"buffer {slot.number} is {slot.state}",
                "free what was dequeued before allocating again, or use a larger depth",
            )
        wanted = self.shape if shape is None else _shape(shape)
        if wanted not in self._fitting and (
            len(wanted) != len(self.shape)
            or footprint(wanted, self.dtype, self.layout) > self.nbytes
        ):
            raise AICoreError(
                "overflow",
                f"Queue {self.name!r} has buffers of {self.nbytes} bytes for {self.shape}.",
                f"asked for {wanted}",
                "give the queue the largest shape that it must hold",
            )
        self._fitting.add(wanted)
        one = recorder()
        if slot.freed_before:
            one.synchronise("wait", self.position.producer, self._free, slot.keys["free"])
        self._next = (self._next + 1) % self.depth
        slot.state, slot.line = "allocated", caller(2)
        return LocalTensor(
            one.core, slot.place.buffer, slot.place.offset, wanted, self.dtype, self.layout,
            slot=slot, by=one.owner,
        )  # fmt: skip

    def enqueue(self, tensor: LocalTensor) -> None:
        """Hand a filled tensor to the consumer."""
        slot = self._own(tensor, "enqueue", "allocated")
        slot.state = "enqueued"
        self._waiting.append((slot, tensor))
        recorder().synchronise("set", self.position.producer, self._ready, slot.keys["ready"])

    def dequeue(self) -> LocalTensor:
        """Return the tensor that was enqueued first; the consumer waits until it is filled."""
        if not self._waiting:
            raise AICoreError(
                "queue",
                f"Queue {self.name!r} is empty: a real core would hang here.",
                "dequeue without an enqueue before it",
                "enqueue the tensor after filling it",
            )
        slot, tensor = self._waiting.pop(0)
        slot.state = "dequeued"
        recorder().synchronise("wait", self.position.consumer, self._ready, slot.keys["ready"])
        return tensor

    def free(self, tensor: LocalTensor) -> None:
        """Give a tensor back after its last use; the producer may fill its buffer again."""
        slot = self._own(tensor, "free", "dequeued")
        slot.state, slot.freed_before = "free", True
        slot.generation += 1
        recorder().synchronise("set", self.position.consumer, self._free, slot.keys["free"])

    def leaks(self, core: int) -> list[Finding]:
        """Return a finding for each buffer that was not given back on this core."""
        return [
            Finding(
                "leak",
                f"Queue {self.name!r} ends with buffer {slot.number} still {slot.state}.",
                (Site("allocate", "scalar", core, *slot.line),) if slot.line else (),
                slot.place.buffer,
                slot.place.offset,
                slot.place.offset + self.nbytes,
                advice="dequeue and free every tensor that was allocated",
            )
            for slot in self._slots
            if slot.state != "free"
        ]

    def _own(self, tensor: LocalTensor, verb: str, state: str) -> _Slot:
        slot = getattr(tensor, "slot", None)
        if slot is None or slot.queue is not self:
            raise AICoreError(
                "queue",
                f"A tensor that does not belong to queue {self.name!r} cannot be {verb}d there.",
                repr(tensor),
                "use the queue that allocated it",
            )
        if tensor.generation != slot.generation:
            kind, happened = "use_after_free", "used after it was freed"
            if verb == "free":
                kind, happened = "double_free", "freed twice"
            raise AICoreError(
                kind, f"A tensor of queue {self.name!r} is {happened}.", repr(tensor), "free once"
            )
        if slot.state != state:
            raise AICoreError(
                "queue",
                f"Queue {self.name!r}: cannot {verb} a tensor that is {slot.state}.",
                repr(tensor),
                "the order is allocate, enqueue, dequeue, free",
            )
        return slot


def scratch(buffer: str, shape: Any, dtype: Any, layout: str = "", name: str = "") -> LocalTensor:
    """Return a local tensor that lives as long as the kernel and has no events of its own.

    Parameters
    ----------
    buffer : str
        ``"UB"``, ``"L1"``, ``"L0A"``, ``"L0B"`` or ``"L0C"``.
    shape : int or tuple of int
    dtype : data type
    layout : str, optional
        The buffer's own by default.
    """
    _known("buffer", buffer, BUFFERS)
    one, shape, dtype = recorder(), _shape(shape), as_dtype(dtype)
    layout = layout or default_layout(buffer, shape)
    one.units.add(UNIT_OF_BUFFER[buffer])
    (place,) = one.place(buffer, footprint(shape, dtype, layout), name or "scratch")
    return LocalTensor(one.core, place.buffer, place.offset, shape, dtype, layout, by=one.owner)


def _known(kind: str, name: Any, known: Iterable[str]) -> None:
    """Require one of the known names; an array, say, is none and is not printed whole."""
    word = name if isinstance(name, str) else reprlib.repr(name)
    if word not in known:
        raise UnknownNameError(kind, word, known)


def _shape(shape: Any) -> tuple[int, ...]:
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if len(dims) == 2 and type(dims[0]) is int is type(dims[1]) and min(dims) > 0:
        return dims  # what nearly every call is, checked without more ado
    if not 1 <= len(dims) <= 2 or not all(whole(n) for n in dims):
        raise AICoreError(
            "shape",
            "A local tensor is a vector or a matrix.",
            reprlib.repr(shape),
            "one or two whole numbers",
        )
    if min(dims) < 1:
        raise AICoreError("shape", "A local tensor has at least one element.", reprlib.repr(shape))
    return tuple(int(n) for n in dims)


def default_layout(buffer: str, shape: tuple[int, ...]) -> str:
    """Return the layout that a buffer holds: fractal for matrices outside of UB."""
    return _LAYOUT[buffer] if len(shape) == 2 else "ND"
