"""Where two places first disagree on a model: one bar for each value, and the source line.

The widget is handed a `Comparison`. A bar is the difference over what is allowed, on a log scale;
above 1 the places disagree. It runs nothing, and explains no more than the comparison does.
"""

from __future__ import annotations

import math
from typing import Any

import traitlets

from workbench.portability.comparing import Comparison
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._static import Picture, look

_MOST = 300
FLOOR, CEILING = 1e-4, 1e4
"""Ends of the axis: what is smaller or larger is drawn there."""


class DivergenceView(Widget):
    """A comparison, value by value, with the first divergence marked.

    Parameters
    ----------
    comparison : Comparison
        From `workbench.portability.comparing.compare`.
    """

    _esm = load_js("divergence_view")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, comparison: Comparison):
        super().__init__()
        steps = [_step(step) for step in comparison.steps[:_MOST]]
        first = next((i for i, step in enumerate(steps) if not step["agrees"]), -1)
        notes = list(comparison.notes)
        if len(comparison.steps) > _MOST:
            notes.append(f"The first {_MOST} of {len(comparison.steps)} values are drawn.")
        self.view = {
            "steps": steps,
            "first": first,
            "chosen": max(first, 0),
            "sentence": comparison.sentence,
            "notes": notes,
            "between": [comparison.a, comparison.b],
        }
        self.on_msg(self._heard)

    def choose(self, number: int) -> DivergenceView:
        """Look at one value; a number outside is brought to the nearest."""
        last = len(self.view["steps"]) - 1
        self.view = {**self.view, "chosen": max(0, min(int(number), last))}
        return self

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose" and isinstance(message.get("number"), int):
            self.choose(message["number"])


def _step(step: Any) -> dict[str, Any]:
    ratio = step.max_abs_error / step.allowed if step.allowed else math.inf
    if step.max_abs_error == 0:
        ratio = 0.0
    return {
        "node": step.node,
        "operator": step.operator,
        "value": step.value,
        "dtype": step.dtype,
        "error": f"{step.max_abs_error:.3g}",
        "allowed": f"{step.allowed:.3g}",
        "ratio": min(max(ratio, FLOOR), CEILING),
        "agrees": step.agrees,
        "source": str(step.source) if step.source else "",
    }


def draw(view: dict[str, Any]) -> str:
    """Return the static SVG of a view."""
    steps = view["steps"]
    width, left, bottom = 760, 60, 230
    picture = Picture(width, 290, view["sentence"])
    lines = picture.paragraph(8, 18, view["sentence"], letters=110)
    top = 20 + 16 * lines
    room = bottom - top

    def height(ratio: float) -> float:
        return room * math.log10(ratio / FLOOR) / math.log10(CEILING / FLOOR)

    each = (width - left - 20) / max(1, len(steps))
    blue, red = look()["palette"]["blue"], look()["palette"]["vermillion"]
    for at, step in enumerate(steps):
        tall = max(1.0, height(step["ratio"]))
        colour = blue if step["agrees"] else red
        picture.add(
            "rect",
            x=round(left + each * at, 1),
            y=round(bottom - tall, 1),
            width=round(max(1.0, each - 1), 1),
            height=round(tall, 1),
            fill=colour,
        )
    limit = bottom - height(1.0)
    picture.line(left, limit, width - 20, limit, stroke_dasharray="4 3")
    picture.text(4, limit + 4, "allowed")
    picture.text(left, bottom + 18, "values in the order of execution; difference / allowed (log)")
    if view["first"] >= 0:
        step = steps[view["first"]]
        picture.text(left, bottom + 38, f"first: {step['node']} {step['source']}"[:110])
    return picture.svg()
