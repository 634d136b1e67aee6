"""The mode of code generation that puts shadow memory around each access of a compiled kernel."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np

from workbench.simt.codegen.areas import area_text
from workbench.simt.codegen.emit import Mode, Shortcut
from workbench.simt.codegen.footprint import Touch, footprint
from workbench.simt.codegen.instrument import (
    Unwatchable,
    declared_spaces,
    refuse_declared,
    stamp_of,
)
from workbench.simt.codegen.linear import NotLinear
from workbench.simt.codegen.views import view_roots
from workbench.simt.frontend.intrinsics import WARP_SYNC
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Intrinsic, Resolved, Site
from workbench.simt.planning.epochs import Epoch
from workbench.simt.sanitizer.clashes import meetings, same_area
from workbench.simt.sanitizer.owned import owned_arrays
from workbench.simt.sanitizer.shadow import PLANES
from workbench.simt.sanitizer.table import (
    KEY_SHIFT,
    MET_AT,
    MET_WORDS,
    MOST_SYNCS,
    SITE_BITS,
    SYNC_BITS,
    Seen,
)
from workbench.simt.warp_ops import FULL_MASK

MOST_THREADS = 1024
_STATE = "_start, _barrier, _warp, _table"


def refuse_other_orders(resolved: Resolved) -> None:
    """Refuse kernels ordered by what stamps do not hold: the grid, and loops that wait.

    Raises
    ------
    Unwatchable
    """
    written = {site.array for site in resolved.sites if site.kind != "load"}
    for node in ast.walk(resolved.tree):
        if isinstance(node, Intrinsic) and node.intrinsic.kind == "grid":
            raise Unwatchable(f"cuda.{node.intrinsic.name} orders accesses of different blocks")
        if isinstance(node, ast.While) and _may_wait(node, resolved, written):
            raise Unwatchable("a loop may wait for another thread")


def _may_wait(loop: ast.While, resolved: Resolved, written: set[str]) -> bool:
    """Return whether a loop goes on until some memory changes, without a barrier inside."""
    if any(isinstance(n, Intrinsic) and n.intrinsic.kind == "block" for n in ast.walk(loop)):
        return False
    constant = set(resolved.source.parameters) - written
    if any(isinstance(n, Intrinsic) and n.intrinsic.kind == "atomic" for n in ast.walk(loop.test)):
        return True
    tested = (inner for inner in ast.walk(loop.test) if isinstance(inner, ast.Subscript))
    return any(getattr(one.value, "id", "") not in constant for one in tested)


class SanitizerMode(Mode):
    """Emits a stamp check around each access.

    Parameters
    ----------
    resolved : Resolved
    ranks : dict of str to int
        The kernel's array parameters, with their dimensions.
    block, grid : tuple of int
    """

    name = "sanitizer " + stamp_of(Path(__file__).parent)
    imports = (
        "from workbench.simt.codegen.areas import *\n"
        "from workbench.simt.sanitizer.bulk import *\n"
        "from workbench.simt.sanitizer.meetings import *\n"
        "from workbench.simt.sanitizer.shadow import *"
    )
    hoists = False

    def __init__(self, resolved: Resolved, ranks: dict[str, int], block: tuple, grid: tuple):
        self.normal = normal = normalise(resolved)
        self.roots = view_roots(normal, ranks)
        arrays, self.threads = tuple(ranks), block[0] * block[1] * block[2]
        uses: dict[str, set[str]] = {name: set() for name in arrays}
        for site in normal.sites:
            uses.setdefault(self.root(site.array), set()).add(site.kind)
        owned = owned_arrays(normal, arrays, block, grid) - set(self.roots.values())
        calm = {name for name in arrays if uses[name] <= {"load"} or uses[name] <= {"atomic"}}
        self.name += f" {sorted(owned)}"
        self.spaces = {name: "plain" if name in calm | owned else "global" for name in arrays}
        self.spaces.update(declared_spaces(normal))
        self.written = {name for name, kinds in uses.items() if kinds - {"load"}}
        self.unread = {name for name, kinds in uses.items() if "load" not in kinds}
        self.watched = tuple(name for name in arrays if self.spaces[name] == "global")
        self.fences = any(
            isinstance(node, Intrinsic) and node.intrinsic.kind == "fence"
            for statement in normal.body for node in ast.walk(statement)
        )  # fmt: skip
        orders = ("_orders",) if self.fences else ()
        self.parameters = (
            *(f"_s_{name}" for name in self.watched), *orders, "_tables", "_workers",
        )  # fmt: skip

    def root(self, array: str) -> str:
        """Return the array behind a name."""
        return self.roots.get(array, array)

    def planes(self, name: str) -> int:
        """Return the words of shadow for each element of an argument."""
        return 1 if name in self.unread else PLANES

    # -- the state of a worker and of a block

    def launch_begins(self) -> list[str]:
        """Find this worker's table and the shadows of the arguments."""
        return [
            "_blocks = _gx * _gy * _gz",
            "_worker = (_first * _workers + _blocks - 1) // _blocks",
            "_stamp = np.int64(0)",
            "_p = np.int64(0)",
            f"_met = np.zeros({MET_WORDS * self.threads}, np.int64)",
        ]

    def block_begins(self) -> list[str]:
        """Begin the block's own count; take addresses here, so that their arrays stay alive."""
        names = [name for name, space in self.spaces.items() if space != "plain"]
        return [
            f"_key = (np.int64(_blk) + 1) << {SYNC_BITS}",
            f"_start = _barrier = _warp = _key << {KEY_SHIFT}",
            "_table = address_of(_tables) + 8 * _tables.shape[1] * _worker",
            f"poke_int(_table + {8 * MET_AT}, address_of(_met))",
            *(f"_a_{name} = address_of(_s_{name})" for name in names),
            *(
                ["_order = address_of(_orders)", "_fenced = np.int64(0)", "_orders[0] = 0"]
                * self.fences
            ),
            *(f"_n_{n} = {self._plane(n)}" for n in names if self.spaces[n] != "local"),
        ]

    def _plane(self, name: str) -> str:
        return "0" if self.spaces[name] == "global" and name in self.unread else f"8 * {name}.size"

    def block_ends(self) -> list[str]:
        """Leave where a stamp could not hold the block's count of synchronisations."""
        return [f"if _key - (_start >> {KEY_SHIFT}) > {MOST_SYNCS}:", "    raise Stopped"]

    def thread_begins(self) -> list[str]:
        """Prepare the thread's stamp."""
        return [f"_stamp = (_key << {KEY_SHIFT}) | (_t << {SITE_BITS})"]

    def meets(self, name: str, line: int, mask: str | None, lanes: str | None = None) -> list[str]:
        """Count a synchronisation."""
        if name not in WARP_SYNC:
            check = self._check("left_before", mask or "", "", line, Seen.LEFT_BEFORE_BARRIER)
            begins = f"_barrier = _warp = _key << {KEY_SHIFT}"
            return [*([check] if mask else []), "_key += 1", begins]
        whole = lanes is None or (lanes.isdigit() and int(lanes) & FULL_MASK == FULL_MASK)
        given = f", np.int64({FULL_MASK})" if whole else f", {lanes}"
        lines = ["_key += 1"]
        if not whole and lanes:
            active = mask or "_everyone"
            lines.insert(0, self._check("lanes_apart", active, given, line, Seen.WARP_APART))
        elif mask and name != "activemask":
            lines.insert(0, self._check("warp_apart", mask, "", line, Seen.WARP_APART))
        if name == "syncwarp" and whole and not mask:
            lines.append(f"_warp = _key << {KEY_SHIFT}")
        elif name == "syncwarp":
            lines.append(f"lanes_meet({mask or '_everyone'}{given}, _key, _met)")
        return lines

    def _check(self, check: str, active: str, given: str, line: int, kind: Seen) -> str:
        return f"{check}({active}{given}, _key, np.int64({line}), np.int64({int(kind)}), _table)"

    def fence(self) -> list[str]:
        """Note what the block's next atomic releases."""
        return ["_fenced = _key"]

    # -- whole regions

    def shortcut(self, body: list[ast.stmt], translator: Any, epoch: Epoch) -> Shortcut | None:
        """Let a region run bare where its accesses to shared memory are clean and apart."""
        try:
            seen = footprint(body, translator, self._matters)
        except NotLinear:
            return None
        if not all(self._can_judge(touch, translator) for touch in seen.touches):
            return None
        found = Shortcut(tests=list(seen.needs))
        for number, touch in enumerate(seen.touches):
            found.before.append(f"_q{number} = {area_text(touch, translator.block)}")
            self._judge(number, seen.touches, epoch, found)
            if touch.site.kind == "store":
                found.tests += meetings(number, seen.touches, translator.block)
        return found

    def _can_judge(self, touch: Touch, translator: Any) -> bool:
        if touch.site.kind == "atomic":
            flat = translator.kinds[touch.array].ndim == 1
            return flat and self.spaces[touch.array] == "plain"
        return self.spaces.get(touch.array) == "shared"

    def _matters(self, array: str) -> bool:
        return self.spaces.get(self.root(array), "unknown") != "plain"

    def _judge(self, number: int, touches: list[Touch], epoch: Epoch, found: Shortcut) -> None:
        touch, area = touches[number], f"_q{number}"
        array = touch.array
        shadow, stamp = f"_a_{array}", f"(_key << {KEY_SHIFT}) | {touch.site.number}"
        if touch.site.kind == "atomic":
            found.tests.append(f"fits({area}, {array}.size)")
        elif touch.site.kind == "store":
            if not epoch.first:
                found.tests.append(f"clean_write({area}, {shadow}, _n_{array}, _barrier)")
            found.after.append(f"mark_write({area}, {shadow}, {stamp})")
        else:
            if not any(one.site.kind == "store" and same_area(one, touch)
                       for one in touches[:number]):  # fmt: skip
                found.tests.append(f"clean_read({area}, {shadow}, _start, _barrier)")
            if not epoch.last:
                found.after.append(f"mark_read({area}, {shadow}, _n_{array}, {stamp})")

    # -- arrays of a block

    def declares(self, kind: str, name: str, shape: Any, dtype: Any) -> list[str]:
        """Make the shadow of an array."""
        if kind == "const":
            return []
        refuse_declared(name, dtype)
        count = f"{name}.size" if not shape or 0 in tuple(shape) else str(int(np.prod(shape)))
        words = f"{MOST_THREADS if kind == 'local' else PLANES} * {count}"
        return [f"_s_{name} = np.zeros({words}, np.int64)"]

    # -- accesses

    def _place(self, site: Site, array: str, index: str) -> str:
        root = self.root(array)
        place = f"place_of({array}, {index})"
        if root != array:
            place = f"place_in({root}, {array}, {index})"
        return f"plain({place}, _stamp | {site.number}, _table)"

    def _watched(self, array: str, site: Site, action: str, place: str, new: str = "") -> str:
        """Return the call that watches one element of an array."""
        shadow, rest = f"_a_{array}", _STATE
        if self.spaces[array] == "local":
            shadow += f" + 8 * _t * (_s_{array}.size // {MOST_THREADS})"
            rest = "_start, _table"
        else:
            shadow += f", _n_{array}"
        what = f"{place}, address_of({array}), code_of({array}){new}"
        return f"{self.spaces[array]}_{action}({what}, {shadow}, _stamp | {site.number}, {rest})"

    def load(self, site: Site, array: str, index: str) -> str:
        """Return a watched read."""
        place, root = self._place(site, array, index), self.root(array)
        if self.spaces[root] != "plain":
            place = self._watched(root, site, "read", place)
        return f"load_flat({root}, {place})"

    def store(self, site: Site, array: str, index: str, value: str) -> list[str]:
        """Return a watched write."""
        new, root = f"_v{site.number}", self.root(array)
        lines = [
            f"{new} = converted({root}, {value})",
            f"_p = {self._place(site, array, index)}",
            f"store_flat({root}, _p, {new})",
        ]
        if self.spaces[root] != "plain":
            watched = self._watched(root, site, "write", "_p", f", np.float64({new})")
            lines.insert(2, watched)
        return lines

    def atomic(self, site: Site, call: str, array: str, index: str, operands: list[str]) -> str:
        """Return a watched atomic."""
        done = super().atomic(site, call, array, index, operands)
        place, root = self._place(site, array, index), self.root(array)
        space = self.spaces[root]
        if space == "local":
            raise Unwatchable(f"an atomic on the local array {array}")
        may = f"{place} >= 0"
        if space != "plain":
            may = self._watched(root, site, "update", place)
        if self.fences and space != "shared":
            may = f"meets_others(_order, _blk, _fenced, {may})"
        return f"({done} if {may} else load_flat({root}, -1))"
