"""Records as plain JSON: what widgets of the PyTorch device are handed, dataclasses or dicts.

It refuses records without the fields that a picture needs, naming them.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any

from workbench.errors import InputError


def as_rows(records: Iterable[Any], needed: tuple[str, ...], what: str) -> list[dict[str, Any]]:
    """Return records as dicts with at least the `needed` fields.

    Raises
    ------
    InputError
        Where there are none, or one lacks a field.
    """
    rows = [asdict(r) if is_dataclass(r) and not isinstance(r, type) else r for r in records]
    if not rows:
        raise InputError(
            "There is nothing to draw.", f"no {what}", f"hand over at least one {what}"
        )
    for row in rows:
        missing = [n for n in needed if not isinstance(row, dict) or n not in row]
        if missing:
            raise InputError(
                f"This is no record of a {what}.", f"it has no {', '.join(missing)}: {row!r:.100}",
                f"fields: {', '.join(needed)}",
            )  # fmt: skip
    return [{k: list(v) if isinstance(v, tuple) else v for k, v in row.items()} for row in rows]
