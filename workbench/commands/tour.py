"""``workbench tour``: execute the series and write it as one page that needs nothing else.

The page holds every picture and loads nothing from anywhere, so it can be mailed, printed or put
on a course's site. A notebook that fails is shown as far as it came, and the exit code says so.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import html
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from nbformat import NotebookNode


def command(
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Numbers or names (default: the whole series).")
    ] = None,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("workbench-tour.html"),
    timeout_s: Annotated[int, typer.Option(min=1, help="Limit for one cell, in seconds.")] = 600,
):
    """Run the series without a browser and write one HTML page with the pictures in it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    from workbench import catalog
    from workbench.commands.lab import find_notebook

    chosen = [find_notebook(name) for name in notebooks or []] or catalog.notebook_paths()
    output.touch()  # better to be refused now than after ten minutes
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed()
    chapters, failed = [], []
    with Progress(*columns) as progress:
        whole = progress.add_task("the series", total=len(chosen))
        for path in chosen:
            cells = progress.add_task(path.stem, total=None)

            def advance(done: int, total: int, task=cells):
                progress.update(task, completed=done, total=total)

            book, trouble = execute(path, timeout_s, advance)
            chapters.append((path.stem, chapter(book, path.parent)))
            failed += [(path.stem, trouble)] if trouble else []
            # written after each, so that Ctrl-C leaves what there is
            output.write_text(page(chapters, [name for name, _ in failed]), encoding="utf-8")
            progress.advance(whole)
    typer.echo(f"{len(chapters)} notebooks, {output.stat().st_size / 1e6:.1f} MB: {output}")
    for name, trouble in failed:
        typer.echo(f"{name} failed: {trouble}", err=True)
    if failed:
        raise typer.Exit(1)


def execute(path: Path, timeout_s: int, advance) -> tuple[NotebookNode, str]:
    """Run a notebook in a kernel of its own and return it with what stopped it, if anything.

    Parameters
    ----------
    path : Path
        The notebook; it is not changed.
    timeout_s : int
        Limit for one cell, in seconds.
    advance : callable
        ``advance(done, total)`` is called after each cell.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    client = NotebookClient(
        book,
        timeout=timeout_s,
        extra_arguments=["--log-level=ERROR"],  # no word about the loopback's lack of encryption
        store_widget_state=False,  # it would make the page ask a server for its viewer
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_complete=lambda cell, cell_index: advance(cell_index + 1, len(book.cells)),
    )
    try:
        _run(client)
    except CellExecutionError as error:
        return book, f"{error.ename}: {error.evalue}".splitlines()[0]
    except (CellTimeoutError, DeadKernelError) as error:
        return book, str(error).strip().splitlines()[0]
    advance(len(book.cells), len(book.cells))  # the text after the last code cell counts as well
    return book, ""


def _run(client: NotebookClient) -> None:
    """Execute in a thread, so that Ctrl-C is ours: nbclient's own handling ends in a traceback."""
    raised: list[Exception] = []

    def work() -> None:
        try:
            asyncio.run(client.async_execute())
        except Exception as error:
            raised.append(error)
        finally:
            ended.set()

    # Not Thread.join: Python 3.11 takes a thread for ended whose join Ctrl-C interrupted
    # (https://github.com/python/cpython/issues/90882).
    ended = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    try:
        while not ended.wait(0.1):
            pass
    except KeyboardInterrupt:
        while not ended.is_set():  # it notices a dead kernel by itself; one may be starting still
            group = getattr(getattr(client.km, "provisioner", None), "pgid", None)
            if group:
                with contextlib.suppress(ProcessLookupError):  # gone already, as it should be
                    os.killpg(group, signal.SIGKILL)
            ended.wait(0.1)
        atexit.unregister(client._cleanup_kernel)  # there is none left to clean up
        raise
    if raised:
        raise raised[0]


def chapter(book: NotebookNode, folder: Path) -> str:
    """Return a notebook's cells as HTML, without a page around them.

    Parameters
    ----------
    book : NotebookNode
    folder : Path
        Where the pictures that its text names are to be found.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    # Static pictures before widgets: no kernel runs where the page is read.
    config.NbConvertBase.display_data_priority = [
        *("text/html", "image/svg+xml", "image/png", "image/jpeg"),
        *("text/markdown", "text/latex", "text/plain"),
    ]
    exporter = HTMLExporter(template_name="basic", embed_images=True, config=config)
    return exporter.from_notebook_node(book, {"metadata": {"path": str(folder)}})[0]


def page(chapters: list[tuple[str, str]], failed: list[str]) -> str:
    """Return the whole page: contents, chapters and the style they need."""
    from pygments.formatters import HtmlFormatter

    contents = "".join(
        f'<li><a href="#{html.escape(name, True)}">{html.escape(title(name))}</a>'
        f"{' (failed)' if name in failed else ''}</li>"
        for name, _ in chapters
    )
    bodies = "".join(
        f'<section id="{html.escape(name, True)}">{body}</section>' for name, body in chapters
    )
    code = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>The Accelerator Workbench, a tour</title><style>{_STYLE}{code}</style></head>"
        f"<body><h1>The Accelerator Workbench</h1><nav><ol>{contents}</ol></nav>{bodies}</body>"
        "</html>"
    )


def title(name: str) -> str:
    """Return a notebook's file name as words: ``00_see_the_path`` is ``00 See the path``."""
    number, _, words = name.partition("_")
    return f"{number} {words.replace('_', ' ').capitalize()}"


_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 2px solid #0072B2; margin-top: 3rem; }
pre { overflow-x: auto; padding: .5rem; background: #f6f6f6; font-size: 14px; }
.output_area pre, .jp-OutputArea pre { background: none; }
table { border-collapse: collapse; } th, td { padding: .2rem .6rem; text-align: left; }
tr { border-bottom: 1px solid #ddd; }
svg, img { max-width: 100%; height: auto; }
.prompt, .jp-InputPrompt, .jp-OutputPrompt, .anchor-link { display: none; }
"""
