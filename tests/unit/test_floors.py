"""The stairs of the house: every module imports downward only, and neighbours ignore each other.

An addition to the house is one line in `FLOORS`. Imports inside functions count as well: laziness
is no licence to climb. The ground floor and the top one may look at their own neighbours.
"""

import ast
from pathlib import Path

import pytest

import workbench
from workbench import catalog

PACKAGE = catalog.ROOT / "workbench"
FLOORS = {
    0: {"problem", "batch", "measurement", "hardware", "catalog", "cache", "errors"}
    | {"digits", "kernels"},
    1: {"simt", "aicore"},
    2: {"torch_device", "portability"},
    3: {"targets"},
    4: {"bench"},
    5: {"widgets"},
    6: {"cli", "commands", "__main__"},
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
DOOR = "the public door"

# (importing file, room) -> why it may
ALLOWED = {
    ("targets/_shelf.py", DOOR): "it lends workbench.cuda another meaning while a file is loaded",
}


def rooms_imported(tree, package):
    """Yield (line, room) for each import of ours; `DOOR` for names that are no room."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "workbench":
                    yield node.lineno, room_of(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            parts = [*base, *(node.module.split(".") if node.module else [])]
            if parts[:1] == ["workbench"]:
                for alias in node.names:
                    yield node.lineno, room_of([*parts, alias.name])


def room_of(parts):
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else DOOR


def complaints(file, room, top):
    parts = file.relative_to(top).with_suffix("").parts
    package = ["workbench", *parts[:-1]]
    here = file.relative_to(top).as_posix()
    for line, other in rooms_imported(ast.parse(file.read_text("utf-8")), package):
        mine = FLOOR_OF[room]
        downward = other != DOOR and (FLOOR_OF[other] < mine or FLOOR_OF[other] == mine in (0, 6))
        to_itself = other == room
        from_the_top = other == DOOR and mine == 6
        if not (downward or to_itself or from_the_top or (here, other) in ALLOWED):
            yield f"{here}:{line} ({room}, floor {mine}) imports {other}"


def python_files(top):
    return sorted(path for path in Path(top).rglob("*.py") if "__pycache__" not in path.parts)


def test_every_module_is_on_a_floor():
    rooms = {path.relative_to(PACKAGE).parts[0] for path in python_files(PACKAGE)}
    unknown = {room.removesuffix(".py") for room in rooms} - set(FLOOR_OF) - {"__init__"}
    assert not unknown, f"{unknown}: say in FLOORS on which floor it stands"


@pytest.mark.parametrize("room", sorted(FLOOR_OF))
def test_a_room_imports_only_rooms_below_it(room):
    alone = PACKAGE / f"{room}.py"
    files = [alone] if alone.is_file() else python_files(PACKAGE / room)
    found = [line for file in files for line in complaints(file, room, PACKAGE)]
    assert not found, "\n".join(found)


def test_the_shelf_uses_the_ground_floor_and_the_public_door_only():
    shelf = catalog.folder("kernels")
    found = [
        f"{file.relative_to(shelf)}:{line} imports {room}"
        for file in python_files(shelf)
        for line, room in rooms_imported(ast.parse(file.read_text("utf-8")), ["workbench"])
        if room not in {DOOR, *workbench.__all__} and FLOOR_OF[room] > 0
    ]
    assert not found, "\n".join(found)


def test_permissions_that_nobody_needs_are_taken_back():
    for (here, other), reason in ALLOWED.items():
        file = PACKAGE / here
        tree = ast.parse(file.read_text("utf-8"))
        assert other in {room for _, room in rooms_imported(tree, ["workbench"])}, reason


@pytest.mark.parametrize(
    ("line", "room", "climbs"),
    [
        ("from workbench.bench import RaceSession", "targets", True),
        ("from workbench import bench", "targets", True),
        ("import workbench.widgets.race", "bench", True),
        ("from workbench.aicore import run", "simt", True),
        ("from ..portability import export", "torch_device", True),
        ("from workbench import cuda", "targets", True),
        ("def f():\n    from workbench.cli import main", "bench", True),
        ("from workbench.simt import launch", "targets", False),
        ("from workbench.errors import InputError", "simt", False),
        ("from . import _shared", "targets", False),
        ("from workbench import catalog", "bench", False),
        ("import numpy", "problem", False),
    ],
)
def test_the_stairs_see_every_way_of_writing_an_import(tmp_path, line, room, climbs):
    file = tmp_path / room / "some.py"
    file.parent.mkdir()
    file.write_text(line)
    assert bool(list(complaints(file, room, tmp_path))) == climbs
