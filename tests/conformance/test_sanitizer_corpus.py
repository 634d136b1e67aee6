"""The sanitizer's corpus: each fault is found and placed, and no twin raises an alarm.

A pair is a kernel with one fault and its repaired twin. The faulty one has comments ``# fault`` on
the lines that the finding must name.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.simt.sanitizer import Severity, sanitize, sanitize_in_order

ORDERS = ["forward", "backward", "random2", "random3"]
CORPUS = Path(__file__).parent / "sanitizer_corpus"


def _package(folder: Path) -> Any:
    """Load a folder beside the tests as a package: its modules import what they share."""
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = sys.modules[folder.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


_package(CORPUS)
FAMILIES = {
    path.stem: importlib.import_module(f"{CORPUS.name}.{path.stem}")
    for path in sorted(CORPUS.glob("[!_]*.py"))
}


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


PAIRS = [
    pytest.param(Pair(*row), id=f"{family}-{Pair(*row)}")
    for family, module in FAMILIES.items()
    for row in getattr(module, "PAIRS", ())
]
each_pair = pytest.mark.parametrize("pair", PAIRS)
each_order = pytest.mark.parametrize("number", range(len(ORDERS)), ids=ORDERS)


@each_order
@each_pair
def test_the_fault_is_found_in_every_order(pair: Pair, number: int):
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


@each_order
@each_pair
def test_the_twin_is_silent_in_every_order(pair: Pair, number: int):
    make = pair.repaired_arguments or pair.arguments
    found = sanitize_in_order(pair.repaired[pair.configuration], make(), number)
    assert not found, f"a false alarm: {found}"


def test_a_race_inside_a_device_function_names_its_line():
    races = FAMILIES["shared_races"]
    (found,) = sanitize(races.device_function_reads_too_early[1, races.N], *races.vector())
    assert found.kind == "race"
    assert "s[(t + 1) % N]" in found.first.text + found.second.text
    assert not sanitize(races.device_function_waits[1, races.N], *races.vector())


def test_the_cure_of_a_plain_increment_is_an_atomic():
    races = FAMILIES["shared_races"]
    found = sanitize(races.histogram_with_plain_increment[1, races.N], *races.vector())
    assert "cuda.atomic" in found[0].cure
