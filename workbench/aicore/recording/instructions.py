"""What a recording is made of: instructions, arrays, placements.

Plain records with no behaviour; `record` makes them and the three readings
look at them.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.aicore.findings import Finding, Site
from workbench.aicore.machine import PIPES, Chip, Placement
from workbench.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What a kernel may use before it is taken to be endless.

    Attributes
    ----------
    instructions : int
        For each core.
    kept : int
        For all cores together, where they are kept: in a launch or a check.
    seconds : float
        Of recording, all cores together.
    idle_seconds : float
        Without issuing a single instruction.
    """

    instructions: int = 500_000
    kept: int = 2_000_000  # about 1 GB
    seconds: float = 120.0
    idle_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name in ("instructions", "kept", "seconds", "idle_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise InputError(f"Limits of {name} are above zero.", reprlib.repr(value))


class Instruction:
    """One entry of a pipe's queue.

    Attributes
    ----------
    kind : str
        ``op``, ``set``, ``wait``, ``barrier``, ``arrive`` or ``leave``.
    pipe : int
        Index into `PIPES`; -1 for barriers, which stand in the queues of `pipes`.
    pipes : range
        Of a barrier: the pipes that it joins.
    name : str
        The operation, or the event.
    key : tuple or None
        What pairs a set with its wait.
    writes, reads : tuple of tensors
    apply : callable or None
        ``apply(memory, *args)`` carries the operation out.
    cycles, head : float
        Duration; `head` is added where the pipe stood idle before.
    gm_bytes : int
        Traffic with global memory.
    step : int
        How many instructions its core's Python had issued, this one included.
    """

    # what a set, a wait or a barrier has no use for, so that making one stays cheap
    writes: tuple[Any, ...] = ()
    reads: tuple[Any, ...] = ()
    args: tuple[Any, ...] = ()
    apply: Callable[..., None] | None = None
    cycles = head = 0.0
    gm_bytes, atomic, index, step = 0, False, -1, 0
    pipes = range(0)
    file, line = "", 0

    def __init__(self, kind: str, pipe: int, name: str, core: int, key: tuple | None = None):
        self.kind, self.pipe, self.name, self.core, self.key = kind, pipe, name, core, key

    @property
    def site(self) -> Site:
        """Where it was issued."""
        pipe = PIPES[self.pipe] if self.pipe >= 0 else "all pipes"
        return Site(self.name, pipe, self.core, self.file, self.line)


@dataclass(frozen=True)
class ArrayInfo:
    """A kernel argument in global memory.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : numpy.dtype
    workspace : bool
        Scratch without contents at the start.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    workspace: bool = False


@dataclass(frozen=True)
class NamedPlacement:
    """Bytes of a buffer that a queue or scratch tensor owns, for `BufferMap`."""

    core: int
    name: str
    slot: int
    place: Placement


@dataclass
class Recording:
    """What one run of a kernel issued.

    Attributes
    ----------
    kernel : str
    chip : Chip
    cores : int
        Blocks launched.
    arrays : tuple of ArrayInfo
    programs : list of list of Instruction
        For each core, and for each of its Vector cores where it has two, in program order.
    placements : list of NamedPlacement
    findings : list of Finding
        What was noticed without ordering anything: leaks.
    launch : object
        Nothing but itself: tells this launch from every other.
    """

    kernel: str
    chip: Chip
    cores: int
    arrays: tuple[ArrayInfo, ...]
    programs: list[list[Instruction]] = field(default_factory=list, repr=False)
    placements: list[NamedPlacement] = field(default_factory=list, repr=False)
    findings: list[Finding] = field(default_factory=list)
    launch: object = field(default_factory=object, repr=False)

    @property
    def size(self) -> int:
        """Number of instructions, synchronisation included."""
        return sum(len(program) for program in self.programs)
