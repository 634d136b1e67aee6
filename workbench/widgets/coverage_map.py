"""Every operator that needs a device kernel, as one cell: native, composite, fallback or absent.

The widget is handed records (`workbench.torch_device.coverage`) and, if you like, a callable that
scores an operator and returns text; choosing a cell shows the record, and asking for its score
calls that. A dot in a cell means that its fallbacks have moved bytes. It refuses to run an
operator itself.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from workbench.widgets._loader import Widget, load_js
from workbench.widgets._records import as_rows
from workbench.widgets._static import Picture, look

_FIELDS = ("operator", "kind", "source", "bytes_moved", "calls")
KINDS = {"native": "green", "composite": "sky", "fallback": "orange", "absent": "grey"}
"""Kind -> colour of the palette; the letter in the cell is the kind's first."""
_COLUMNS, _CELL = 38, 19


class CoverageMap(Widget):
    """The operators of a device by who answers them.

    Parameters
    ----------
    records : iterable of Coverage
    score : callable, optional
        ``score(operator) -> object`` whose text is shown, for instance ``wb.score``.

    Examples
    --------
    >>> CoverageMap(wb.coverage(), score=wb.score)
    """

    _esm = load_js("coverage_map")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, records: Iterable[Any], score: Callable[[str], object] | None = None):
        super().__init__()
        self._rows = as_rows(records, _FIELDS, "covered operator")
        self._score = score
        self._kind, self._chosen, self._text = "", "", ""
        self._show()
        self.on_msg(self._heard)

    def _show(self) -> None:
        counts = Counter(r["kind"] for r in self._rows)
        rows = [r for r in self._rows if self._kind in ("", r["kind"])]
        moved = sum(r["bytes_moved"] for r in self._rows)
        share = counts["native"] + counts["composite"]
        self.view = {
            "rows": rows, "kind": self._kind, "kinds": dict(KINDS), "chosen": self._chosen,
            "counts": {k: counts.get(k, 0) for k in KINDS}, "score": self._text,
            "can_score": self._score is not None,
            "sentence": f"Of {len(self._rows)} operators the device answers {share} itself "
            f"({counts['native']} native, {counts['composite']} composite); {counts['fallback']} "
            f"fall back, and their fallbacks have moved {moved:,} bytes so far.",
        }  # fmt: skip

    def filter(self, kind: str) -> CoverageMap:
        """Show one kind only, or all for an empty string."""
        if kind in ("", *KINDS):
            self._kind = kind
            self._show()
        return self

    def choose(self, operator: str, score: bool = False) -> CoverageMap:
        """Choose an operator; with `score`, run its samples through the callable."""
        if operator not in {r["operator"] for r in self._rows}:
            return self
        self._chosen, self._text = operator, ""
        if score and self._score is not None:
            try:
                self._text = str(self._score(operator))
            except Exception as error:  # a callable of the reader's: its words are the answer
                self._text = str(error)
        self._show()
        return self

    def sentence(self) -> str:
        """Return how much is covered."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        palette, rows = look()["palette"], self.view["rows"]
        picture = Picture(760, 30 + _CELL * -(-len(rows) // _COLUMNS), self.view["sentence"])
        x = 8
        for kind, colour in KINDS.items():
            picture.add("rect", x=x, y=4, width=12, height=12, fill=palette[colour])
            picture.text(x + 16, 15, f"{kind} {self.view['counts'][kind]}")
            x += 130
        for at, row in enumerate(rows):
            y = 26 + _CELL * (at // _COLUMNS)
            place = {"x": 8 + _CELL * (at % _COLUMNS), "y": y, "width": 16, "height": 16}
            picture.add("rect", fill=palette[KINDS[row["kind"]]], **place)
        return picture.svg()

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "filter":
            self.filter(str(message.get("kind", "")))
        elif message.get("do") == "choose":
            self.choose(str(message.get("operator", "")), bool(message.get("score")))
