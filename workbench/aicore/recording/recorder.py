"""One core's scalar unit while its kernel runs: it gives out memory and issues instructions.

The operations of this package ask `recorder` for the one that is running. Where a block has two
Vector cores, the kernel's Python runs once for each, as it does on the chip; what it issues to the
Cube core counts the first time only, since there is one Cube core.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from workbench.aicore.findings import AICoreError, Site
from workbench.aicore.machine import BUFFER_OF, PIPE_INDEX, UNIT_PIPES, Placement
from workbench.aicore.operations.regions import round_up
from workbench.aicore.operations.tensors import GlobalTensor
from workbench.aicore.recording.instructions import Instruction, NamedPlacement, Recording
from workbench.aicore.recording.lines import caller
from workbench.errors import InputError

_MOST_NAMED = 20
_CURRENT: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
_CUBE, _FIRST, _SECOND = UNIT_PIPES["AIC"], UNIT_PIPES["AIV"], UNIT_PIPES["AIV1"]


class Owner(NamedTuple):
    """Who may use a local tensor: a launch, its block, and which Vector core of the block."""

    launch: object
    core: int
    sub: int


class Recorder:
    """The scalar unit of one core, or of one Vector core of a block that has two.

    Attributes
    ----------
    owner : Owner
        What the tensors that it gives out carry.
    sub, subs : int
        Which Vector core of the block this is, and how many it has.
    count : int
        Instructions issued.
    most : float
        How many it may issue; `room` are those that can still be kept.
    skipped : int
        What a second Vector core's pass left to the first, which issues for the Cube core.
    traced : bool
        Whether instructions keep their line; without, only errors look it up.
    """

    def __init__(
        self,
        recording: Recording,
        core: tuple[int, int],
        sub: tuple[int, int],
        costs,
        limits,
        sink,
        room=math.inf,
    ):
        chip = recording.chip
        self.owner = Owner(recording.launch, core[0], sub[0])
        self.infos = {id(info) for info in recording.arrays}
        self.chip, self.costs, self.limits, self.sink = chip, costs, limits, sink
        self.core, self.cores = core
        self.sub, self.subs = sub
        self.count, self.traced = 0, True
        self.most = min(limits.instructions, room)
        self.skipped, self.last_skipped = 0, None
        self.used: Counter[str] = Counter()
        self.queues: list[Any] = []
        self.placements: list[NamedPlacement] = []
        self.atomic = False
        self.units: set[str] = set()
        self.coupled = chip.coupled

    def emit(
        self,
        pipe: str,
        name: str,
        writes: tuple,
        reads: tuple,
        apply: Callable[..., None],
        args: tuple,
        cycles: float,
        *,
        head: float = 0.0,
        gm_bytes: int = 0,
        atomic: bool = False,
    ) -> None:
        """Issue one operation."""
        for tensor in (*writes, *reads):
            if tensor.__class__ is GlobalTensor:
                if id(tensor.info) not in self.infos:
                    raise _foreign(tensor, "an earlier launch")
                continue
            if tensor.by is not self.owner:
                raise _foreign(tensor, self._whose(tensor.by))
            if tensor.slot is not None and tensor.generation != tensor.slot.generation:
                raise _freed(tensor)
        one = Instruction("op", PIPE_INDEX[pipe], name, self.core)
        one.writes, one.reads, one.apply, one.args = writes, reads, apply, args
        one.cycles, one.head, one.gm_bytes = cycles, head, gm_bytes
        one.atomic = atomic
        self._issue(one)

    def synchronise(self, kind: str, pipe: str, name: str, key: tuple) -> None:
        """Issue a set or a wait; keys of events and queues belong to one Vector core."""
        if self.sub and key[0] != "cross":
            key = (*key, self.sub)
        self._issue(Instruction(kind, PIPE_INDEX[pipe], name, self.core, key))

    def join(self, kind: str, name: str, pipes: range) -> None:
        """Issue a barrier that stands in the queues of several pipes."""
        one = Instruction(kind, -1, name, self.core)
        one.pipes = pipes
        self._issue(one)

    def _too_many(self, site: Site) -> AICoreError:
        if self.count > self.limits.instructions:
            return AICoreError(
                "endless",
                "The kernel issued more instructions than its limit.",
                f"{self.limits.instructions} on core {self.core}",
                "look at the loop's bound, or launch(kernel, args, blocks, limits=Limits(...))",
                (site,),
            )
        return AICoreError(
            "endless",
            "The cores together issued more instructions than are kept.",
            f"{self.limits.kept} up to core {self.core} of {self.cores}",
            "aicore.predict(kernel, args, blocks), which keeps none; a smaller size; or "
            "launch(kernel, args, blocks, limits=Limits(kept=...))",
            (site,),
        )

    def _whose(self, other: Owner) -> str:
        """Return in words whose a tensor is that another scalar unit gave out."""
        if other.launch is not self.owner.launch:
            return "an earlier launch"
        if other.core != self.core:
            return f"core {other.core}, and this is core {self.core}"
        return f"Vector core {other.sub} of the block, and this is Vector core {self.sub}"

    @property
    def own_pipes(self) -> tuple[range, ...]:
        """The pipes that this scalar unit issues to, unit by unit; a coupled core is one unit."""
        if self.sub:
            return (_SECOND,)
        return (range(_CUBE.start, _FIRST.stop),) if self.coupled else (_CUBE, _FIRST)

    def _issue(self, one: Instruction) -> None:
        if self.traced:
            one.file, one.line = caller(3)
        one.step = self.count = self.count + 1
        if self.count > self.most:
            one.file, one.line = caller(3)
            raise self._too_many(one.site)
        if self.sub and one.pipe >= 0:
            if one.pipe in _CUBE:
                self.skipped += 1  # the first Vector core's pass has issued it
                self.last_skipped = one
                return
            one.pipe += _SECOND.start - _FIRST.start
        self.sink(one)

    def _held(self, buffer: str) -> str:
        placed = (one for one in self.placements if BUFFER_OF[one.place.buffer] == buffer)
        held = Counter(f"{one.name} {one.place.nbytes}" for one in placed)
        words = [f"{count} x {what}" if count > 1 else what for what, count in held.items()]
        more = ", ..." if len(words) > _MOST_NAMED else ""
        return (", ".join(words[:_MOST_NAMED]) + more) or "empty before"

    def here(self, name: str) -> Site:
        """Return the line of the kernel that is being carried out."""
        return Site(name, "scalar", self.core, *caller(2))

    def place(self, buffer: str, nbytes: int, name: str, count: int = 1) -> list[Placement]:
        """Give out `count` pieces of a buffer, aligned.

        Raises
        ------
        AICoreError
            Of kind ``overflow``, saying how many bytes are needed and how many there are.
        """
        capacity = self.chip.capacity(buffer)
        memory = "UB1" if self.sub and buffer == "UB" else buffer
        each = round_up(nbytes, self.chip.alignment_bytes[buffer])
        before = self.used[buffer]
        if before + count * each > capacity:
            times = f"{count} x " if count > 1 else ""
            raise AICoreError(
                "overflow",
                f"{buffer} overflow: {name} needs {times}{each} bytes on top of {before}, which "
                f"makes {before + count * each} bytes; {self.chip.title} has {capacity}.",
                self._held(buffer),
                "smaller tiles, a smaller depth, or fewer queues",
            )
        self.used[buffer] = before + count * each
        places = [Placement(memory, before + i * each, each) for i in range(count)]
        if not self.sub or buffer == "UB":
            self.placements += [
                NamedPlacement(self.core, name, i, place) for i, place in enumerate(places)
            ]
        return places


def recorder() -> Recorder:
    """Return the recorder of the kernel that is running.

    Raises
    ------
    InputError
        Outside of a kernel.
    """
    found = _CURRENT.get()
    if found is None:
        raise InputError(
            "An AI Core operation was used outside of a kernel.",
            "no kernel is being recorded",
            "put it in a function marked @aicore.kernel and launch that",
        )
    return found


def recording_now() -> bool:
    """Return whether a kernel is being recorded in this context."""
    return _CURRENT.get() is not None


@contextmanager
def running(one: Recorder) -> Iterator[None]:
    """Make this the recorder that operations issue to."""
    token = _CURRENT.set(one)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _foreign(tensor: Any, owner: str) -> AICoreError:
    return AICoreError(
        "position",
        "A core cannot reach a tensor that was given to another.",
        f"{tensor!r} belongs to {owner}",
        "each core makes its own tensors inside of the kernel; data go between cores through "
        "global memory, with sync_all between",
    )


def _freed(tensor: Any) -> AICoreError:
    return AICoreError(
        "use_after_free",
        "A tensor is used after it was given back to its queue.",
        f"{tensor!r} of queue {tensor.slot.queue.name!r}",
        "free it after its last use",
    )
