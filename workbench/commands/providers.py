"""``workbench providers``: other builds of ONNX Runtime, each in an environment of its own."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    action: Annotated[str, typer.Argument(help="list, add or remove.")] = "list",
    name: Annotated[str, typer.Argument(help="cann, cuda or openvino.")] = "",
):
    """List, add or remove builds of ONNX Runtime; nothing goes into your own environment.

    Adding announces the size, then prints a line for each step of pip's; it shows no share of a
    download. Asked again after a break, it keeps the packages that were downloaded whole, and
    begins a download that was cut anew.
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
    actions[action](environments, name)


def _list(environments, name: str) -> None:
    for build in environments.BUILDS.values():
        state = environments.build_availability(build.name)
        typer.echo(f"{build.name:10} {build.provider:28} {build.packages[0]:28} {state.reason}")
        if not state:
            typer.echo(f"{'':10} {state.remedy}")


def _add(environments, name: str) -> None:
    environments.add_build(name, say=typer.echo)


def _remove(environments, name: str) -> None:
    was_there = environments.remove(name)
    typer.echo(f"{name} is removed" if was_there else f"{name} was not installed")
