"""``workbench providers``: other builds of ONNX Runtime, each in an environment of its own."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    action: Annotated[str, typer.Argument(help="list, add or remove.")] = "list",
    name: Annotated[str, typer.Argument(help="cann, cuda or openvino.")] = "",
):
    """List, add or remove builds of ONNX Runtime; nothing goes into your own environment.

    Adding announces the size, then shows how much has come. Interrupted, by Ctrl-C or otherwise, it
    keeps what has come; asked again, it goes on in the middle of the file. Removing takes the
    environment away, and what was downloaded for it.
    """
    from workbench.errors import InputError, UnknownNameError
    from workbench.portability.workers import environments

    actions = {"list": _list, "add": _add, "remove": _remove}
    if action not in actions:
        raise UnknownNameError("action", action, actions)
    if action != "list" and not name:
        raise InputError(
            f"Which build should `{action}` take?", "no name", ", ".join(environments.BUILDS)
        )
    actions[action](name)


def _list(name: str) -> None:
    from workbench.portability.workers import environments, installing

    for build in environments.BUILDS.values():
        state = environments.build_availability(build.name)
        sizes = f"{build.download_mb} MB to download, {build.unpacked_mb} MB on disk"
        typer.echo(f"{build.name:10} {build.provider:28} {build.packages[0]:28} {sizes}")
        came = installing.downloaded_bytes(build.name)
        kept = f"; {came / 1e6:.1f} MB have come, `add` goes on from there" if came else ""
        typer.echo(f"{'':10} {state.reason}{kept}")
        if not state:
            typer.echo(f"{'':10} {state.remedy}")


def _add(name: str) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from workbench.portability.workers import installing

    if not (console := Console()).is_terminal:  # a log is given lines, not a bar that moves
        installing.add_build(name, say=typer.echo)
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        installing.add_build(
            name,
            say=lambda line: bar.print(line, markup=False, highlight=False),
            progress=lambda here, total: bar.update(task, completed=here, total=total),
        )


def _remove(name: str) -> None:
    from workbench.portability.workers import installing

    was_there = installing.remove(name)
    typer.echo(f"{name} is removed" if was_there else f"{name} was not installed")
