"""From what was seen to a sentence with its cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.simt.sanitizer.cures import conflict_cure
from workbench.simt.sanitizer.elements import Place
from workbench.simt.sanitizer.findings import Finding, FindingKind, Party, Severity

_ARTICLE = "the {space} array {array}"


@dataclass(frozen=True)
class Clash:
    """Two accesses that nothing orders.

    Attributes
    ----------
    first, second : Party
    names : tuple of str
        What each of them calls the element.
    array, space, dtype : str
    index : tuple
        Of the whole array.
    same_value : bool
        Whether both write, and always the same value.
    both_write : bool
        Whether both write, at least once.
    count : int
        How often it was seen.
    """

    first: Party
    second: Party
    names: tuple[str, str]
    array: str
    space: str
    dtype: str
    index: tuple[Any, ...]
    same_value: bool
    both_write: bool
    count: int


def shown(value: Any) -> str:
    """Return a value as a sentence tells it: a float32 has seven figures, not seventeen."""
    text = str(value)
    return f"{value:.7g}" if isinstance(value, float) and len(text) > 9 else text


def _clause(party: Party, name: str) -> str:
    value = "" if party.value is None else f" {shown(party.value)}"
    link = {"reads": "from", "writes": "to"}.get(party.does, "in")
    if party.does == "atomically updates":
        return f"{party.name} atomically sets {name} to{value} on line {party.line}"
    return f"{party.name} {party.does}{value} {link} {name} on line {party.line}"


def conflict(kind: FindingKind, clash: Clash) -> Finding:
    """Return the finding for two accesses that nothing orders."""
    title = {
        FindingKind.RACE: "race",
        FindingKind.MIXED_ATOMIC: "atomic mixed with plain access, a race",
        FindingKind.MISSING_SYNCWARP: "missing syncwarp, a race between lanes of one warp",
    }[kind]
    first, second = clash.first, clash.second
    text = (
        f"{title} on {_ARTICLE.format(space=clash.space, array=clash.array)}: "
        f"{_clause(first, clash.names[0])}, and {_clause(second, clash.names[1])}"
    )
    if clash.names[0] != clash.names[1]:
        text += ", which is the same memory"
    text += "; nothing orders the two"
    if clash.same_value:
        text += ", though both write the same value"
    severity = Severity.WARNING if clash.same_value else Severity.ERROR
    together = first.block == second.block
    cure = conflict_cure(kind, first, second, together, clash.both_write, clash.dtype)
    return Finding(
        kind, severity, text + ".", cure, first, second, clash.array, clash.space, clash.index,
        clash.count,
    )  # fmt: skip


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


def out_of_bounds(party: Party, place: Place, shape: tuple[int, ...], guard: str | None) -> Finding:
    """Return the finding for an index outside its array; the access was not done.

    Parameters
    ----------
    shape : tuple of int
        Of the array that is called so.
    guard : str or None
        The condition that would have kept the thread out.
    """
    text = (
        f"out of bounds: {party.name} {party.does} {place.name} on line {party.line}, "
        f"but {_ARTICLE.format(space=place.space, array=place.array)} has shape {shape}"
    )
    if place.is_view:
        text = text.replace(f"but the {place.space} array {place.array}", "but that view of it")
    if any(isinstance(one, int) and one < 0 for one in place.index):
        text += " (an index below zero counts from the end, and this one reaches past the start)"
    cure = f"guard the access with `if {guard}:`" if guard else "guard the access"
    if place.space in ("shared", "local"):
        cure = f"make {place.array} larger, or {cure}"
    return _alone(FindingKind.OUT_OF_BOUNDS, Severity.ERROR, text, cure, party, place)


def negative_index(party: Party, place: Place, reached: str, guard: str | None) -> Finding:
    """Return the finding for an index below zero that wraps round."""
    text = (
        f"negative index: {party.name} uses {place.name} on line {party.line}, which "
        f"counts from the end and reaches {reached}"
    )
    condition = f" with `if {guard}:`" if guard else " against indices below zero"
    cure = f"guard the access{condition}, or write the index from the end out"
    return _alone(FindingKind.NEGATIVE_INDEX, Severity.WARNING, text, cure, party, place)


def uninitialised(party: Party, place: Place) -> Finding:
    """Return the finding for a value that nobody has written."""
    text = (
        f"uninitialised read: {party.name} {party.does} {place.name} on line "
        f"{party.line}, but no thread has written that element of "
        f"{_ARTICLE.format(space=place.space, array=place.array)}"
    )
    text += " in this block" * (place.space == "shared")
    cure = f"write every element of {place.array} before it is read"
    if place.space == "global":
        cure = (
            f"fill {place.array} before the launch (a new device array holds anything), or write "
            "first"
        )
    return _alone(FindingKind.UNINITIALISED, Severity.ERROR, text, cure, party, place)


def misaligned(party: Party, place: Place, needs: int, address: int, packed: bool) -> Finding:
    """Return the finding for an address that is no multiple of what the type needs."""
    text = (
        f"misaligned: {party.name} {party.does} {place.name} on line {party.line} at an "
        f"address that is {address % needs} past a multiple of {needs} bytes"
    )
    cure, severity = "begin the view at a multiple of the element's size", Severity.ERROR
    if packed:
        cure = "make the record type with align=True; packed fields are moved byte by byte"
        severity = Severity.WARNING
    return _alone(FindingKind.MISALIGNED, severity, text, cure, party, place)


def _alone(
    kind: FindingKind, severity: Severity, text: str, cure: str, party: Party, place: Place
) -> Finding:
    return Finding(
        kind, severity, text + ".", cure, party, None, place.array, place.space, place.index
    )


_DIVERGED = {
    "barrier divergence": (
        "{here} waits at {what} on line {line}, while {there} {is_at}",
        "every thread must reach the same barrier, equally often: move it out of the condition or "
        "the loop that not all of them enter",
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
