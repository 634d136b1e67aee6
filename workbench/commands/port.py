"""``workbench port MODEL``: one report on what happens to a model on every accelerator."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[str, typer.Argument(help="An .onnx file, or package.module:factory.")],
    output: Annotated[Path, typer.Option(help="The HTML report.")] = Path("report.html"),
    json: Annotated[Path | None, typer.Option(help="The same as JSON.")] = None,
):
    """Report export, parity, placement, cliffs, size and what to change, as HTML and JSON."""
    from workbench.portability.port import port_model
    from workbench.portability.report import write_report

    made: list[Path] = []
    try:
        _reserve(model, {"--output": output, "--json": json}, made)
        report = port_model(model, say=lambda line: typer.echo(line, err=True))
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)  # no empty page stays behind
        raise
    write_report(report, output, json)
    for finding in report["findings"]:
        typer.echo(f"- {finding}")
    typer.echo(f"The report is in {output}.")


def _reserve(model: str, written: dict[str, Path | None], made: list[Path]) -> None:
    """Refuse now what could not be written after a minute; add the files that it makes to `made`.

    Raises
    ------
    InputError
        Where two of the files are one, or where one of them cannot be written.
    """
    from workbench.errors import InputError

    files = {name: path for name, path in written.items() if path is not None}
    for (one, a), (other, b) in combinations({"the model": Path(model), **files}.items(), 2):
        if a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b)):
            raise InputError(
                f"{other} would overwrite {one}.", str(b), "give each a file of its own"
            )
    for name, path in files.items():
        new = not path.exists()
        try:
            path.open("a").close()  # unlike touch(), it is refused where writing would be
        except OSError as cause:
            raise InputError(
                f"{name} cannot be written.",
                f"{cause.strerror or type(cause).__name__}: {path}",
                "a file in a folder that exists and that you may write to",
            ) from cause
        if new:
            made.append(path)
