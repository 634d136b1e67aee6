"""What the pairs of the sanitizer corpus have in common.

A pair is a kernel with one fault and its repaired twin. The faulty one has comments ``# fault`` on
the lines that the finding must name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from workbench.simt.sanitizer import Severity, sanitize_in_order

ORDERS = 4  # forward, backward and two random ones


@dataclass(frozen=True)
class Pair:
    """A faulty kernel and its twin.

    Attributes
    ----------
    kind : str
        What must be found in the faulty one.
    faulty, repaired : kernel
    configuration : tuple
        Grid, block and so on.
    arguments : callable
        Makes fresh arguments, the same for both.
    """

    kind: str
    faulty: Any
    repaired: Any
    configuration: tuple
    arguments: Callable[[], tuple]
    repaired_arguments: Callable[[], tuple] | None = None
    severity: str = Severity.ERROR
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.faulty.__name__


def marked_lines(kernel: Any) -> set[int]:
    """Return the lines of a kernel, and of functions it is defined beside, marked as its fault."""
    lines, first = inspect.getsourcelines(kernel.py_func)
    return {first + place for place, text in enumerate(lines) if "# fault" in text}


def _check_faulty(pair: Pair, number: int) -> None:
    launch = pair.faulty[pair.configuration]
    found = sanitize_in_order(launch, pair.arguments(), number)
    right = [one for one in found if one.kind == pair.kind]
    assert right, f"no {pair.kind} among: {found}"
    assert {one.severity for one in found} >= {pair.severity}
    marked = marked_lines(pair.faulty)
    for one in right:
        assert set(one.lines) - {0} <= marked, f"{one.lines} are not the marked {marked}: {one}"
        assert str(one.kind) in one.message
        assert all(party.name in one.message for party in one.threads)
        assert one.cure


def _check_repaired(pair: Pair, number: int) -> None:
    make = pair.repaired_arguments or pair.arguments
    found = sanitize_in_order(pair.repaired[pair.configuration], make(), number)
    assert not found, f"a false alarm: {found}"


@pytest.fixture(params=range(ORDERS), ids=["forward", "backward", "random2", "random3"])
def order(request: pytest.FixtureRequest) -> int:
    """The thread order to run in."""
    return request.param


@pytest.fixture
def check_faulty(order: int) -> Callable[[Pair], None]:
    """Check that the fault is found, named, and placed on the marked lines."""
    return lambda pair: _check_faulty(pair, order)


@pytest.fixture
def check_repaired(order: int) -> Callable[[Pair], None]:
    """Check that the twin raises no alarm."""
    return lambda pair: _check_repaired(pair, order)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hand every pair of the module to the tests that ask for one."""
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", [Pair(*row) for row in metafunc.module.PAIRS], ids=str)
