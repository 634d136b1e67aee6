"""``workbench labs``: make an nbgrader course from the labs of the series.

One source (``notebooks/labs/source/*.py``) gives three builds: what students get, what they may
see afterwards (the solution without the hidden tests), and what the teacher keeps. The solutions
are public, as the whole project is: a teacher who grades for marks changes the numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nbformat import NotebookNode

_HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def command(
    folder: Annotated[Path, typer.Argument(help="A new or an earlier course folder.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite labs and settings that you changed.")
    ] = False,
):
    """Make an nbgrader course from the labs: student, solution and teacher builds."""
    made = build_course(folder, replace)
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


def build_course(folder: Path, replace: bool = False) -> list[str]:
    """Write the course folder and return the names of its labs.

    Parameters
    ----------
    folder : Path
        Holds ``source/``, ``release/``, ``solution/`` and ``nbgrader_config.py`` afterwards;
        ``submitted/`` and the gradebook, where there are any, are left as they are.
    replace : bool
        Whether a lab or settings of other contents, such as a teacher's own numbers, are
        overwritten.

    Raises
    ------
    InputError
        Where they would be and `replace` is not given; nothing is written then.
    UnavailableError
        Without nbgrader (the ``classroom`` extra).
    ExecutionError
        Where nbgrader could not make the release, with what it said.
    """
    import nbformat

    jupytext = _needs_classroom()
    books = {name: _book(jupytext, source) for name, source in lab_sources().items()}
    files = {folder / "nbgrader_config.py": _CONFIG}
    for name, book in books.items():
        for build, made in (("source", book), ("solution", without_hidden_tests(book))):
            files[folder / build / name / f"{name}.ipynb"] = nbformat.writes(made) + "\n"
    if not replace:
        _refuse_to_overwrite(files)
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for name in books:
        nbgrader(folder, "generate_assignment", name, "--force", "--create")
    return list(books)


def _book(jupytext: Any, source: Path) -> NotebookNode:
    """Read a lab's text source as a notebook whose cells keep their ids from build to build."""
    book = jupytext.read(source)
    book.metadata.pop("jupytext", None)
    for index, cell in enumerate(book.cells):
        grade = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.id = grade or f"text-{index}"  # stable: the release is compared with the source
    return book


def _refuse_to_overwrite(files: dict[Path, str]) -> None:
    from workbench.errors import InputError

    changed = [f for f, text in files.items() if f.exists() and f.read_text("utf-8") != text]
    if changed:
        raise InputError(
            "The course holds files that are not as this command makes them.",
            ", ".join(str(file) for file in changed),
            "another folder; or --replace, which overwrites them",
        )


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


def nbgrader(folder: Path, *words: str) -> None:
    """Run an nbgrader command in a course folder, in a process of its own.

    Raises
    ------
    ExecutionError
        With the end of what nbgrader said.
    """
    from workbench.errors import ExecutionError

    # nbgrader looks for alembic's script on the path, also where the environment is not activated
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ExecutionError(
            f"nbgrader {words[0]} failed.",
            (done.stderr or done.stdout).strip()[-1500:],
            "look at the cells' nbgrader metadata in notebooks/labs/source",
        )


_CONFIG = """\
# Made by `workbench labs`; it asks for --replace before it overwrites what you change here.
c = get_config()
c.CourseDirectory.course_id = "accelerator-workbench"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("YOUR CODE HERE")'}
c.ExecutePreprocessor.timeout = 300
"""


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
