"""``workbench lab``: JupyterLab on the series.

It replaces this process by JupyterLab's, so that Ctrl-C reaches it directly and nothing of ours
stays behind. Jupyter's own token authentication is left on.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

_QUIET = "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"


def command(
    notebook: Annotated[
        str | None, typer.Argument(help="Notebook to open, by number or name (default: 00).")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address only.")
    ] = False,
    port: Annotated[int | None, typer.Option(help="A port of your choice (default: free).")] = None,
):
    """Open JupyterLab on the series."""
    from workbench import catalog

    series = catalog.notebook_paths()
    first = find_notebook(notebook) if notebook else next(iter(series), None)
    words = [
        sys.executable,
        "-m",
        "workbench.commands._jupyterlab",
        f"--ServerApp.root_dir={catalog.ROOT}",
    ]
    words += [f"--port={choose_port(port)}", "--ServerApp.port_retries=0", _QUIET]
    words += ["--no-browser"] if no_browser else []
    # Jupyter refuses root unless told; in a container there often is nobody else.
    words += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # not as an argument: the address that is printed must lead to the notebook, too
    page = f"/tree/{first.relative_to(catalog.ROOT).as_posix()}" if first else ""
    words += [f"--LabApp.default_url=/lab{page}"]
    # The clone's kernels/ and datasets/ must not become importable under those names.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # Jupyter's offer of news would cover the first page and needs a network: scripts/jupyter
    # turns it off, for this JupyterLab alone.
    ours = str(catalog.folder("scripts") / "jupyter")
    others = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (ours, others)))
    sys.stdout.flush()
    os.execv(words[0], words)


def find_notebook(name: str) -> Path:
    """Return the notebook of that number or name.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    """
    from workbench import catalog
    from workbench.errors import UnknownNameError

    paths = catalog.notebook_paths()
    for path in paths:
        if name in (path.stem, path.name) or path.stem.startswith(f"{name}_"):
            return path
    raise UnknownNameError("notebook", name, [path.stem for path in paths])


def choose_port(wanted: int | None) -> int:
    """Return a free port on this machine: the wanted one, or any.

    Raises
    ------
    InputError
        Where the wanted port is taken, not allowed or no port number.
    """
    from workbench.errors import InputError

    if wanted is not None and not 1 <= wanted <= 65535:
        raise InputError("That is no port number.", str(wanted), "a number from 1024 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise InputError(
                f"Port {wanted} cannot be used.",
                os.strerror(error.errno or 0),
                "leave --port out to get a free one, or stop the program that holds it",
            ) from error
        return probe.getsockname()[1]
