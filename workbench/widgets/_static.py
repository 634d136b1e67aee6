"""The picture that stays: a small SVG drawing board for every widget's static form.

A saved notebook, GitHub and nbconvert show this picture where no kernel runs. It stands on a white
card with dark text, because an image cannot know the page's theme. Colours, shapes and the four
marks of provenance come from ``_look.json``, as in the browser. Every text is escaped.

It refuses to be a plotting library: what two widgets need is here, the rest is in the widget.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

_STEPS = {"s": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns"))}
_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_SHAPES: dict[str, Callable[[float], str]] = {
    "circle": lambda r: f"M{-r} 0A{r} {r} 0 1 0 {r} 0A{r} {r} 0 1 0 {-r} 0Z",
    "square": lambda r: f"M{-r} {-r}H{r}V{r}H{-r}Z",
    "triangle": lambda r: f"M0 {-1.2 * r:.3g}L{1.1 * r:.3g} {0.8 * r:.3g}H{-1.1 * r:.3g}Z",
    "diamond": lambda r: f"M0 {-1.3 * r:.3g}L{1.3 * r:.3g} 0L0 {1.3 * r:.3g}L{-1.3 * r:.3g} 0Z",
    "cross": lambda r: (
        f"M{-r} {-r / 3:.3g}H{-r / 3:.3g}V{-r}H{r / 3:.3g}V{-r / 3:.3g}H{r}V{r / 3:.3g}"
        f"H{r / 3:.3g}V{r}H{-r / 3:.3g}V{r / 3:.3g}H{-r}Z"
    ),
}


@cache
def look() -> dict:
    """Return the shared table of colours and marks."""
    return json.loads((Path(__file__).parent / "_look.json").read_text(encoding="utf-8"))


def look_of(target: str) -> tuple[str, str]:
    """Return the colour (``#rrggbb``) and the mark of a target; a callable's follow its name."""
    table = look()
    known = table["targets"].get(target.replace("/", ":").split(":")[0].split(" ")[0])
    if known:
        return table["palette"][known["colour"]], known["mark"]
    others, marks, at = table["others"], table["marks"], 7
    for letter in target:  # as in _common.js
        at = (at * 31 + ord(letter)) % 1000003
    return table["palette"][others[at % len(others)]], marks[at % len(marks)]


def time_text(ns: float | None) -> str:
    """Return a duration given in nanoseconds with three digits and a unit: ``12.3 µs``."""
    if ns is None or not math.isfinite(ns):
        return "–"
    size, unit = next((s for s in _STEPS["s"] if abs(ns) >= s[0]), _STEPS["s"][-1])
    return f"{_digits(ns / size)} {unit}"


def si_text(value: float, unit: str) -> str:
    """Return a quantity with an SI prefix: ``1.2 TFLOP/s``."""
    size, prefix = next((s for s in _PREFIXES if abs(value) >= s[0]), _PREFIXES[-1])
    return f"{_digits(value / size)} {prefix}{unit}"


def count_text(value: float) -> str:
    """Return a whole number with separators: ``40,000``."""
    return f"{value:,.0f}"


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self) -> list[float]:
        """Return round values inside the domain, about one for each 65 pixels."""
        room = abs(self.end - self.start)
        if not self.log:
            raw = ((self.high - self.low) or 1) / max(2, room / 65)
            base = 10.0 ** math.floor(math.log10(raw))
            step = next(m for m in (1, 2, 5, 10) if m * base >= raw) * base
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            return [k * step for k in range(first, last + 1)]
        decades = math.log10(self.high / self.low)
        each = room / max(decades, 0.1)
        marks = (1, 2, 5) if each > 220 else (1, 3) if each > 140 else (1,)
        every = max(1, math.ceil(60 / each))
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [m * 10.0**e for e in powers if e % every == 0 for m in marks]
        return [v for v in values if self.low * 0.9999 <= v <= self.high * 1.0001]


def apart(places: list[float], gap: float = 13, bottom: float = math.inf) -> list[float]:
    """Return the heights of direct labels, moved where they would lie on each other.

    Down first, and up again where the last ones would come to lie below `bottom`.
    """
    moved, order = list(places), sorted(range(len(places)), key=places.__getitem__)
    least, most = -math.inf, bottom
    for at in order:
        moved[at] = max(moved[at], least)
        least = moved[at] + gap
    for at in reversed(order):
        moved[at] = min(moved[at], most)
        most = moved[at] - gap
    return moved


