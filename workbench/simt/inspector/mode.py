"""The mode of code generation that counts memory requests and arithmetic."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from workbench.simt.codegen.areas import area_text
from workbench.simt.codegen.emit import Mode, Shortcut
from workbench.simt.codegen.footprint import Touch, footprint
from workbench.simt.codegen.instrument import (
    Unwatchable,
    declared_spaces,
    refuse_declared,
    stamp_of,
)
from workbench.simt.codegen.linear import Linear, NotLinear
from workbench.simt.codegen.views import view_roots
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Resolved, Site
from workbench.simt.inspector.counters import LANES, MOST_VISITS, Space, Word
from workbench.simt.inspector.metrics import SECTOR_BYTES
from workbench.simt.planning.analysis import has_sync

_NOWHERE = Site(0, "", "", "load", "", 0, 0)


class InspectorMode(Mode):
    """Emits a counter around each access to shared and global memory.

    Parameters
    ----------
    resolved : Resolved
    ranks : dict of str to int
        The kernel's array parameters, with their dimensions.
    threads : int
        Of a block.
    """

    name = "inspector " + stamp_of(Path(__file__).parent)
    imports = (
        "from workbench.simt.codegen.areas import *\n"
        "from workbench.simt.inspector.bulk import *\n"
        "from workbench.simt.inspector.counters import *"
    )
    hoists = False

    def __init__(self, resolved: Resolved, ranks: dict[str, int], threads: int):
        normal = normalise(resolved)
        self.threads, self.arrays = threads, (arrays := tuple(ranks))
        self.roots = view_roots(normal, ranks)
        self.spaces = {**dict.fromkeys(arrays, "global"), **declared_spaces(normal)}
        nodes = [node for statement in normal.body for node in ast.walk(statement)]
        lines = sorted({getattr(node, "lineno", 0) for node in nodes} - {0})
        self.lines = {line: at for at, line in enumerate(lines)}
        self.places = len(normal.sites) + 8
        self.looped = _lines_in_loops(nodes)
        self.written = {self.root(one.array) for one in normal.sites if one.kind != "load"}
        self.parameters = (*(f"_k_{name}" for name in arrays), "_tables", "_buffers", "_workers")
        self._region: dict[int, tuple[str, bool, bool]] = {}
        self._loops: list[int | None] = []

    # -- where things lie in a worker's table, in words

    @property
    def operations_at(self) -> int:
        """Where the operations of each line begin."""
        return 1 + Word.SIZE * self.places

    @property
    def visits_at(self) -> int:
        """Where the visits of each lane at each place begin."""
        return self.operations_at + len(self.lines)

    @property
    def table_words(self) -> int:
        """Words of a table."""
        return self.visits_at + LANES * self.places

    @property
    def buffer_words(self) -> int:
        """Words of a worker's buffer."""
        return LANES * MOST_VISITS * self.places

    # -- emitted around the plan

    def launch_begins(self) -> list[str]:
        """Find this worker."""
        return [
            "_blocks = _gx * _gy * _gz",
            "_worker = (_first * _workers + _blocks - 1) // _blocks",
            "_lane = np.int64(0)",
        ]

    def block_begins(self) -> list[str]:
        """Take the addresses of the tables."""
        return [
            "_table = address_of(_tables) + 8 * _tables.shape[1] * _worker",
            "_buffer = address_of(_buffers) + 8 * _buffers.shape[1] * _worker",
            f"_ops = _table + {8 * self.operations_at}",
            *(f"_m_{name} = address_of(_k_{name})" for name in self.arrays),
            *(f"_w_{name} = _m_{name} + _k_{name}.size // 2" for name in self.arrays),
        ]

    def region_begins(self, lines: tuple[int, int]) -> list[str]:
        """Begin to gather the places of a region."""
        self._region = {}
        return []

    def thread_begins(self) -> list[str]:
        """Find the lane."""
        return [f"_lane = _t & {LANES - 1}"]

    def thread_ends(self) -> list[str]:
        """Let the last lane of each warp have the region's places counted."""
        if not self._region:
            return []
        lines = [f"if _lane == {LANES - 1} or _t == {self.threads - 1}:"]
        present = f"min({LANES}, {self.threads} - (_t - _lane))"
        for number, (array, looped, atomic) in sorted(self._region.items()):
            record, buffer, visits = self._where(number)
            lines.append(
                f"    warp_ends({record}, {buffer}, {visits if looped else 'np.int64(0)'}, "
                f"itemsize_of({array}), np.int64({int(Space[self.spaces[array].upper()])}), "
                f"np.int64({int(atomic)}), np.int64({present}), _table)"
            )
        return lines

    def loop_begins(self, trips: int | None) -> list[str]:
        """Begin to count the turns of a loop."""
        self._loops.append(trips)
        return [f"_turn{len(self._loops)} = np.int64(-1)"]

    def turn_begins(self) -> list[str]:
        """Count a turn."""
        return [f"_turn{len(self._loops)} += 1"]

    def loop_ends(self) -> None:
        """Forget the innermost loop."""
        self._loops.pop()

    def _turn(self) -> str | None:
        """Return the number that a turn has in all lanes of a warp, or None where it has none.

        Lanes of one warp come together again in every turn. Where an inner loop may turn more often
        in one lane than in another, turns have no number that a single lane knows.
        """
        if not self._loops or None in self._loops[1:]:
            return None
        number = "_turn1"
        for depth, trips in enumerate(self._loops[1:], 2):
            number = f"({number} * {trips} + _turn{depth})"
        return number

    def operation(self, line: int, node: ast.expr) -> ast.expr:
        """Count an operation where its result is a float."""
        at = self.lines.get(line)
        if at is None:
            return node
        call: Any = ast.parse(f"counted(_ops + {8 * at}, 0)", mode="eval").body
        call.args[1] = node
        return call

    def declares(self, kind: str, name: str, shape: Any, dtype: Any) -> list[str]:
        """Refuse arrays of records, whose fields are accesses of their own."""
        if kind != "const":
            refuse_declared(name, dtype)
        return []

    # -- whole regions

    def shortcut(self, body: list[ast.stmt], translator: Any, epoch: Any) -> Shortcut | None:
        """Let a region run bare where its requests follow from the thread index."""
        try:
            seen = footprint(body, translator, self._matters, counting=True)
        except NotLinear:
            return None
        found = Shortcut(tests=list(seen.needs))
        for number, touch in enumerate(seen.touches):
            self._tell(f"_q{number}", touch, translator, found)
        lines: dict[tuple[int, str], int] = {}
        for line, box in seen.operations:
            area = area_text(Touch(_NOWHERE, "", Linear.number(0), box), translator.block)
            lines[line, area] = lines.get((line, area), 0) + 1
        for (line, area), count in lines.items():
            at = 8 * self.lines[line]
            found.after += [f"count_operations(_ops + {at}, {area})"] * count
        return found

    def _matters(self, array: str) -> bool:
        return self.spaces.get(self.root(array), "unknown") in ("global", "shared", "unknown")

    def root(self, array: str) -> str:
        """Return the array behind a name."""
        return self.roots.get(array, array)

    def _tell(self, area: str, touch: Touch, translator: Any, found: Shortcut) -> None:
        array, atomic = touch.array, touch.site.kind == "atomic"
        space = self.spaces.get(array, "unknown")
        if space not in ("global", "shared") or (atomic and translator.kinds[array].ndim != 1):
            raise Unwatchable(f"{array} is another name for the same memory")
        record, buffer, _ = self._where(touch.site.number)
        found.before.append(f"{area} = {area_text(touch, translator.block)}")
        if atomic:
            found.tests.append(f"fits({area}, {array}.size)")
        size, is_shared = f"itemsize_of({array})", int(space == "shared")
        numbers = f"np.int64({is_shared}), np.int64({int(atomic)}), np.int64({self.threads})"
        found.after.append(f"count_area({area}, {record}, {size}, {numbers}, {buffer})")
        if not is_shared:
            found.after += [f"mark_sectors({area}, {size}, {m})" for m in _marks(touch.site, array)]

    # -- accesses

    def _where(self, number: int) -> tuple[str, str, str]:
        if number >= self.places:
            raise Unwatchable("the kernel has more places than expected")
        return (
            f"_table + {8 * (1 + Word.SIZE * number)}",
            f"_buffer + {8 * LANES * MOST_VISITS * number}",
            f"_table + {8 * (self.visits_at + LANES * number)}",
        )

    def _seen(self, site: Site, array: str, index: str, atomic: bool = False) -> str:
        """Return the element's number, counted."""
        root = self.root(array)
        place = f"place_of({array}, {index})"
        if root != array:
            place = f"place_in({root}, {array}, {index})"
        place, array = f"inside({place}, _table)", root
        space = self.spaces[array]
        if space not in ("global", "shared"):
            return place
        looped = site.line in self.looped
        self._region[site.number] = (array, looped, atomic)
        record, buffer, visits = self._where(site.number)
        size = f"itemsize_of({array})"
        if space == "global":
            for marks in _marks(site, array):
                place = f"touches({place}, {size}, {marks})"
        turn = self._turn()
        if looped and turn:
            self._region[site.number] = (array, False, atomic)
            return f"seen_in_turn({place}, {size}, {record}, {buffer}, {turn} + 1, _lane)"
        if looped:
            return f"seen({place}, {size}, {record}, {buffer}, {visits}, _lane)"
        return f"seen_once({place}, {size}, {record}, {buffer}, _lane)"

    def load(self, site: Site, array: str, index: str) -> str:
        """Return a counted read."""
        return f"load_flat({self.root(array)}, {self._seen(site, array, index)})"

    def store(self, site: Site, array: str, index: str, value: str) -> list[str]:
        """Return a counted write."""
        new = f"_v{site.number}"
        return [
            f"{new} = converted({self.root(array)}, {value})",
            f"store_flat({self.root(array)}, {self._seen(site, array, index)}, {new})",
        ]

    def atomic(self, site: Site, call: str, array: str, index: str, operands: list[str]) -> str:
        """Return a counted atomic."""
        done = super().atomic(site, call, array, index, operands)
        may = self._seen(site, array, index, atomic=True)
        return f"({done} if {may} >= 0 else load_flat({self.root(array)}, -1))"


def mark_bytes(nbytes: int) -> int:
    """Return the bytes that hold one mark for each sector of an array."""
    return nbytes // SECTOR_BYTES + 2


def _marks(site: Site, array: str) -> list[str]:
    """Return where an access marks its sectors: those read stand before those written."""
    places = {"load": "m", "store": "w", "atomic": "mw"}[site.kind]
    return [f"_{place}_{array}" for place in places]


def _lines_in_loops(nodes: list[ast.AST]) -> set[int]:
    """Return the lines inside loops that a thread runs within one region."""
    found: set[int] = set()
    for node in nodes:
        if isinstance(node, (ast.For, ast.While)) and not has_sync(node):
            found |= {getattr(inner, "lineno", 0) for inner in ast.walk(node)}
    return found
