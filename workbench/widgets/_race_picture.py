"""The static form of `Race`: one row for each lane, all dots, the median, the interval in words."""

from __future__ import annotations

from typing import Any

from workbench.widgets._static import Picture, Scale, look_of, spanning, time_text

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 130, 470, 40, 66
RATIO_LEFT, RATIO_RIGHT = 560, 748


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a race's state, as `workbench.bench.summary.summarise` gives it."""
    lanes = view.get("lanes", [])
    shown = [lane for lane in lanes if lane.get("dots")]
    failed = [lane for lane in lanes if lane.get("error")]
    facts = _facts(view, shown)
    height = TOP + ROW * len(shown) + 66 + 18 * (len(failed) + len(facts))
    picture = Picture(WIDTH, height, view["sentence"])
    picture.paragraph(8, 20, view["sentence"], letters=110)
    if not shown:
        _failures(picture, failed, TOP)
        return picture.svg()
    values = [value for lane in shown for value in (*lane["dots"], lane["p5"], lane["p95"])]
    scale = spanning(values, LEFT, RIGHT)
    bottom = TOP + ROW * len(shown)
    picture.axis_x(scale, bottom, "latency of one call", time_text, TOP)
    ratio = _ratio_axis(picture, view, bottom)
    for at, lane in enumerate(shown):
        _row(picture, lane, TOP + ROW * at + ROW / 2, scale, ratio)
    for at, said in enumerate(facts):
        picture.text(8, bottom + 54 + 18 * at, said[:130], quiet=True)
    _failures(picture, failed, bottom + 54 + 18 * len(facts))
    return picture.svg()


def _facts(view: dict[str, Any], shown: list[dict[str, Any]]) -> list[str]:
    """Return what, where and when, and each lane's numbers with how they were obtained."""
    if not shown:
        return []
    batch = f"batches of {view['batch']}, " if view["batch"] > 1 else ""
    work = f"{view['problem']}, {view['size']:,} {view['size_means']}, {batch}{view['cache']} cache"
    where = f"{view['where']}, {view['started_at'][:16].replace('T', ' ')}"
    lanes = [
        f"{lane['label']}: {lane['provenance']}, median {time_text(lane['p50'])}, p95 "
        f"{time_text(lane['p95'])}, {_accuracy(lane)}, {lane['count']:,} calls"
        for lane in shown
    ]
    return [work, where, *lanes, *view["warnings"]]


def _accuracy(lane: dict[str, Any]) -> str:
    if not lane["audits"] or lane["max_abs_error"] is None:
        return "no answer checked"
    return f"largest error {lane['max_abs_error']:.2g} ({lane['audits']} checked)"


def _row(picture: Picture, lane: dict[str, Any], y: float, scale: Scale, ratio: Scale) -> None:
    colour, shape = look_of(lane["control_of"] or lane["label"])
    drawn = picture.fill(colour, lane["provenance"])
    x5, x50, x95 = (scale(lane[key]) for key in ("p5", "p50", "p95"))
    picture.add(
        "rect",
        x=x5,
        y=y - 11,
        width=max(1.0, x95 - x5),
        height=22,
        fill_opacity=0.18 if lane["provenance"] in ("measured", "recorded") else 1,
        **drawn,
    )
    for number, value in enumerate(lane["dots"]):
        dy = ((number * 7) % 15) - 7
        picture.add("circle", cx=scale(value), cy=y + dy, r=1.4, fill=colour, fill_opacity=0.6)
    picture.line(x50, y - 14, x50, y + 14, stroke="#222", stroke_width=2)
    picture.mark(12, y, colour, shape, lane["provenance"])
    name = lane["label"]
    picture.text(24, y + 4, name if len(name) <= 16 else f"{name[:15]}…")  # as in _common.js
    picture.text(RIGHT + 70, y + 4, time_text(lane["p50"]), anchor="end")
    if "low" in lane:
        low, high, middle = (ratio(lane[key]) for key in ("low", "high", "speedup"))
        picture.line(low, y, high, y, stroke=colour, stroke_width=4, stroke_opacity=0.6)
        picture.mark(middle, y, colour, shape, lane["provenance"], 4)


def _ratio_axis(picture: Picture, view: dict[str, Any], bottom: float) -> Scale:
    """Draw the axis of the ratios, with the noise threshold as a grey band around 1."""
    edge = 1 + view.get("threshold", 0.0)
    told = [lane for lane in view["lanes"] if "low" in lane]
    ends = [edge, 1 / edge, *(lane[key] for lane in told for key in ("low", "high"))]
    ratio = spanning(ends, RATIO_LEFT, RATIO_RIGHT, log=max(ends) / min(ends) > 5)
    if told:
        left, right = ratio(1 / edge), ratio(edge)
        picture.add("rect", x=left, y=TOP, width=right - left, height=bottom - TOP, fill="#ddd")
        picture.axis_x(ratio, bottom, "times as fast", lambda v: f"{v:.3g}", bottom)
        picture.line(ratio(1), TOP, ratio(1), bottom, stroke_dasharray="3 3")
        said = f"against {view['baseline']}; grey: noise"
        picture.text((RATIO_LEFT + RATIO_RIGHT) / 2, TOP - 8, said, anchor="middle", quiet=True)
    return ratio


def _failures(picture: Picture, failed: list[dict[str, Any]], y: float) -> None:
    for at, lane in enumerate(failed):
        error = lane["error"]
        said = f"{lane['label']} left the race: {error['happened']} {error['saw']}"
        picture.text(8, y + 18 * at, said[:120])