def spanning(
    values: Sequence[float], start: float, end: float, *, zero: bool = False, log: bool = False
) -> Scale:
    """Return a scale that holds all the values; log where they span over two decades."""
    good = [v for v in values if math.isfinite(v) and (zero or v > 0)]
    if not good:
        return Scale(0.0, 1.0, start, end)
    low, high = min(good), max(good)
    if log or (not zero and high / low > 100):
        return Scale(low / 1.15, high * 1.15, start, end, log=True)
    pad = ((high - low) or high or 1.0) * 0.05
    return Scale(min(0.0, low) if zero else max(0.0, low - pad), high + pad, start, end)


@dataclass
class Picture:
    """An SVG under construction.

    Parameters
    ----------
    width, height : float
        In pixels of the view box; the picture scales with the page.
    title : str
        The label for screen readers: the widget's sentence.
    """

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)
    hatches: set[str] = field(default_factory=set)

    def add(self, tag: str, text: str | None = None, **attributes: Any) -> None:
        """Add one element; ``stroke_width=2`` becomes ``stroke-width="2"``; text is escaped."""
        written = " ".join(
            f"{name.rstrip('_').replace('_', '-')}={quoteattr(_plain(value))}"
            for name, value in attributes.items()
            if value is not None
        )
        body = "/>" if text is None else f">{escape(text)}</{tag}>"
        self.parts.append(f"<{tag} {written}{body}")

    def text(self, x: float, y: float, text: str, *, anchor: str = "start", quiet: bool = False):
        """Add a line of text."""
        fill = "#555" if quiet else "#222"
        self.add("text", text, x=x, y=y, text_anchor=anchor, fill=fill)

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: object) -> None:
        """Add a straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": "#222", **attributes})

    def fill(self, colour: str, provenance: str) -> dict[str, Any]:
        """Return the attributes that draw an area of that provenance."""
        if provenance == "modelled":
            self.hatches.add(colour)
            return {"fill": f"url(#hatch-{colour.strip('#')})", "stroke": colour}
        return {
            "measured": {"fill": colour, "stroke": colour},
            "recorded": {
                "fill": colour,
                "stroke": "#222",
                "stroke_width": 1.5,
                "stroke_dasharray": "2 2",
            },
            "datasheet": {"fill": "none", "stroke": colour, "stroke_width": 1.5},
        }[provenance]

    def mark(self, x: float, y: float, colour: str, shape: str, provenance: str, r: float = 5):
        """Add a target's mark, drawn for its provenance."""
        self.add(
            "path",
            d=_SHAPES[shape](r),
            transform=f"translate({x} {y})",
            **self.fill(colour, provenance),
        )

    def axis_x(
        self, scale: Scale, y: float, label: str, format_: Callable[[float], str], top: float
    ) -> None:
        """Add a horizontal axis with grid lines up to `top`."""
        for value in scale.ticks():
            self.line(scale(value), top, scale(value), y + 4, stroke="#ddd")
            self.text(scale(value), y + 17, format_(value), anchor="middle")
        self.line(scale.start, y, scale.end, y)
        said = f"{label} (log scale)" if scale.log else label
        self.text((scale.start + scale.end) / 2, y + 34, said, anchor="middle")

    def axis_y(
        self, scale: Scale, x: float, label: str, format_: Callable[[float], str], right: float
    ) -> None:
        """Add a vertical axis with grid lines to `right`; its label stands on top."""
        for value in scale.ticks():
            self.line(x - 4, scale(value), right, scale(value), stroke="#ddd")
            self.text(x - 7, scale(value) + 4, format_(value), anchor="end")
        self.line(x, scale.start, x, scale.end)
        said = f"{label} (log scale)" if scale.log else label
        self.text(4, min(scale.start, scale.end) - 8, said)

    def paragraph(self, x: float, y: float, text: str, *, letters: int, quiet: bool = False) -> int:
        """Add text broken into lines of at most `letters` letters; return how many lines."""
        lines: list[str] = [""]
        for word in text.split():
            if lines[-1] and len(lines[-1]) + 1 + len(word) > letters:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        for at, line in enumerate(lines):
            self.text(x, y + 16 * at, line, quiet=quiet)
        return len(lines)

    def svg(self) -> str:
        """Return the finished picture."""
        hatches = "".join(
            f'<pattern id="hatch-{c.strip("#")}" width="6" height="6" '
            f'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<rect width="2" height="6" fill="{c}"/></pattern>'
            for c in sorted(self.hatches)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" '
            f"aria-label={quoteattr(self.title)} "
            'font-family="system-ui, sans-serif" font-size="12">'
            f"<title>{escape(self.title)}</title><defs>{hatches}</defs>"
            f'<rect width="100%" height="100%" rx="4" fill="#fff"/>{"".join(self.parts)}</svg>'
        )


def _digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
