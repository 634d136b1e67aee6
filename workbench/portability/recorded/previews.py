"""Placements out of a recording, in the place of `Preview`.

An answer is what the vendor's provider said when it was recorded, with its caption in the
sentence. It refuses to answer for a model, a mode or inputs that were not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import UnknownNameError
from workbench.portability.feeds import shapes_of
from workbench.portability.load import load_model
from workbench.portability.placement import Change, Copy, NodePlacement, Placement
from workbench.portability.previewing import SHORT, mode_of
from workbench.portability.recorded.book import Book, NotRecordedError, key_of

PLAIN = ("provider", "mode", "opset", "runs", "disagreements", "simulated", "notes", "sources")


def write_placement(book: Book, model: Any, found: Placement, asked: Sequence[Any]) -> None:
    """Put a placement into a book, for a model and the inputs it was asked with."""
    reasons = sorted({node.reason for node in found.nodes})
    entry = {name: getattr(found, name) for name in PLAIN}
    entry["reasons"] = reasons
    entry["nodes"] = [
        [node.name, node.operator, node.provider == found.provider, reasons.index(node.reason)]
        for node in found.nodes
    ]
    entry["copies"] = [[copy.value, copy.direction, copy.bytes_moved] for copy in found.copies]
    entry["changes"] = [[c.node, c.operator, c.what, c.into] for c in found.changes]
    key = key_of(model, "placement", found.provider, found.mode)
    rows = book.entries.setdefault(key, [])
    rows[:] = [row for row in rows if row["asked"] != [shapes_of(feeds) for feeds in asked]]
    rows.append({"asked": [shapes_of(feeds) for feeds in asked], **entry})


class RecordedPreview:
    """Answers as `Preview` does, out of a recording.

    Parameters
    ----------
    book : Book
    """

    def __init__(self, book: Book):
        self.book = book

    def __enter__(self) -> RecordedPreview:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to end: no worker was started."""

    def __call__(
        self,
        model: Any,
        provider: str = "cann",
        mode: str = "",
        *,
        runs: Sequence[Mapping[str, Any]] = (),
    ) -> Placement:
        """Return the recorded placement of a model.

        Raises
        ------
        NotRecordedError
            Where this model, mode or these inputs were not recorded.
        """
        if provider not in SHORT and provider not in SHORT.values():
            raise UnknownNameError("provider in the recording", provider, SHORT)
        provider = SHORT.get(provider, provider)
        mode = mode_of(provider, mode)
        rows = self.book.entry(load_model(model), "placement", provider, mode)
        asked = [shapes_of(feeds) for feeds in runs]
        row = next((row for row in rows if row["asked"] == asked), None)
        if row is None:
            raise NotRecordedError(
                "The recording has no run on inputs of these shapes.",
                f"{asked}; recorded: {[row['asked'] for row in rows]}; {self.book.caption}",
                "use the notebook's inputs, or install the build: `workbench providers list`",
            )
        return _placement(row, self.book.caption)


def _placement(row: Mapping[str, Any], caption: str) -> Placement:
    own, other = row["provider"], "CPUExecutionProvider"
    plain: dict[str, Any] = {
        name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in PLAIN
    }
    return Placement(
        **plain,
        nodes=tuple(
            NodePlacement(name, operator, own if on else other, row["reasons"][reason])
            for name, operator, on, reason in row["nodes"]
        ),
        copies=tuple(Copy(*copy) for copy in row["copies"]),
        changes=tuple(Change(*change) for change in row["changes"]),
        recorded=caption,
    )
