"""From what was seen to a sentence with its cure."""

from __future__ import annotations

from typing import Any

from workbench.simt.sanitizer.findings import Finding, FindingKind, Party, Severity
from workbench.simt.sanitizer.updates import atomic_for

_ARTICLE = "the {space} array {array}"


def element(array: str, index: tuple[Any, ...]) -> str:
    """Return ``array[1, 2]``."""
    return f"{array}[{', '.join(str(one) for one in index)}]"


def _clause(party: Party, name: str) -> str:
    value = "" if party.value is None else f" {party.value}"
    link = {"reads": "from", "writes": "to"}.get(party.does, "in")
    if party.does == "atomically updates":
        return f"{party.name} atomically sets {name} to{value} on line {party.line}"
    return f"{party.name} {party.does}{value} {link} {name} on line {party.line}"


def conflict(
    kind: FindingKind, first: Party, second: Party, array: str, space: str, index: tuple[Any, ...],
    same_value: bool, together: bool, count: int,
    both_write: bool,
) -> Finding:  # fmt: skip
    """Return the finding for two accesses that nothing orders.

    Parameters
    ----------
    together : bool
        Whether both threads are of one block.
    same_value : bool
        Whether both write, and always the same value.
    """
    name = element(array, index)
    title = {
        FindingKind.RACE: "race",
        FindingKind.MIXED_ATOMIC: "atomic mixed with plain access, a race",
        FindingKind.MISSING_SYNCWARP: "missing syncwarp, a race between lanes of one warp",
    }[kind]
    text = (
        f"{title} on {_ARTICLE.format(space=space, array=array)}: {_clause(first, name)}, and "
        f"{_clause(second, name)}; nothing orders the two"
    )
    if same_value:
        text += ", though both write the same value"
    severity = Severity.WARNING if same_value else Severity.ERROR
    cure = _conflict_cure(kind, first, second, together, both_write)
    return Finding(kind, severity, text + ".", cure, first, second, array, space, index, count)


def kind_of(mixed: bool, one_warp: bool, one_line: bool, both_write: bool) -> FindingKind:
    """Return how a group of unordered pairs of accesses is called.

    Lanes of one warp that meet in different statements, or in passes over one statement of which
    only one writes, want a `syncwarp`; where both write in one statement, only an atomic helps.
    """
    if mixed:
        return FindingKind.MIXED_ATOMIC
    if one_warp and not (one_line and both_write):
        return FindingKind.MISSING_SYNCWARP
    return FindingKind.RACE


def _conflict_cure(
    kind: FindingKind, first: Party, second: Party, together: bool, both_write: bool
) -> str:
    lines = sorted({first.line, second.line})
    between = (
        f"between line {lines[0]} and line {lines[1]}"
        if len(lines) == 2
        else f"between one pass over line {lines[0]} and the next"
    )
    if kind == FindingKind.MISSING_SYNCWARP:
        return f"put cuda.syncwarp() {between}; lanes of a warp do not run in step by themselves"
    if kind == FindingKind.MIXED_ATOMIC:
        return "make both accesses atomic, or order them" + (
            f" with cuda.syncthreads() {between}" if together else " in launches of their own"
        )
    if both_write and len(lines) == 1:
        atomic = atomic_for(second.text)
        if atomic:
            return f"write {atomic}: the line reads and then writes, and other threads come between"
        return "use cuda.atomic, give each thread an element of its own, or let one thread write"
    if together:
        return f"put cuda.syncthreads() {between}"
    return (
        "blocks do not wait for each other inside a launch: use cuda.atomic (with "
        "cuda.threadfence() for the data it guards), or two launches"
    )


