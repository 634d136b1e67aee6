"""Recording a kernel: plain Python runs once for each core and leaves a list of instructions.

The kernel's Python is the scalar unit: it loops, computes addresses and issues instructions, each
to the queue of one pipe. Nothing is computed while recording; the three readings (values, hazards,
time) come afterwards and all read the same `Recording`. Every instruction knows its pipe, the
tensors that it reads and writes, its cost and the line that issued it. It refuses endless kernels:
instructions and seconds are limited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from workbench.aicore.costs import Costs
from workbench.aicore.findings import AICoreError, HazardError, Site
from workbench.aicore.instructions import (
    ArrayInfo,
    Instruction,
    Limits,
    NamedPlacement,
    Recording,
)
from workbench.aicore.lines import caller, deadline, raised_at
from workbench.aicore.machine import PIPE_INDEX, Chip, Placement
from workbench.aicore.regions import round_up
from workbench.aicore.tensors import GlobalTensor
from workbench.errors import InputError, WorkbenchError

_CURRENT: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


class Recorder:
    """One core's scalar unit while its kernel runs."""

    def __init__(self, chip: Chip, core: int, cores: int, costs: Costs, limits: Limits, sink):
        self.chip, self.core, self.cores, self.costs = chip, core, cores, costs
        self.limits, self.sink = limits, sink
        self.count = 0
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
        for tensor in writes:
            if tensor.__class__ is not GlobalTensor and tensor.slot is not None:
                _alive(tensor)
        for tensor in reads:
            if tensor.__class__ is not GlobalTensor and tensor.slot is not None:
                _alive(tensor)
        one = Instruction("op", PIPE_INDEX[pipe], name, self.core)
        one.writes, one.reads, one.apply, one.args = writes, reads, apply, args
        one.cycles, one.head, one.gm_bytes = cycles, head, gm_bytes
        one.atomic = atomic
        self._issue(one)

    def synchronise(self, kind: str, pipe: str, name: str, key: tuple | None = None) -> None:
        """Issue a set, a wait or a barrier."""
        self._issue(Instruction(kind, PIPE_INDEX.get(pipe, -1), name, self.core, key))

    def _issue(self, one: Instruction) -> None:
        one.file, one.line = caller(3)
        self.count += 1
        if self.count > self.limits.instructions:
            raise AICoreError(
                "endless",
                "The kernel issued more instructions than its limit.",
                f"{self.limits.instructions} on core {self.core}",
                "look at the loop's bound, or raise Limits(instructions=...)",
                (one.site,),
            )
        self.sink(one)

    def _held(self, buffer: str) -> str:
        held = [one for one in self.placements if one.place.buffer == buffer]
        return ", ".join(f"{one.name} {one.place.nbytes}" for one in held) or "empty before"

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
        places = [Placement(buffer, before + i * each, each) for i in range(count)]
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


def record(
    function: Callable[..., None],
    args: Sequence[Any],
    arrays: tuple[ArrayInfo, ...],
    chip: Chip,
    cores: int,
    costs: Costs,
    limits: Limits,
    *,
    only: Sequence[int] | None = None,
    sink: Callable[[Instruction], None] | None = None,
) -> Recording:
    """Run a kernel's Python for each core and return what it issued.

    Parameters
    ----------
    only : sequence of int, optional
        Cores to record; all by default.
    sink : callable, optional
        Receives each instruction instead of the recording (for runs too long to keep).

    Raises
    ------
    AICoreError
        With the line, for whatever the kernel may not do.
    """
    name = getattr(function, "__name__", "kernel")
    recording = Recording(name, chip, cores, arrays)
    with deadline(limits.seconds, function):
        for core in range(cores) if only is None else only:
            program: list[Instruction] = []
            one = Recorder(chip, core, cores, costs, limits, sink or program.append)
            _run(function, args, one)
            _check_cores(one)
            recording.programs.append(program)
            recording.placements += one.placements
            recording.findings += [leak for queue in one.queues for leak in queue.leaks()]
    return recording


def _run(function: Callable[..., None], args: Sequence[Any], one: Recorder) -> None:
    token = _CURRENT.set(one)
    try:
        function(*args)
    except (AICoreError, HazardError) as error:
        if isinstance(error, AICoreError) and not error.sites:
            error.sites = (raised_at(error, one.core),)
        raise
    except WorkbenchError:
        raise
    except Exception as error:
        raise AICoreError(
            "kernel",
            f"The kernel raised {type(error).__name__} on core {one.core} of {one.cores}.",
            str(error),
            "nothing was written to the outputs; mend the line below",
            (raised_at(error, one.core),),
        ) from error
    finally:
        _CURRENT.reset(token)


def _check_cores(one: Recorder) -> None:
    """Refuse more blocks than the units that the kernel used."""
    counts = {"AIC": one.chip.cube_cores, "AIV": one.chip.vector_cores}
    if "AIC" in one.units and not one.coupled:
        limit, what = counts["AIC"], "Cube cores"
    else:
        limit, what = counts["AIV"], "Vector cores"
    if limit is not None and one.cores > limit:
        raise InputError(
            "More blocks were launched than the chip has cores.",
            f"{one.cores} blocks; {one.chip.title} has {limit} {what}",
            f"launch at most {limit}, and let each block loop over its share",
        )


def _alive(tensor: Any) -> None:
    if tensor.generation != tensor.slot.generation:
        raise AICoreError(
            "use_after_free",
            "A tensor is used after it was given back to its queue.",
            f"{tensor!r} of queue {tensor.slot.queue.name!r}",
            "free it after its last use",
        )
