"""The plan as source text for `numba.njit`: readable Python that a learner may look at.

Every access to an array goes through a `Mode`. `Plain` checks bounds; the sanitizer and the
inspector are other modes, which emit shadow memory or counters around the same accesses.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from workbench.simt.frontend.resolved import Site


@dataclass
class Shortcut:
    """How a mode judges a whole region instead of each access in it.

    Attributes
    ----------
    before : list of str
        Lines before the region.
    tests : list of str
        Where all of these hold, the region runs as `Plain` has it; otherwise it is instrumented.
    after : list of str
        Lines after the bare region.
    """

    before: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


class Mode:
    """What the generated code does at each access, meeting and loop.

    Subclass it to instrument. Every method returns source text (or lines of it) in which the names
    of `CONTEXT` may be used: the thread's linear index ``_t`` and its ``_tx, _ty, _tz``, the
    block's linear index ``_blk``, and the control block ``_ctrl``.

    Attributes
    ----------
    name : str
        Part of the cache key.
    imports : str
        Lines at the top of the generated module.
    parameters : tuple of str
        Extra parameters of the compiled function, before ``_ctrl``; `Launch` passes what
        `arguments` returns.
    hoists : bool
        Whether accesses that are proven inside may go without their check.
    error_model : {"numpy", "python"}
        Numba's: what a division by zero does.
    """

    name = "plain"
    imports = ""
    parameters: tuple[str, ...] = ()
    hoists = True
    error_model = "numpy"

    def load(self, site: Site, array: str, index: str) -> str:
        """Return an expression for ``array[index]``."""
        return f"load_checked({array}, {index}, {site.number}, _t, _blk, _ctrl)"

    def store(self, site: Site, array: str, index: str, value: str) -> list[str]:
        """Return statements for ``array[index] = value``."""
        return [f"store_checked({array}, {index}, {value}, {site.number}, _t, _blk, _ctrl)"]

    def atomic(self, site: Site, call: str, array: str, index: str, operands: list[str]) -> str:
        """Return an expression for an atomic; `call` is the intrinsic's name."""
        parts = ", ".join([array, index, *operands, str(site.number), "_t", "_blk", "_ctrl"])
        return f"{call}({parts})"

    def operation(self, line: int, node: ast.expr) -> ast.expr:
        """Return an arithmetic operation of a source line (0: none) as it is written."""
        return node

    def launch_begins(self) -> list[str]:
        """Return lines at the top of the function."""
        return []

    def block_begins(self) -> list[str]:
        """Return lines at the start of every block."""
        return []

    def block_ends(self) -> list[str]:
        """Return lines at the end of every block."""
        return []

    def shortcut(self, body: list[ast.stmt], translator: Any, epoch: Any) -> Shortcut | None:
        """Return how a region may run bare, or None: every access is instrumented.

        `epoch` is the region's `epochs.Epoch`.
        """
        return None

    def region_begins(self, lines: tuple[int, int]) -> list[str]:
        """Return lines before a thread loop over these source lines."""
        return []

    def thread_begins(self) -> list[str]:
        """Return lines at the start of every turn of a thread loop."""
        return []

    def thread_ends(self) -> list[str]:
        """Return lines at the end of every turn of a thread loop."""
        return []

    def region_ends(self) -> list[str]:
        """Return lines after a thread loop."""
        return []

    def meets(self, name: str, line: int, mask: str | None, lanes: str | None = None) -> list[str]:
        """Return lines at a barrier or warp operation.

        Parameters
        ----------
        name : str
        line : int
        mask : str or None
            An array that says which threads take part; None for all.
        lanes : str or None
            The mask that a warp operation is given: a number, an array with one for each thread, or
            ``""`` where it is computed and not kept; None where there is none to give.
        """
        return []

    def loop_begins(self, trips: int | None) -> list[str]:
        """Return lines before a loop of a thread; `trips` is how often it turns, where known."""
        return []

    def turn_begins(self) -> list[str]:
        """Return lines at the start of every turn of the innermost loop that has begun."""
        return []

    def loop_ends(self) -> None:
        """Take note that the innermost loop is written."""

    def fence(self) -> list[str]:
        """Return lines at a memory fence."""
        return []

    def declares(self, kind: str, name: str, shape: Any, dtype: Any) -> list[str]:
        """Return lines after an array of a block is made, at the top of the function."""
        return []


PLAIN = Mode()
WHO = ("_ctrl[3] = _t", "_ctrl[4] = _blk")
"""Lines that note which thread is about to raise."""


class DebugMode(Mode):
    """``cuda.jit(debug=True)``: divisions by zero raise, and name their thread."""

    name = "debug"
    error_model = "python"

    def thread_begins(self) -> list[str]:
        """Note the thread: any operation of its turn may raise."""
        return list(WHO)


DEBUG = DebugMode()


class Writer:
    """Lines of source with indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def __call__(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    def statement(self, statement: ast.stmt) -> None:
        """Write a statement of plain Python."""
        self(*ast.unparse(ast.fix_missing_locations(statement)).splitlines())

    def block(self, head: str) -> _Indent:
        """Write a head line; what is written inside the context is its body."""
        self(head)
        return _Indent(self)

    def text(self) -> str:
        """Return everything written."""
        return "\n".join(self.lines) + "\n"


class _Indent:
    def __init__(self, writer: Writer):
        self.writer = writer

    def __enter__(self) -> None:
        self.writer.depth += 1
        self.start = len(self.writer.lines)

    def __exit__(self, *_: object) -> None:
        if len(self.writer.lines) == self.start:
            self.writer("pass")
        self.writer.depth -= 1
