"""What would probably repair two accesses that nothing orders."""

from __future__ import annotations

from workbench.simt.sanitizer.findings import FindingKind, Party
from workbench.simt.sanitizer.surroundings import condition_over, statement_at, surroundings
from workbench.simt.sanitizer.updates import atomic_for, atomic_of_comparison

_ATOMIC_DTYPES = ("int32", "uint32", "int64", "uint64", "float32", "float64")


def conflict_cure(
    kind: FindingKind, first: Party, second: Party, together: bool, both_write: bool, dtype: str
) -> str:
    """Return the cure of a conflict.

    Parameters
    ----------
    kind : FindingKind
    first, second : Party
    together : bool
        Whether both threads are of one block.
    both_write : bool
        Whether both write.
    dtype : str
        Of the array.
    """
    wait = "cuda.syncwarp()" if kind == FindingKind.MISSING_SYNCWARP else "cuda.syncthreads()"
    ordered = order_with(wait, first, second)
    if kind == FindingKind.MISSING_SYNCWARP:
        return f"{ordered}; lanes of a warp do not run in step by themselves"
    if kind == FindingKind.MIXED_ATOMIC:
        other = f": {ordered}" if together else " in launches of their own"
        return f"make both accesses atomic, or order them{other}"
    one_line = first.line == second.line
    atomic = _atomic(first, second, both_write)
    if atomic and dtype not in _ATOMIC_DTYPES:
        return (
            f"give each element to one thread: atomics work on 32 and 64 bits only, and not on "
            f"{dtype} (on a wider array, {atomic})"
        )
    if atomic:
        return f"write {atomic}: reading and then writing lets other threads come between"
    if both_write and one_line:
        return "use cuda.atomic, give each thread an element of its own, or let one thread write"
    if together:
        return ordered
    return (
        "blocks do not wait for each other inside a launch: write to another array, use "
        "cuda.atomic (with cuda.threadfence() for the data it guards), or make it two launches"
    )


def order_with(wait: str, first: Party, second: Party) -> str:
    """Return where a barrier must go so that two accesses of a block follow one another."""
    lines = sorted({first.line, second.line})
    same_file = first.path == second.path
    seen = surroundings(first.path, lines, wait) if same_file else None
    if len(lines) == 1:
        line = lines[0]
        if seen is not None and (not seen.in_loop or seen.waits_elsewhere):
            return (
                f"let line {line} only read, into a local variable, then {wait}, then write "
                "(or write to another array)"
            )
        return f"put {wait} between one pass over line {line} and the next"
    low, high = lines
    if seen is not None and seen.parted:
        back = "the loop comes back to" if seen.in_loop else "anything brings the threads back to"
        return f"put {wait} after line {high}, before {back} line {low}"
    again = ""
    if seen is not None and seen.in_loop and not seen.waits_elsewhere:
        again = f", and another before the loop comes back to line {low}"
    return f"put {wait} between line {low} and line {high}{again}"


def _atomic(first: Party, second: Party, both_write: bool) -> str | None:
    """Return the atomic that does in one step what the lines do in two."""
    writer = second if second.does == "writes" else first
    if first.line == second.line and both_write:
        found = atomic_for(second.text)
        if found:
            return found
    condition = condition_over(writer.path, writer.line)
    statement = statement_at(writer.path, writer.line)
    if condition is None or statement is None:
        return None
    if {first.line, second.line} - {writer.line, condition.lineno}:
        return None
    return atomic_of_comparison(condition.test, statement)
