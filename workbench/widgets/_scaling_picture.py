"""The static form of `Scaling`: one line for each target, its middle half, and the crossings."""

from __future__ import annotations

from typing import Any

from workbench.widgets._static import (
    Picture,
    Scale,
    apart,
    count_text,
    look_of,
    spanning,
    time_text,
)

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 80, 610, 86, 380


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a scaling state."""
    picture = Picture(WIDTH, BOTTOM + 50, view["sentence"])
    picture.paragraph(8, 20, view["sentence"], letters=108)
    points = [point for line in view["lines"] for point in line["points"]]
    if not points:
        return picture.svg()
    x = spanning([point["size"] for point in points], LEFT, RIGHT, log=True)
    values = [point[key] for point in points for key in ("p25", "p75")]
    y = spanning(values, BOTTOM, TOP, log=True)
    picture.axis_x(x, BOTTOM, view["size_means"], count_text, TOP)
    picture.axis_y(y, LEFT, "latency of one call", time_text, RIGHT)
    ends = [line["points"][-1] for line in view["lines"]]
    for line in view["lines"]:
        _line(picture, line, x, y)
    heights = apart([y(end["p50"]) + 4 for end in ends])
    for line, end, height in zip(view["lines"], ends, heights, strict=True):
        picture.text(x(end["size"]) + 9, height, line["label"])
    for crossing in view["crossings"]:
        where = x(crossing["size"])
        picture.line(where, TOP, where, BOTTOM, stroke="#555", stroke_dasharray="4 3")
        label = f"{crossing['faster']} pays"
        picture.text(where, TOP - 4, label, anchor="middle", quiet=True)
    return picture.svg()


def _line(picture: Picture, line: dict[str, Any], x: Scale, y: Scale) -> None:
    colour, shape = look_of(line["label"])
    points = line["points"]
    upper = [f"{x(p['size'])},{y(p['p75'])}" for p in points]
    lower = [f"{x(p['size'])},{y(p['p25'])}" for p in reversed(points)]
    picture.add("polygon", points=" ".join(upper + lower), fill=colour, fill_opacity=0.2)
    middle = " ".join(f"{x(p['size'])},{y(p['p50'])}" for p in points)
    picture.add("polyline", points=middle, fill="none", stroke=colour, stroke_width=1.5)
    for point in points:
        picture.mark(x(point["size"]), y(point["p50"]), colour, shape, point["provenance"], 4)
