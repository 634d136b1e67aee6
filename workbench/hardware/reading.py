"""Reading a data sheet from its file: every row is checked, and what is wrong names the row."""

from __future__ import annotations

import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from workbench.errors import DataFileError
from workbench.hardware.sheet import QUANTITIES, Confidence, DataSheet, Fact

SCHEMA = 1
KINDS = ("gpu", "npu", "tpu", "system")
_RESTORE = "mend it by the other sheets, or `git checkout -- datasets/hardware`"


def read_data_sheet(path: Path) -> DataSheet:
    """Read and check one file; see `workbench.hardware.data_sheet`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError("A data sheet cannot be read.", f"{path}: {error}", _RESTORE) from error
    if content.get("schema") != SCHEMA:
        raise DataFileError(
            "A data sheet has another layout than this version reads.",
            f"{path.name}: schema = {content.get('schema')!r}, expected {SCHEMA}",
            "update the workbench",
        )
    try:
        rows = content["fact"]
        head = {key: content[key] for key in ("title", "vendor", "kind")}
    except KeyError as error:
        raise DataFileError(
            "A data sheet lacks an entry.", f"{path.name}: {error}", _RESTORE
        ) from error
    wrong = [f"{key} = {value!r}" for key, value in head.items() if not isinstance(value, str)]
    wrong += [f"kind = {head['kind']!r}"] if head["kind"] not in KINDS else []
    wrong += ["fact is no list of tables"] if not isinstance(rows, list) else []
    if wrong:
        raise DataFileError(
            "A data sheet has an entry that cannot be used.",
            f"{path.name}: {', '.join(wrong)}",
            f"a kind is one of {', '.join(KINDS)}; {_RESTORE}",
        )
    facts = tuple(_fact(path, row) for row in rows)
    return DataSheet(path.stem, **head, architecture=content.get("architecture", ""), facts=facts)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _fact(path: Path, row: dict[str, Any]) -> Fact:
    try:
        fact = Fact(**{**row, "confidence": Confidence(row["confidence"])})
    except (TypeError, ValueError, KeyError) as error:
        raise DataFileError(
            "A data sheet has a row that cannot be used.",
            f"{path.name}: {row}: {error}",
            "rows have " + ", ".join(item.name for item in fields(Fact)),
        ) from error
    wrong = (
        (fact.quantity not in QUANTITIES, "an unknown quantity"),
        (not _is_number(fact.value), "no number"),
        (not (fact.source and fact.as_of), "no source or no date"),
        (
            fact.quantity == "compute_tflop_per_s"
            and not (fact.dtype and fact.density in ("dense", "sparse")),
            "compute without dtype and dense or sparse",
        ),
        (fact.confidence in ("derived", "disputed") and not fact.note, "no note saying why"),
    )
    for bad, what in wrong:
        if bad:
            raise DataFileError(
                f"A data sheet has a row with {what}.", f"{path.name}: {row}", _RESTORE
            )
    return fact
