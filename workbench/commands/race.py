"""``workbench race <problem>``: a live table of one problem on every target in reach.

Measured lanes stand in one table, modelled ones in a table of their own, and the two are never
ranked against each other. Ctrl-C ends the race and keeps what was measured.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands._screen import console, plain, words

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from workbench.bench import RaceSession
    from workbench.bench.records import Run
    from workbench.problem import Problem

_MODELLED = "modelled: predictions, not to be ranked with measurements"
_REFRESH_PER_S = 4
_UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def command(
    problem: Annotated[str, typer.Argument(help="A problem of the shelf; see `kernels/`.")],
    size: Annotated[
        int | None, typer.Option(help="Problem size (default: the problem's own).")
    ] = None,
    batch: Annotated[int, typer.Option(help="Independent instances in one call.")] = 1,
    targets: Annotated[
        str | None,
        typer.Option(help="Comma-separated addresses, such as numpy,simt/cuda_1_naive."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Measuring time.")] = 10.0,
    threads: Annotated[int, typer.Option(help="Threads that each library may use.")] = 1,
    record: Annotated[
        Path | None, typer.Option(help="Write the run into this .json or .parquet.")
    ] = None,
    save: Annotated[bool, typer.Option(help="Keep the run; see `workbench results`.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final state as JSON.")] = False,
):
    """Race one problem on every target in reach, live."""
    from workbench import catalog
    from workbench.bench import RaceSession, recording
    from workbench.errors import InputError

    if not 0 < seconds < float("inf"):
        raise InputError(
            "That is no time to measure.", f"--seconds {seconds}", "a number above zero"
        )
    if record is not None:
        recording.require_place(record)
    chosen = catalog.load_problem(problem)
    lanes, left_out = _lanes(chosen, targets)
    chosen.inputs(chosen.test_sizes[0], 0)  # a data file that is missing is found before the race
    session = RaceSession(
        problem,
        lanes,
        size=size,
        batch=batch,
        seconds=seconds,
        baseline=_baseline(lanes),
        threads=threads,
        store="user" if save else None,
    )
    stopped = _run(session, show=not as_json)
    _finish(session, left_out, as_json)
    if record is not None:
        _record(session.run, record)
    if stopped:
        raise KeyboardInterrupt
    if any(record.error or not len(record.samples_ns) for record in session.records()):
        raise typer.Exit(1)


def _lanes(problem: Problem, named: str | None) -> tuple[list[str], list[tuple[str, Any]]]:
    """Return the addresses that race, and those that cannot, with the answer that says why.

    A target that was named and cannot run is an error; one that nobody named is left out.
    """
    from workbench import targets
    from workbench.errors import UnavailableError

    if named is not None:
        asked = [targets.find(address.strip()) for address in named.split(",")]
    else:
        asked = targets.everything()
    able, unable = [], []
    for target in asked:
        answer = target.probe()
        answer = target.supports(problem) if answer else answer
        if answer:
            able.append(target.address)
        else:
            unable.append((target.address, answer))
    if unable and (named is not None or not able):
        address, answer = unable[0]
        raise UnavailableError(
            f"{problem.name} cannot run on {address}.", answer.reason, answer.remedy
        )
    return able, unable


def _baseline(lanes: list[str]) -> str:
    """Return what the others are compared with: NumPy if it races, else the first measured one."""
    from workbench import targets
    from workbench.measurement import Provenance

    measured = [one for one in lanes if targets.find(one).provenance is Provenance.MEASURED]
    return "numpy" if "numpy" in lanes else (measured or lanes)[0]


def _run(session: RaceSession, show: bool) -> bool:
    """Show the race until it ends; return whether Ctrl-C ended it."""
    from rich.live import Live

    screen = console()
    quiet = not (show and screen.is_terminal)
    try:
        session.start()
        with Live(console=screen, refresh_per_second=_REFRESH_PER_S, transient=True) as live:
            began = None
            while not session.done:
                if session.run.state == "racing":
                    began = began or time.monotonic()
                if not quiet:
                    left = session.run.seconds - (time.monotonic() - began) if began else None
                    live.update(_picture(session, left))
                session.join(1 / _REFRESH_PER_S)
    except KeyboardInterrupt:
        return True
    finally:
        session.stop()
        session.join(5)
    return False


def _finish(session: RaceSession, left_out: list, as_json: bool) -> None:
    if as_json:
        state = session.summary()
        state["left_out"] = {name: vars(answer) for name, answer in left_out}
        typer.echo(json.dumps(state))
        return
    screen = console()
    screen.print(_picture(session, None))
    if not any(len(record.samples_ns) for record in session.records()):
        screen.print(words(f"Nothing was measured: {session.run.reason}", "red"))
    for name, answer in left_out:
        screen.print(words(f"not in the race: {name}: {answer.reason}", "dim"))


def _record(run: Run, path: Path) -> None:
    """Write the run as a recording; the words go beside what `--json` prints, not into it."""
    from workbench.bench import recording

    recording.write([run], path)
    said = f"{len(run.lanes)} lanes recorded in {path}: Replay({str(path)!r}) plays them"
    typer.echo(plain(said), err=True)


def _picture(session: RaceSession, left_s: float | None) -> Group:
    """Return the race as it stands: a sentence, tables by provenance, and what went wrong."""
    from rich.console import Group

    state = session.summary()
    head = f"{state['problem']}, {state['size']:,} {state['size_means']}"
    head += f", {max(0.0, left_s):.0f} s left" if left_s is not None else ""
    parts: list[Any] = [words(head, "bold"), words(state["sentence"])]
    said = (state["waiting"], state["trouble"], *state["warnings"])
    parts += [words(one, "yellow") for one in said if one]
    modelled = [lane for lane in state["lanes"] if lane["provenance"] == "modelled"]
    clocked = [lane for lane in state["lanes"] if lane["provenance"] != "modelled"]
    parts += [_table(clocked, state["baseline"])] if clocked else []
    parts += [_modelled_table(modelled)] if modelled else []
    for lane in state["lanes"]:
        parts += [words(f"{lane['label']}: {note}", "dim") for note in lane["notes"]]
        if lane["error"]:
            parts.append(_trouble(lane["label"], lane["error"]))
    return Group(*parts)


def _table(lanes: list[dict], baseline: str) -> Table:
    """Return the lanes that a clock timed, fastest first."""
    table = _empty("numbers", "calls", "first", "p50", "p95", "max error", f"than {baseline}")
    for lane in _fastest_first(lanes):
        table.add_row(
            words(lane["label"], "red" if lane["error"] else ""),
            words(lane["provenance"] if lane["count"] else "–"),
            f"{lane['count']:,}",
            _duration(lane["first_call_ns"]),
            _duration(lane.get("p50")),
            _duration(lane.get("p95")),
            _error_size(lane["max_abs_error"]),
            words(_against(lane)),
        )
    return table


def _modelled_table(lanes: list[dict]) -> Table:
    """Return the predicted lanes, with the model and its stated error; no clock timed them."""
    table = _empty("numbers", "p50", "max error", "model", "which is off by", title=_MODELLED)
    for lane in _fastest_first(lanes):
        table.add_row(
            words(lane["label"], "red" if lane["error"] else ""),
            words(lane["provenance"]),
            _duration(lane.get("p50")),
            _error_size(lane["max_abs_error"]),
            words(lane["model"]),
            words(lane["stated_error"]),
        )
    return table


def _empty(*columns: str, title: str | None = None) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("target")
    for column in columns:
        words_follow = column.startswith(("model", "which"))
        table.add_column(plain(column), justify="left" if words_follow else "right")
    return table


def _fastest_first(lanes: list[dict]) -> list[dict]:
    return sorted(lanes, key=lambda lane: lane.get("p50", float("inf")))


def _against(lane: dict) -> str:
    """Say how the lane compares with the baseline, always by a factor above 1."""
    if "verdict" not in lane:
        return ""
    ends = lane["low"], lane["high"]
    slower = lane["verdict"] == "slower"
    low, high = sorted(1 / end for end in ends) if slower else ends
    factor = 1 / lane["speedup"] if slower else lane["speedup"]
    low, high, factor = (f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in (low, high, factor))
    return f"{lane['verdict']} {factor}x ({low} to {high})"


def _duration(ns: float | None) -> str:
    if ns is None:
        return ""
    unit, scale = next((pair for pair in _UNITS if ns >= pair[1]), _UNITS[-1])
    return f"{ns / scale:.3g} {unit}"


def _error_size(value: float | None) -> str:
    return "not checked" if value is None else f"{value:.1e}"


def _trouble(label: str, error: dict) -> Any:
    text = words(f"{label} left the race: {error['kind']}: {error['happened']}", "red")
    for name, part in (("Seen", error["saw"]), ("Try", error["advice"])):
        text += words(f"\n  {name}: {part}") if part else words("")
    return text
