"""The command line: ``workbench <command>``, for people who are not in a notebook.

A command is a file in ``workbench/commands/``; its name is the file's name, its help is the
docstring of its ``command`` function, and it is imported when it is asked for, so that
``workbench --help`` answers at once. Errors are printed as what happened, what we saw and what to
try, without a traceback: exit code 2 where the input was wrong, 130 after Ctrl-C, 1 otherwise.
``WORKBENCH_TRACEBACK=1`` shows the traceback to those who look for a fault in the workbench.

It refuses to hold any logic of its own: commands compose what the floors below offer.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands._interrupts import deliver_inside
from workbench.commands._screen import plain

if TYPE_CHECKING:
    import typer

_COMMANDS = Path(__file__).with_name("commands")
_EXIT_STOPPED = 128 + signal.SIGINT
_NOBODYS = (signal.SIG_DFL, signal.default_int_handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process by default.
    """
    if arguments is None and signal.getsignal(signal.SIGINT) in _NOBODYS:
        deliver_inside(_run)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return _EXIT_STOPPED
    except BrokenPipeError:  # the reader of our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("WORKBENCH_TRACEBACK"):
            raise
        return _report(error)
    finally:
        if arguments is None:  # the process is about to end: a second Ctrl-C is too late to matter
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(arguments: list[str] | None) -> int:
    try:
        code = _application().main(arguments, prog_name="workbench", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except Exception as error:
        usage: Any = error
        if not hasattr(usage, "exit_code"):
            raise
        usage.show()
        code = usage.exit_code
    if code == _EXIT_STOPPED:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt
    if code is None or isinstance(code, int):
        return code or 0
    print(plain(code), file=sys.stderr)
    return 1


def command_names() -> list[str]:
    """Return the names of the commands: the files in ``workbench/commands``."""
    return sorted(path.stem for path in _COMMANDS.glob("[!_]*.py"))


def _application() -> Any:
    import typer
    from typer.core import TyperGroup

    from workbench.errors import UnknownNameError

    class Commands(TyperGroup):
        def list_commands(self, ctx: typer.Context) -> list[str]:
            return command_names()

        def get_command(self, ctx: typer.Context, cmd_name: str):
            if cmd_name not in command_names():
                raise UnknownNameError("command", cmd_name, command_names())
            alone = typer.Typer(add_completion=False)
            module = import_module(f"workbench.commands.{cmd_name}")
            alone.command(cmd_name)(module.command)
            return typer.main.get_command(alone)

    application = typer.Typer(
        cls=Commands, add_completion=False, no_args_is_help=True, rich_markup_mode=None
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"workbench {version('accelerator-workbench')}")
            raise typer.Exit

    @application.callback(
        epilog="Environment: WORKBENCH_CACHE, the folder of what is compiled or installed later "
        "(else ~/.cache/accelerator-workbench); WORKBENCH_STORE, the file of what was measured."
    )
    def workbench(
        _version: bool = typer.Option(
            False, "--version", callback=show_version, is_eager=True, help="Show the version."
        ),
    ):
        """Learn how accelerators are really programmed, with no accelerator."""

    return typer.main.get_command(application)


def _report(error: Exception) -> int:
    """Print an error in three parts and return the exit code that belongs to it."""
    from workbench.errors import InputError, WorkbenchError

    if isinstance(error, WorkbenchError):
        parts = error.happened, error.saw, error.advice
    elif isinstance(error, OSError):
        parts = (
            "The operating system refused.",
            f"{error.strerror or type(error).__name__}: {error.filename or error}",
            "look at the permissions, the free space and whether the place exists",
        )
    else:
        parts = (
            "The workbench itself failed; this is a fault in it, not in your input.",
            f"{type(error).__name__}: {error}",
            "run it again with WORKBENCH_TRACEBACK=1 and report what it prints",
        )
    for label, part in zip(("Error", " Seen", "  Try"), parts, strict=True):
        if part:
            print(f"{label}: {plain(part)}", file=sys.stderr)
    return 2 if isinstance(error, InputError) else 1
