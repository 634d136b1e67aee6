"""``workbench targets``: the places where work can run, usable or why not."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from workbench.commands._screen import console, words


def command(
    explain: Annotated[
        bool, typer.Option("--explain", help="What each place is, and what to do to get it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
):
    """List the places where work can run, usable or why not."""
    from workbench import targets

    found = [(target, target.probe()) for target in targets.everything()]
    if as_json:
        for target, answer in found:
            row = {"name": target.name, "summary": target.summary, "usable": answer.usable}
            row |= {"provenance": target.provenance, "reason": answer.reason}
            typer.echo(json.dumps(row | {"remedy": answer.remedy}))
        return
    _show(found, explain)


def _show(found: list, explain: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("target", "usable", "numbers", "found, or why not"):
        table.add_column(title, overflow="fold")
    for target, answer in found:
        said = words(answer.reason)
        if explain:
            said = words(f"{target.summary}\n") + words(answer.reason, "dim")
            said += words(f"\nTry: {answer.remedy}" if answer.remedy else "")
        mark = words("yes", "green") if answer else words("no", "red")
        table.add_row(target.name, mark, str(target.provenance), said)
    screen = console()
    screen.print(table)
    usable = sum(bool(answer) for _, answer in found)
    hint = "" if explain else "; workbench targets --explain says what to do"
    screen.print(f"\n{usable} of {len(found)} can be used here{hint}")
