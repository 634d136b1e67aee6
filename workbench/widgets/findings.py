"""What the sanitizer found, shown on the code: both threads, both lines, the values, the cure.

The widget is handed a `workbench.simt.sanitizer.Findings`. It refuses to run anything.
"""

from __future__ import annotations

from typing import Any

import traitlets

from workbench.simt.frontend.listing import code_lines
from workbench.simt.sanitizer.findings import Finding
from workbench.simt.sanitizer.findings import Findings as Record
from workbench.widgets._loader import Widget, load_css, load_js
from workbench.widgets._static import Picture

FIRST, SECOND = "#0072B2", "#E69F00"
_LINE = 18


class Findings(Widget):
    """The findings of one launch, one at a time, on the kernel's own lines.

    Parameters
    ----------
    record : Findings
        What `workbench.sanitize` returned.

    Examples
    --------
    >>> Findings(workbench.sanitize(kernel[blocks, threads], a, out))
    """

    _esm = load_js("findings")
    _css = load_css("_code")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, record: Record):
        super().__init__()
        self._record = record
        self.choose(0)
        self.on_msg(self._heard)

    def choose(self, number: int) -> Findings:
        """Show one finding, counted from 0; numbers beyond the ends stay at the ends."""
        found = self._record
        number = max(0, min(int(number), len(found) - 1))
        one = found[number] if found else None
        self.view = {
            "kernel": found.kernel,
            "chosen": number,
            "titles": [_title(each) for each in found],
            "sentence": _sentence(found, number),
            "cure": one.cure if one else "",
            "severity": str(one.severity) if one else "",
            "code": _code(one) if one else [],
            "parties": _parties(one) if one else [],
        }
        return self

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose":
            self.choose(message["number"])


def _title(one: Finding) -> str:
    where = f"{one.array}, " if one.array else ""
    lines = " and ".join(str(line) for line in dict.fromkeys(one.lines) if line)
    return f"{one.kind}: {where}line {lines}"


def _sentence(found: Record, number: int) -> str:
    if not found:
        return f"The sanitizer found nothing wrong with {found.kernel}."
    return f"Finding {number + 1} of {len(found)}: {found[number].message}"


def _code(one: Finding) -> list[dict[str, Any]]:
    lines = tuple(line for line in one.lines if line)
    marks: dict[int, list[str]] = {}
    for name, party in zip("AB", one.threads, strict=False):
        marks.setdefault(party.line, []).append(name)
    return [
        {**row, "marks": marks.get(row["line"], [])} for row in code_lines(one.first.path, lines)
    ]


def _parties(one: Finding) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "block": str(party.block),
            "thread": str(party.thread),
            "does": party.does,
            "value": "" if party.value is None else str(party.value),
            "line": party.line or None,
        }
        for name, party in zip("AB", one.threads, strict=False)
    ]


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a state: the sentence, the code with its marks, the cure."""
    rows = view["code"]
    picture = Picture(760, 80 + 16 * 4 + _LINE * len(rows), view["sentence"])
    y = 20 + 16 * picture.paragraph(8, 20, view["sentence"], letters=108)
    for row in rows:
        colour = {"A": FIRST, "B": SECOND}.get("".join(row["marks"][:1]))
        if colour:
            picture.add(
                "rect", x=8, y=y - 13, width=744, height=_LINE, fill=colour, fill_opacity=0.2
            )
        picture.text(36, y, str(row["line"]), anchor="end", quiet=True)
        picture.text(44, y, " ".join(row["marks"]))
        picture.add(
            "text", row["text"], x=78, y=y, font_family="monospace", fill="#222", style=_PRE
        )
        y += _LINE
    if view["cure"]:
        picture.paragraph(8, y + 10, f"Try: {view['cure']}", letters=108)
    return picture.svg()


_PRE = "white-space: pre"
