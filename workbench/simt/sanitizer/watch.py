"""The observer that holds every access against the memory model.

For each element it keeps the last plain write, the reads and the atomics since, and what atomics
have released (the FastTrack scheme of Flanagan and Freund, PLDI 2009, with the barrier epochs of a
GPU in place of vector clocks over all threads). A race is found in whatever order the threads run,
because it is the absence of order that is looked for, not a wrong result.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.simt.frontend.resolved import Site
from workbench.simt.memory_model import Knowledge, Stamp
from workbench.simt.sanitizer import sentences
from workbench.simt.sanitizer.elements import Place, called, guard_for, place_of
from workbench.simt.sanitizer.findings import Finding, Party
from workbench.simt.trace.arrays import TracedArray
from workbench.simt.trace.observer import Observer
from workbench.simt.trace.thread import TracedThread

_VERBS = {"r": "reads", "w": "writes", "a": "atomically updates"}


@dataclass(slots=True)
class Access(Stamp):
    """One access: its stamp, who, where, and the value."""

    how: str
    who: TracedThread
    site: Site
    value: Any
    array: TracedArray
    position: tuple[Any, ...]

    def party(self) -> Party:
        """Return it as findings show it."""
        return party(self.who, _VERBS[self.how], self.value, self.site)

    def place(self) -> Place:
        """Return the element as findings name it."""
        return place_of(self.array, self.position, self.site.array)


@dataclass(slots=True)
class Cell:
    """What is known about one element."""

    written: bool
    write: Access | None = None
    reads: dict[int, Access] = field(default_factory=dict)
    atomics: dict[int, Access] = field(default_factory=dict)
    released: Knowledge | None = None


@dataclass
class Conflicts:
    """All unordered pairs at the same two lines of one array."""

    first: Access
    second: Access
    count: int = 0
    same_value: bool = True
    one_warp: bool = True
    both_write: bool = False


def party(thread: TracedThread, does: str, value: Any, site: Site | None) -> Party:
    """Return a thread at a place, as findings show it."""
    place = (0, "", "")
    if site is not None:
        place = (site.line, site.file_name, listing_line(site.file_name, site.line))
    return Party(_triple(thread.blockIdx), _triple(thread.threadIdx), does, value, *place)


def _triple(index: Any) -> tuple[int, int, int]:
    return index[0], index[1], index[2]


def listing_line(path: str, line: int) -> str:
    """Return one line of a source file, stripped."""
    return linecache.getline(path, line).strip()


class Sanitizer(Observer):
    """Collects findings; `findings` gives them when the launch has ended."""

    def __init__(self):
        self._global: dict[int, Cell] = {}
        self._conflicts: dict[tuple, Conflicts] = {}
        self._unwritten: dict[tuple, Access] = {}
        self._others: dict[tuple, Finding] = {}
        self._counts: dict[tuple, int] = {}

    # -- accesses

    def load(self, thread, array, position, address, value, site):
        """Check a read."""
        memory = array.memory
        if memory.space == "constant":
            return
        cell = self._cell(array, address)
        access = _access("r", thread, value, site, array, position)
        self._check_place(access, address)
        if not cell.written:
            self._unwritten.setdefault((memory.name, site.line), access)
        if memory.space == "local":
            return
        self._against(cell.write, access)
        for other in cell.atomics.values():
            self._against(other, access)
        cell.reads[thread.thread] = access

    def store(self, thread, array, position, address, old, new, site):
        """Check a write."""
        cell = self._cell(array, address)
        access = _access("w", thread, new, site, array, position)
        self._check_place(access, address)
        cell.written = True
        if array.memory.space == "local":
            return
        self._against(cell.write, access)
        for others in (cell.reads, cell.atomics):
            for other in others.values():
                self._against(other, access)
        cell.write = access
        cell.reads, cell.atomics = {}, {}

    def atomic(self, thread, array, position, address, old, new, site):
        """Check an atomic, and let it acquire and release."""
        cell = self._cell(array, address)
        access = _access("a", thread, new, site, array, position)
        self._check_place(access, address)
        if not cell.written:
            self._unwritten.setdefault((array.memory.name, site.line), access)
            cell.written = True
        self._against(cell.write, access)
        for other in cell.reads.values():
            self._against(other, access)
        cell.atomics[thread.thread] = access
        if cell.released is None:
            cell.released = Knowledge()
        thread.exchange_knowledge(cell.released)

    def _cell(self, array: TracedArray, address: int) -> Cell:
        memory = array.memory
        cells = self._global if memory.space == "global" else memory.cells
        cell = cells.get(address)
        if cell is None:
            cell = cells[address] = Cell(memory.initialised)
        return cell

    def _check_place(self, access: Access, address: int) -> None:
        array = access.array
        needs = array.dtype.alignment
        if address % needs:
            packed = array.data.base is not None and array.data.base.dtype.names is not None
            self._add(
                ("misaligned", array.memory.name, access.site.line),
                lambda: sentences.misaligned(
                    access.party(), access.place(), needs, address, packed
                ),
            )

    def _against(self, earlier: Access | None, access: Access):
        if earlier is None or access.who.after(earlier):
            return
        mixed = "a" in (earlier.how, access.how)
        lines = tuple(sorted((earlier.site.line, access.site.line)))
        key = (mixed, access.array.memory.name, lines)
        found = self._conflicts.get(key)
        if found is None:
            found = self._conflicts[key] = Conflicts(earlier, access)
        both_write = earlier.how == access.how == "w"
        same_value = both_write and _equal(earlier.value, access.value)
        if found.same_value and not same_value and found.count:
            found.first, found.second = earlier, access
        found.count += 1
        found.same_value &= same_value
        found.both_write |= both_write
        found.one_warp &= earlier.block == access.block and earlier.who.warp == access.who.warp

    # -- everything else

    def out_of_bounds(self, thread, array, index, site, does):
        """Report an index outside its array."""
        index = index if isinstance(index, tuple) else (index,)
        self._add(
            ("out", array.memory.name, site.line),
            lambda: _outside(party(thread, does, None, site), array, index, site),
        )

    def negative_index(self, thread, array, index, position, site):
        """Report an index below zero that wraps."""
        index = index if isinstance(index, tuple) else (index,)
        self._add(
            ("negative", array.memory.name, site.line),
            lambda: sentences.negative_index(
                party(thread, "uses", None, site), place_of(array, index, site.array),
                called(array, position, site.array), guard_for(site.text, index, array.shape),
            ),
        )  # fmt: skip

    def diverged(self, here, there, kind, detail):
        """Report that somebody waits where another never comes."""
        site = here.request[1]
        is_at, at = _whereabouts(there)
        other = None if there is here else party(there, "is", None, at)
        self._add(
            (kind, site.line),
            lambda: sentences.diverged(
                kind, party(here, "waits", None, site), other, f"cuda.{detail}", is_at
            ),
        )

    def _add(self, key: tuple, make: Any) -> None:
        self._counts[key] = self._counts.get(key, 0) + 1
        if key not in self._others:
            self._others[key] = make()

    def findings(self) -> list[Finding]:
        """Return what was found, each kind once for each pair of lines."""
        found = [replace(one, count=self._counts[key]) for key, one in self._others.items()]
        raced = {c.second.array.memory.name for c in self._conflicts.values() if not c.both_write}
        for access in self._unwritten.values():
            if access.array.memory.name not in raced:  # else read too early, by that race
                found.append(sentences.uninitialised(access.party(), access.place()))
        found += [_conflict(key[0], conflicts) for key, conflicts in self._conflicts.items()]
        return found


def _access(how: str, thread: TracedThread, value: Any, site: Site, array: Any, position: Any):
    return Access(
        thread.thread, thread.block, thread.clock, thread.block_epoch, thread.grid_epoch,
        how, thread, site, value, array, position,
    )  # fmt: skip


def _outside(who: Party, array: TracedArray, index: tuple, site: Site) -> Finding:
    guard = guard_for(site.text, index, array.shape)
    place = place_of(array, index, site.array)
    shape = array.shape if place.is_view else array.memory.root.shape
    if len(shape) != len(place.index):
        shape = array.shape
    return sentences.out_of_bounds(who, place, shape, guard)


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right) or (left != left and right != right)


def _conflict(mixed: bool, seen: Conflicts) -> Finding:
    one_line = seen.first.site.line == seen.second.site.line
    kind = sentences.kind_of(mixed, seen.one_warp, one_line, seen.both_write)
    first, second = seen.first, seen.second
    place = second.place()
    return sentences.conflict(kind, sentences.Clash(
        first.party(), second.party(), (first.place().name, place.name), place.array, place.space,
        second.array.dtype.name, place.index, seen.same_value, seen.both_write, seen.count,
    ))  # fmt: skip


def _whereabouts(thread: TracedThread) -> tuple[str, Site | None]:
    if thread.done:
        if thread.left is None:
            return "has passed it by and reached the end of the kernel", None
        return f"has returned on line {thread.left.line}", thread.left
    name, site, _ = thread.request
    if name == "pause":
        return f"spins on line {site.line}", site
    return f"waits at cuda.{name} on line {site.line}", site
