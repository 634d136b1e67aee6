"""The static form of `Roofline`: bands for the roofs, marks for the work."""

from __future__ import annotations

from typing import Any

from workbench.widgets._static import Picture, Scale, apart, look, look_of, si_text, spanning

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 880, 96, 560, 78, 380
DASHES = (None, "7 4", "2 3", "9 3 2 3", "1 4")


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a roofline's state."""
    picture = Picture(WIDTH, BOTTOM + 50, view["sentence"])
    picture.paragraph(8, 20, view["sentence"], letters=108)
    x, y = scales(view, LEFT, RIGHT, BOTTOM, TOP)
    picture.axis_x(x, BOTTOM, "operations per byte", lambda v: f"{v:g}", TOP)
    picture.axis_y(y, LEFT, "throughput", lambda v: si_text(v * 1e9, "FLOP/s"), RIGHT)
    tops = [_roof(picture, roof, at, x, y) for at, roof in enumerate(view["roofs"])]
    for height, roof in zip(apart(tops), view["roofs"], strict=True):
        picture.text(RIGHT + 6, height, roof["title"])
    places = [(x(point["intensity"]), y(point["gflop_per_s"])) for point in view["points"]]
    heights = apart([height + 4 for _, height in places], bottom=BOTTOM - 3)
    for point, place, height in zip(view["points"], places, heights, strict=True):
        picture.mark(*place, *look_of(point["label"]), point["provenance"])
        picture.text(place[0] + 9, height, f"{point['label']} ({point['provenance']})")
    return picture.svg()


def scales(view: dict, left: float, right: float, bottom: float, top: float) -> tuple[Scale, Scale]:
    """Return log axes that hold all roofs and points, with room on both sides of the ridges."""
    ridges = [end for roof in view["roofs"] for end in roof["ridge"]] or [10.0]
    where = [point["intensity"] / 2 for point in view["points"]]  # room for marks and names
    x = spanning([*where, min(ridges) / 30, max(ridges) * 10], left, right, log=True)
    peaks = [peak for roof in view["roofs"] for peak in roof["compute_gflop_per_s"]]
    feet = [x.low * width for roof in view["roofs"] for width in roof["bandwidth_gb_per_s"]]
    what = [point["gflop_per_s"] / 2 for point in view["points"]]
    return x, spanning(
        [*peaks, *feet, *what, 1.0] if not peaks else [*peaks, *feet, *what], bottom, top, log=True
    )


def _roof(picture: Picture, roof: dict[str, Any], at: int, x: Scale, y: Scale) -> float:
    """Draw one roof and return the height at which its name belongs."""
    colours = list(look()["palette"].values())
    colour = colours[(at + 4) % len(colours)]
    lines = [
        _line(x, y, roof["bandwidth_gb_per_s"][end], roof["compute_gflop_per_s"][end])
        for end in (0, 1)
    ]
    if not roof["agreed"]:
        ring = [*lines[0], *reversed(lines[1])]
        picture.add("polygon", points=_path(ring), fill=colour, fill_opacity=0.25)
    for line in lines if not roof["agreed"] else lines[:1]:
        picture.add(
            "polyline",
            points=_path(line),
            fill="none",
            stroke=colour,
            stroke_width=2,
            stroke_dasharray=DASHES[at % len(DASHES)],
        )
    return lines[1][-1][1] + 4


def _line(x: Scale, y: Scale, bandwidth: float, compute: float) -> list[tuple[float, float]]:
    ridge = min(max(compute / bandwidth, x.low), x.high)
    ends = [(x.low, bandwidth * x.low), (ridge, min(compute, bandwidth * ridge)), (x.high, compute)]
    return [(x(where), y(max(value, y.low))) for where, value in ends]


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{px:g},{py:g}" for px, py in points)
