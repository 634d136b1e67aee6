"""What somebody who watches a traced launch is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.simt.frontend.resolved import Site
from workbench.simt.trace.arrays import TracedArray

if TYPE_CHECKING:
    from workbench.simt.trace.scheduler import Block
    from workbench.simt.trace.thread import TracedThread


class Observer:
    """Hears every event of a launch in the order it happens, and by itself does nothing with it.

    ``position`` is the index of the element within its window, ``address`` its first byte.
    """

    def load(self, thread: TracedThread, array: TracedArray, position: Any, address: int,
             value: Any, site: Site) -> None:  # fmt: skip
        """`thread` has read `value`."""

    def store(self, thread: TracedThread, array: TracedArray, position: Any, address: int, old: Any,
              new: Any, site: Site) -> None:  # fmt: skip
        """`thread` has replaced `old` by `new`."""

    def atomic(self, thread: TracedThread, array: TracedArray, position: Any, address: int,
               old: Any, new: Any, site: Site) -> None:  # fmt: skip
        """`thread` has atomically replaced `old` by `new` (equal where a `cas` failed)."""

    def out_of_bounds(self, thread: TracedThread, array: TracedArray, index: Any, site: Site,
                      does: str) -> None:  # fmt: skip
        """`thread` would have left the array; the access was not done."""

    def negative_index(self, thread: TracedThread, array: TracedArray, index: Any, position: Any,
                       site: Site) -> None:  # fmt: skip
        """`thread` used an index below zero, which wraps round to `position`."""

    def operation(self, thread: TracedThread, line: int, value: Any) -> None:
        """`thread` has computed `value` on `line` (counting programs only)."""

    def wait(self, threads: list[TracedThread], name: str) -> None:
        """`threads` leave the synchronising operation `name` together."""

    def diverged(self, here: TracedThread, there: TracedThread, kind: str, detail: str) -> None:
        """Hear that `here` waits where `there` never comes; the engine goes on as if it had."""

    def thread_ends(self, thread: TracedThread, names: dict[str, Any]) -> None:
        """`thread` leaves with these local names (remembering programs only)."""

    def block_ends(self, block: Block) -> None:
        """All threads of `block` have finished."""
