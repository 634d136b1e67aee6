"""Sanitizing one launch, or every launch."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.errors import InputError, UnknownNameError
from workbench.simt.codegen.instrument import Unwatchable
from workbench.simt.host.arguments import prepare
from workbench.simt.kernel import Kernel, Launch
from workbench.simt.sanitizer.compiled import sanitize_compiled
from workbench.simt.sanitizer.findings import Finding, FindingKind, Findings, FoundError
from workbench.simt.sanitizer.watch import Sanitizer
from workbench.simt.tiers import SETTINGS
from workbench.simt.trace.orders import backward, forward, shuffled
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer

TRACED_THREADS = 4096
"""Launches up to this size are traced in two orders: that is done before a compiler has begun."""
TIERS = ("auto", "traced", "compiled")


def sanitize(launch: Launch, *arguments: Any, orders: int = 2, tier: str = "auto") -> Findings:
    """Run ``kernel[grid, block]`` on `arguments` and return what is wrong with it.

    Parameters
    ----------
    launch : Launch
        A configured kernel: ``kernel[grid, block]``.
    *arguments
        As for a launch. Outputs are written as by a launch.
    orders : int
        In how many orders a traced launch is run: lowest thread first, highest first, then random
        ones. The first writes to the arguments, the others to copies.
    tier : {"auto", "traced", "compiled"}
        Thread by thread, or at compiled speed with shadow memory; by default small launches are
        traced, and those that shadow memory cannot describe.

    Returns
    -------
    Findings
        A sequence, empty for a correct launch; ``findings.how`` says how it was watched.

    Raises
    ------
    InputError
        Where `launch` is not a configured kernel, or the asked tier cannot watch it.
    """
    _check(launch, orders, tier)
    fresh = _fresh(arguments)
    prepared = prepare(launch.kernel.resolved, arguments)
    large = launch.grid.count * launch.block.count > TRACED_THREADS
    if tier == "compiled" or (tier == "auto" and large and not fresh):
        try:
            found = sanitize_compiled(launch, prepared)
            return Findings(launch.kernel.__name__, found, "compiled, with shadow memory")
        except Unwatchable as reason:
            if tier == "compiled":
                raise InputError(
                    f"{launch.kernel.__name__} cannot be sanitized at compiled speed.",
                    str(reason),
                    'leave the choice to sanitize: tier="auto"',
                ) from reason
    return _traced(launch, prepared, fresh, orders)


def _traced(
    launch: Launch, prepared: tuple[Any, ...], fresh: frozenset[int], orders: int
) -> Findings:
    before = tuple(_copy(one) for one in prepared)
    found: dict[tuple, Finding] = {}
    for number in range(orders):
        given = prepared if number == 0 else tuple(_copy(one) for one in before)
        for one in sanitize_in_order(launch, given, number, fresh):
            found.setdefault((one.kind, one.array, tuple(sorted(one.lines))), one)
    for kind, array, lines in list(found):  # in one order the pair met within a warp only
        if kind == FindingKind.MISSING_SYNCWARP and (FindingKind.RACE, array, lines) in found:
            del found[kind, array, lines]
    names = " and ".join(_order(number)[0] for number in range(orders))
    return Findings(launch.kernel.__name__, found.values(), f"traced, {names} order")


def sanitize_in_order(
    launch: Launch, arguments: tuple[Any, ...], number: int, fresh: frozenset[int] = frozenset()
) -> Findings:
    """Trace one launch in one thread order.

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
    return Findings(launch.kernel.__name__, watcher.findings(), f"traced, {name} order")


class sanitizing:
    """Sanitize every launch from now on; also a context that ends with its block.

    Parameters
    ----------
    on : bool
        False turns it off again.
    check : bool
        Raise `FoundError` at the first launch with findings, instead of collecting them.

    Attributes
    ----------
    found : list of Findings
        One for each launch that had any.

    Examples
    --------
    >>> with sanitizing():
    ...     launch(a, b, out)
    """

    def __init__(self, on: bool = True, check: bool = True):
        self.check, self.found = check, []
        self._before = SETTINGS.instead
        SETTINGS.instead = self._launch if on else None

    def __enter__(self) -> sanitizing:
        return self

    def __exit__(self, *_: object) -> None:
        SETTINGS.instead = self._before

    def _launch(self, kernel: Kernel, launch: Launch, arguments: tuple[Any, ...]) -> None:
        kernel.last_tier, kernel.reason = "sanitized", "sanitizing is on"
        findings = sanitize(launch, *arguments)
        if findings:
            self.found.append(findings)
            if self.check:
                raise FoundError(findings)


def _order(number: int) -> tuple[str, Any]:
    fixed = (("forward", forward), ("backward", backward))
    return fixed[number] if number < len(fixed) else (f"random {number}", shuffled(number))


def _fresh(arguments: tuple[Any, ...]) -> frozenset[int]:
    return frozenset(i for i, one in enumerate(arguments) if getattr(one, "fresh", False))


def _copy(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_copy(one) for one in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def _check(launch: Any, orders: Any, tier: str) -> None:
    if not isinstance(launch, Launch):
        raise InputError(
            "Only a configured kernel can be sanitized.",
            f"a {type(launch).__name__}",
            "sanitize(kernel[blocks, threads], *arguments)",
        )
    if not isinstance(orders, int) or orders < 1:
        raise InputError("There must be at least one order.", repr(orders), "orders=2")
    if tier not in TIERS:
        raise UnknownNameError("tier", tier, TIERS)
