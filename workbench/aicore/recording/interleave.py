"""Programs of one block's Vector cores, joined into one allowed order without building a graph.

For time-only mode, which keeps no recording of all cores: each program goes on until it waits for
a flag that another has yet to set. It refuses programs that wait for one another for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from workbench.aicore.findings import AICoreError
from workbench.aicore.recording.instructions import Instruction


def interleaved(programs: list[list[Instruction]]) -> Iterator[Instruction]:
    """Yield the instructions of all programs of a block in an order that the flags allow.

    Raises
    ------
    AICoreError
        Of kind ``unmatched_wait`` where no program can go on.
    """
    marks: Counter[tuple | None] = Counter()
    at = [0] * len(programs)
    while any(place < len(program) for place, program in zip(at, programs, strict=True)):
        before = sum(at)
        for number, program in enumerate(programs):
            while at[number] < len(program):
                one = program[at[number]]
                if one.kind == "wait":
                    if not marks[one.key]:
                        break
                    marks[one.key] -= 1
                elif one.kind == "set":
                    marks[one.key] += 1
                at[number] += 1
                yield one
        if sum(at) == before:
            raise _stuck(programs, at)


def _stuck(programs: list[list[Instruction]], at: list[int]) -> AICoreError:
    waiting = [
        program[place] for program, place in zip(programs, at, strict=True) if place < len(program)
    ]
    return AICoreError(
        "unmatched_wait",
        "The Cube and Vector cores of a block wait for one another: a real core would hang here.",
        ", ".join(one.name for one in waiting),
        "set each flag before, in the kernel's own order, it is waited for",
        tuple(one.site for one in waiting),
    )
