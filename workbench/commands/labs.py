"""``workbench labs``: make an nbgrader course from the labs of the series.

One source (``notebooks/labs/source/*.py``) gives three builds: what students get, what they may
see afterwards (the solution without the hidden tests), and what the teacher keeps. The solutions
are public, as the whole project is: a teacher who grades for marks changes the numbers.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nbformat import NotebookNode

_HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def command(
    folder: Annotated[Path, typer.Argument(help="A new or an earlier course folder.")],
):
    """Make an nbgrader course from the labs: student, solution and teacher builds."""
    made = build_course(folder)
    for name in made:
        typer.echo(f"{name}: {folder}/release (students), solution, source (teacher)")
    typer.echo(
        f"\nCollect what students hand in as {folder}/submitted/<student>/<lab>/<lab>.ipynb,"
        " then:\n"
        f"  cd {folder}\n"
        "  nbgrader autograde <lab>\n"
        "  nbgrader generate_feedback <lab>\n"
        "  nbgrader export            # grades.csv, for your learning platform"
    )


def lab_sources() -> dict[str, Path]:
    """Return the labs' text sources by name."""
    from workbench import catalog

    return {p.stem: p for p in sorted(catalog.folder("notebooks").glob("labs/source/*.py"))}


def build_course(folder: Path) -> list[str]:
    """Write the course folder and return the names of its labs.

    Parameters
    ----------
    folder : Path
        Holds ``source/``, ``release/``, ``solution/`` and ``nbgrader_config.py`` afterwards;
        ``submitted/`` and the gradebook, where there are any, are left as they are.

    Raises
    ------
    UnavailableError
        Without nbgrader (the ``classroom`` extra).
    ExecutionError
        Where nbgrader could not make the release, with what it said.
    """
    import nbformat

    jupytext = _needs_classroom()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(_CONFIG)
    for name, source in lab_sources().items():
        book = jupytext.read(source)
        book.metadata.pop("jupytext", None)
        for index, cell in enumerate(book.cells):
            grade = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.id = grade or f"text-{index}"  # stable: the release is compared with the source
        for build, made in (("source", book), ("solution", without_hidden_tests(book))):
            place = folder / build / name
            place.mkdir(parents=True, exist_ok=True)
            nbformat.write(made, place / f"{name}.ipynb")
        _release(folder, name)
    return list(lab_sources())


def without_hidden_tests(book: NotebookNode) -> NotebookNode:
    """Return a copy of a lab that shows the solutions but not the hidden tests."""
    import copy

    shown = copy.deepcopy(book)
    for cell in shown.cells:
        kept, hidden = [], False
        for line in cell.source.split("\n"):
            if line.strip() in _HIDDEN:
                hidden = line.strip() == _HIDDEN[0]
            elif not hidden:
                kept.append(line)
        cell.source = "\n".join(kept)
    return shown


def grader(folder: Path) -> Any:
    """Return nbgrader's programming interface for a course folder."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    # nbgrader looks for alembic's script on the path, also where the environment is not activated
    scripts = str(Path(sys.executable).parent)
    if scripts not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = scripts + os.pathsep + os.environ["PATH"]
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.ClearSolutions.code_stub = {"python": _BLANK}
    config.ExecutePreprocessor.timeout = 300
    api = NbGraderAPI(config=config)
    api.log_level = logging.ERROR
    return api


_BLANK = 'raise NotImplementedError("YOUR CODE HERE")'

_CONFIG = f"""\
# Made by `workbench labs`; change it as you like, it is written anew only with the course.
c = get_config()
c.CourseDirectory.course_id = "accelerator-workbench"
c.ClearSolutions.code_stub = {{"python": {_BLANK!r}}}
c.ExecutePreprocessor.timeout = 300
"""


def _release(folder: Path, name: str) -> None:
    from workbench.errors import ExecutionError

    done = grader(folder).generate_assignment(name, force=True, create=True)
    if not done["success"]:
        raise ExecutionError(
            f"nbgrader could not make the release of {name}.",
            str(done.get("error") or done.get("log"))[-1500:],
            "look at the cells' nbgrader metadata in notebooks/labs/source",
        )


def _needs_classroom() -> Any:
    from workbench.errors import UnavailableError

    try:
        import jupytext
        import nbgrader  # noqa: F401
    except ImportError as error:
        raise UnavailableError(
            "The labs are made with nbgrader, which is not installed.",
            str(error),
            "pip install --editable '.[classroom]'",
        ) from error
    return jupytext
