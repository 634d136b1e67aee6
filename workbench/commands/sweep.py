"""``workbench sweep``: problems over sizes and targets, resumable, with progress.

Every cell is kept while it is measured. Ctrl-C stops the walk; the same command goes on with it.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.commands._screen import console, words

if TYPE_CHECKING:
    from workbench.bench.sweep import Sweep


def command(
    problems: Annotated[list[str], typer.Argument(help="Problems of the shelf.")],
    name: Annotated[str, typer.Option(help="Under which it is kept, and resumed.")] = "sweep",
    targets: Annotated[
        str | None, typer.Option(help="Comma-separated addresses (default: every usable one).")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(help="Comma-separated sizes (default: five around the usual).")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Measuring time for each cell.")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print events, one on a line.")] = False,
):
    """Measure problems over sizes and targets; run it again to resume."""
    from workbench.bench.sweep import Sweep

    sweep = Sweep(
        name,
        problems,
        [one.strip() for one in targets.split(",")] if targets else None,
        sizes=_numbers(sizes) if sizes else None,
        seconds=seconds,
    )
    if as_json:
        sweep.subscribe(_print_event)
    else:
        sweep.subscribe(Screen())
    failed = []
    sweep.subscribe(lambda event: failed.append(event) if event["event"] == "failed" else None)
    if _follow(sweep):
        console().print(words(f"Stopped. The same command goes on with {name!r}.", "yellow"))
        raise KeyboardInterrupt
    if failed:
        raise typer.Exit(1)


def _follow(sweep: Sweep) -> bool:
    """Run the sweep in its thread until it ends; return whether Ctrl-C ended it."""
    try:
        sweep.start()
        while not sweep.done:
            sweep.join(0.2)
    except KeyboardInterrupt:
        sweep.stop()
        sweep.join(10)
        return True
    return False


class Screen:
    """Says each event in a line; progress inside a cell only where it changes."""

    def __init__(self):
        self.screen, self.lock = console(), threading.Lock()

    def __call__(self, event: dict[str, Any]) -> None:
        """Print one event."""
        text = self._text(event)
        if text:
            with self.lock:
                self.screen.print(words(text))

    def _text(self, event: dict[str, Any]) -> str:
        kind = event["event"]
        if kind in ("finished", "stopped"):
            cells = "1 cell" if event["cells"] == 1 else f"{event['cells']} cells"
            return f"{kind}: {cells}. See `workbench results`."
        where = f"[{event['cell'] + 1}/{event['cells']}] {event['problem']} at {event['size']:,}"
        if kind == "measured":
            calls = sum(lane["count"] for lane in event["lanes"])
            failed = [lane["label"] for lane in event["lanes"] if lane["error"]]
            rest = f"; failed: {', '.join(failed)}" if failed else ""
            rest += f"; {event['trouble']}" if event["trouble"] else ""
            return f"{where}: {calls:,} calls, run {event['run'][:8]}{rest}"
        return {
            "skipped": f"{where}: complete, skipped",
            "started": f"{where}: measuring",
            "left out": f"{where}: without {event.get('target')}: {event.get('reason')}",
            "failed": f"{where}: {event.get('error')}",
        }.get(kind, "")


def _print_event(event: dict[str, Any]) -> None:
    if event["event"] != "progress":
        typer.echo(json.dumps(event))


def _numbers(text: str) -> list[int]:
    from workbench.errors import InputError

    try:
        return [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError as error:
        raise InputError("Those are no sizes.", text, "--sizes 1000,10000") from error
