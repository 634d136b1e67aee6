"""``workbench results``: what was measured and kept; list, look, compare, draw, export, import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands._screen import console, words

if TYPE_CHECKING:
    from workbench.bench.records import Run
    from workbench.bench.store import Store

_BAR = 44
# column -> whether it keeps to one line
_COLUMNS = {
    "run": True, "when": True, "work": False, "lanes": False, "obtained": True, "ended": False,
}  # fmt: skip


def command(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs, by the beginning of their names.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare two runs of the same work.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a run into this SVG file.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write runs (all by default) to .json or .parquet.")
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option("--import", help="Take in somebody's recording (.json or .parquet)."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove these runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
):
    """List, compare, draw, export and import what was measured."""
    from workbench.bench.store import Store

    store, named = Store(), runs or []
    if import_ is not None:
        _import(store, import_)
    elif export is not None:
        _export(store, named or store.uuids(), export)
    elif compare:
        _compare(store, named, as_json)
    elif delete:
        for run in _needed(named):
            store.delete(run)
    elif plot is not None:
        _plot(store, named, plot)
    elif named:
        for run in named:
            _show(store.load(run), as_json)
    else:
        _list(store, as_json)


def _needed(named: list[str]) -> list[str]:
    from workbench.errors import InputError

    if not named:
        raise InputError("No run is named.", "", "`workbench results` lists them")
    return named


def _list(store: Store, as_json: bool) -> None:
    from rich.table import Table

    from workbench.errors import DataFileError

    found, damaged = [], []
    for uuid in store.uuids():
        try:
            found.append(store.load(uuid, samples=False))
        except DataFileError as error:
            damaged.append(error)
    for error in damaged:
        typer.echo(str(error), err=True)
    if as_json:
        for run in found:
            typer.echo(json.dumps(run.facts()))
        return
    if not (found or damaged):
        console().print(words(f"Nothing is kept yet in {store.path}."))
    for machine in dict.fromkeys(run.machine for run in found):
        table = Table(box=None, pad_edge=False)
        for title, alone in _COLUMNS.items():
            table.add_column(title, no_wrap=alone)
        for run in found:
            if run.machine == machine:
                table.add_row(*(words(text) for text in _row(run)))
        console().print(words(machine, "dim"), table)


def _row(run: Run) -> tuple[str, ...]:
    """Return what the list says of a run, under `_COLUMNS`."""
    lanes = [label for label, lane in run.lanes.items() if not lane.control_of]
    kinds = {str(run.provenance_of(run.lanes[label])) for label in lanes}
    when = run.started_at[:16].replace("T", " ")
    work = f"{run.problem} {run.size:,}" + (f" x {run.batch}" if run.batch > 1 else "")
    return run.uuid[:8], when, work, ", ".join(lanes), ", ".join(kinds), run.reason or "cut short"


def _show(run: Run, as_json: bool) -> None:
    """Print one run: a bar from p5 to p95 for each lane, and the comparison in words."""
    from workbench.bench.summary import summarise

    state = summarise(run)
    if as_json:
        typer.echo(json.dumps(state))
        return
    screen = console()
    head = f"{run.problem}, {run.size:,} {run.size_means}, batch {run.batch}, {run.cache} cache"
    screen.print(words(f"{head}; {run.started_at}", "bold"))
    screen.print(words(run.machine, "dim"))
    screen.print(words(state["sentence"]))
    for warning in state["warnings"]:
        screen.print(words(warning, "yellow"))
    shown = [lane for lane in state["lanes"] if "p50" in lane]
    low = min((lane["p5"] for lane in shown), default=1.0)
    high = max((lane["p95"] for lane in shown), default=1.0)
    width = max((len(lane["label"]) for lane in shown), default=0)
    for lane in shown:
        bar = _bar(lane, low, high)
        text = f"{lane['label']:<{width}} {bar} {lane['p50'] / 1e3:>12,.1f} µs {lane['provenance']}"
        screen.print(words(f"{text} {lane.get('verdict', '')}"), soft_wrap=True)
    for lane in state["lanes"]:
        if lane["error"]:
            error = lane["error"]
            screen.print(words(f"{lane['label']}: {error['happened']} {error['saw']}", "red"))


def _bar(lane: dict[str, Any], low: float, high: float) -> str:
    from math import log

    span = log(max(high / low, 1.0001))
    at = [round((_BAR - 1) * log(lane[key] / low) / span) for key in ("p5", "p50", "p95")]
    cells = ["─" if at[0] <= place <= at[2] else " " for place in range(_BAR)]
    cells[at[1]] = "┃"
    return "".join(cells)


def _compare(store: Store, named: list[str], as_json: bool) -> None:
    from workbench.bench import against
    from workbench.errors import InputError

    if len(named) != 2:
        raise InputError("Two runs can be compared.", f"{len(named)} named", "name two runs")
    first, second = (store.load(name) for name in named)
    found = against.runs(first, second)
    if as_json:
        typer.echo(json.dumps({label: vars(one) for label, one in found.items()}))
        return
    for label, one in found.items():
        console().print(
            words(
                f"{label}: the second run is {one.verdict}: {one.speedup:.3f}x "
                f"({one.low:.3f} to {one.high:.3f}); differences under {one.threshold:.1%} are "
                "noise between runs"
            )
        )


def _plot(store: Store, named: list[str], path: Path) -> None:
    from workbench.bench import recording
    from workbench.bench.summary import summarise
    from workbench.errors import InputError
    from workbench.widgets import _race_picture

    if path.suffix != ".svg":
        raise InputError("A picture is SVG.", str(path), "name it .svg")
    if len(_needed(named)) > 1:
        raise InputError("One run is drawn.", f"{len(named)} named", "draw them one by one")
    run = store.load(named[0])
    picture = _race_picture.draw(summarise(run))
    with recording.writing(path):
        path.write_text(picture, encoding="utf-8")
    console().print(words(f"run {run.uuid[:8]} in {path}"))


def _export(store: Store, uuids: list[str], path: Path) -> None:
    from workbench.bench import recording

    found = [store.load(uuid) for uuid in uuids]
    recording.write(found, path)
    console().print(words(f"{len(found)} {'run' if len(found) == 1 else 'runs'} in {path}"))


def _import(store: Store, path: Path) -> None:
    from workbench.bench import recording

    here = set(store.uuids())
    for run in recording.read(path):
        if run.uuid in here:
            console().print(words(f"{run.uuid[:8]}: is here already, left as it is"))
            continue
        store.save(run)
        console().print(words(f"{run.uuid[:8]}: {run.problem}, recorded on {run.machine}"))
