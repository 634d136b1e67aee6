"""What holds for every launch inside a with statement: the chip, and who collects the runs.

It refuses to launch anything itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from workbench.aicore.machine import DEFAULT_CHIP, Chip, chip

if TYPE_CHECKING:
    from workbench.aicore.run import Run

_OBSERVED: ContextVar[list[Run] | None] = ContextVar("observed", default=None)
_CHIP: ContextVar[str] = ContextVar("chip", default=DEFAULT_CHIP)


@contextmanager
def observe() -> Iterator[list[Run]]:
    """Collect the runs of every kernel launched inside the with statement."""
    runs: list[Run] = []
    token = _OBSERVED.set(runs)
    try:
        yield runs
    finally:
        _OBSERVED.reset(token)


@contextmanager
def on_chip(name: str) -> Iterator[Chip]:
    """Launch on another chip inside the with statement."""
    found = chip(name)
    token = _CHIP.set(name)
    try:
        yield found
    finally:
        _CHIP.reset(token)


def current_chip() -> Chip:
    """Return the chip that kernels are launched on here."""
    return chip(_CHIP.get())


def seen(run: Run) -> None:
    """Hand a run to whoever observes."""
    runs = _OBSERVED.get()
    if runs is not None:
        runs.append(run)
