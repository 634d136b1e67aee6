"""``workbench port MODEL``: one report on what happens to a model on every accelerator."""

from __future__ import annotations

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

    new = not output.exists()
    output.touch()  # better to be refused now than after a minute
    try:
        report = port_model(model, say=lambda line: typer.echo(line, err=True))
    except BaseException:
        if new:
            output.unlink()  # no empty page stays behind
        raise
    write_report(report, output, json)
    for finding in report["findings"]:
        typer.echo(f"- {finding}")
    typer.echo(f"The report is in {output}.")
