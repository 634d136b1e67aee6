"""Find what is wrong with a launch, also where the result happens to be right.

`sanitize` runs a launch under the memory model of `workbench.simt.memory_model` and returns what it
found. It refuses to change the kernel, and to stay silent about a launch that it could not watch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.kernel import Launch, prepare
from workbench.simt.sanitizer.findings import Finding, FindingKind, Findings, FoundError, Severity
from workbench.simt.sanitizer.watch import Sanitizer
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer, backward, forward, shuffled

__all__ = ["Finding", "FindingKind", "Findings", "FoundError", "Severity", "sanitize"]


def sanitize(launch: Launch, *arguments: Any, orders: int = 2) -> Findings:
    """Run ``kernel[grid, block]`` on `arguments` and return what is wrong with it.

    Parameters
    ----------
    launch : Launch
        A configured kernel: ``kernel[grid, block]``.
    *arguments
        As for a launch. Outputs are written as by a launch.
    orders : int
        In how many orders the threads are run: lowest first, highest first, then random ones. The
        first writes to the arguments, the others to copies.

    Returns
    -------
    Findings
        A sequence, empty for a correct launch.

    Raises
    ------
    InputError
        Where `launch` is not a configured kernel.
    """
    _check(launch, orders)
    fresh = _fresh(arguments)
    prepared = prepare(launch.kernel.resolved, arguments)
    before = tuple(_copy(one) for one in prepared)
    found: dict[tuple, Finding] = {}
    for number in range(orders):
        given = prepared if number == 0 else tuple(_copy(one) for one in before)
        for one in sanitize_in_order(launch, given, number, fresh):
            found.setdefault((one.kind, one.array, tuple(sorted(one.lines))), one)
    names = tuple(_order(number)[0] for number in range(orders))
    return Findings(launch.kernel.__name__, found.values(), names)


def sanitize_in_order(
    launch: Launch, arguments: tuple[Any, ...], number: int, fresh: frozenset[int] = frozenset()
) -> Findings:
    """Watch one launch in one thread order.

    Parameters
    ----------
    launch : Launch
    arguments : tuple
        Written to, as by a launch.
    number : int
        0 is lowest thread first, 1 highest first, others random.
    fresh : frozenset of int
        Places of the arguments that nobody has written yet, beside the device arrays that know.
    """
    resolved = launch.kernel.resolved
    name, order = _order(number)
    watcher = Sanitizer()
    fresh |= _fresh(arguments)
    given = prepare(resolved, arguments)
    task = TraceLaunch(launch.grid, launch.block, given, launch.shared_bytes, fresh)
    Tracer(Program(resolved), task, watcher, order).run()
    return Findings(launch.kernel.__name__, watcher.findings(), (name,))


def _order(number: int) -> tuple[str, Any]:
    fixed = (("forward", forward), ("backward", backward))
    return fixed[number] if number < len(fixed) else (f"random {number}", shuffled(number))


def _fresh(arguments: tuple[Any, ...]) -> frozenset[int]:
    return frozenset(i for i, one in enumerate(arguments) if getattr(one, "fresh", False))


def _copy(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_copy(one) for one in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def _check(launch: Any, orders: int) -> None:
    if not isinstance(launch, Launch):
        raise InputError(
            "Only a configured kernel can be sanitized.",
            f"a {type(launch).__name__}",
            "sanitize(kernel[blocks, threads], *arguments)",
        )
    if not isinstance(orders, int) or orders < 1:
        raise InputError("There must be at least one order.", repr(orders), "orders=2")