def out_of_bounds(party: Party, array: str, space: str, index: tuple, shape: tuple) -> Finding:
    """Return the finding for an index outside its array; the access was not done."""
    text = (
        f"out of bounds: {party.name} {party.does} {element(array, index)} on line {party.line}, "
        f"but {_ARTICLE.format(space=space, array=array)} has shape {shape}"
    )
    if any(isinstance(one, int) and one < 0 for one in index):
        text += " (an index below zero counts from the end, and this one reaches past the start)"
    cure = f"guard the access, for instance with `if i < {array}.shape[0]:`"
    if space in ("shared", "local"):
        cure = f"make {array} larger, or guard the access"
    return Finding(
        FindingKind.OUT_OF_BOUNDS,
        Severity.ERROR,
        text + ".",
        cure,
        party,
        None,
        array,
        space,
        index,
    )


def negative_index(party: Party, array: str, space: str, index: tuple, reached: tuple) -> Finding:
    """Return the finding for an index below zero that wraps round."""
    text = (
        f"negative index: {party.name} uses {element(array, index)} on line {party.line}, which "
        f"counts from the end and reaches {element(array, reached)}"
    )
    cure = "guard the access against indices below zero, or write the index from the end out"
    return Finding(
        FindingKind.NEGATIVE_INDEX, Severity.WARNING, text + ".", cure, party, None, array, space,
        index,
    )  # fmt: skip


def uninitialised(party: Party, array: str, space: str, index: tuple) -> Finding:
    """Return the finding for a value that nobody has written."""
    text = (
        f"uninitialised read: {party.name} {party.does} {element(array, index)} on line "
        f"{party.line}, but no thread has written that element of "
        f"{_ARTICLE.format(space=space, array=array)}"
    )
    if space == "shared":
        text += " in this block"
    cure = f"write every element of {array} before it is read"
    if space == "global":
        cure = f"fill {array} before the launch (a new device array holds anything), or write first"
    return Finding(
        FindingKind.UNINITIALISED,
        Severity.ERROR,
        text + ".",
        cure,
        party,
        None,
        array,
        space,
        index,
    )


def misaligned(
    party: Party, array: str, space: str, index: tuple, needs: int, address: int, packed: bool
) -> Finding:
    """Return the finding for an address that is no multiple of what the type needs."""
    text = (
        f"misaligned: {party.name} {party.does} {element(array, index)} on line {party.line} at an "
        f"address that is {address % needs} past a multiple of {needs} bytes"
    )
    cure = "begin the view at a multiple of the element's size"
    severity = Severity.ERROR
    if packed:
        cure = "make the record type with align=True; packed fields are moved byte by byte"
        severity = Severity.WARNING
    return Finding(
        FindingKind.MISALIGNED, severity, text + ".", cure, party, None, array, space, index
    )


_DIVERGED = {
    "barrier divergence": (
        "{here} waits at {what} on line {line}, while {there} {is_at}",
        "every thread of the block must reach the same barrier: move it out of the condition",
    ),
    "barrier after exit": (
        "{here} waits at {what} on line {line}, but {there} {is_at}",
        "let no thread return before the last barrier: guard the work instead of returning",
    ),
    "warp divergence": (
        "{here} waits at {what} on line {line} for lanes of its mask, while {there} {is_at}",
        "call it from every lane that the mask names, or take the mask from cuda.ballot_sync "
        "before the branch",
    ),
    "wrong mask": (
        "{here} calls {what} on line {line}",
        "a lane must be in the mask that it passes",
    ),
    "inactive lane": (
        "{here} takes a value by {what} on line {line} from a lane that does not take part; what "
        "it gets is undefined",
        "let the whole warp reach the shuffle, or do not use the value",
    ),
    "deadlock": (
        "{here} spins on line {line}, and {there} spins too, but no value changes any more",
        "release the lock on every path, and never spin on a lock that a lane of the same warp "
        "holds",
    ),
}


def diverged(kind: str, here: Party, there: Party | None, what: str, is_at: str) -> Finding:
    """Return the finding for threads that wait where others never come."""
    pattern, cure = _DIVERGED[kind]
    name = there.name if there is not None else "nobody"
    told = pattern.format(here=here.name, there=name, what=what, line=here.line, is_at=is_at)
    severity = Severity.WARNING if kind == "inactive lane" else Severity.ERROR
    return Finding(FindingKind(kind), severity, f"{kind}: {told}.", cure, here, there)
