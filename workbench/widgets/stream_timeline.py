"""What ran when on which stream: one lane each, with the time that work waited in its queue.

The widget is handed spans (`workbench.torch_device.recording`), of one run or of several to
compare, for instance with and without a wait. Times were measured. It refuses to queue anything.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from workbench.widgets._loader import Widget, load_js
from workbench.widgets._records import as_rows
from workbench.widgets._static import Picture, Scale, look, time_text

_FIELDS = ("stream", "name", "queued_ns", "start_ns", "end_ns")
_LEFT, _RIGHT, _ROW = 90, 740, 34


class StreamTimeline(Widget):
    """Spans of work on streams.

    Parameters
    ----------
    runs : mapping of str to iterable of Span
        Name of each run -> its spans.

    Examples
    --------
    >>> StreamTimeline({"with the wait": spans, "wait dropped": wrong})
    """

    _esm = load_js("stream_timeline")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, runs: Mapping[str, Iterable[Any]]):
        super().__init__()
        self._runs = {str(n): as_rows(s, _FIELDS, "span of work") for n, s in runs.items()}
        as_rows([{}] if self._runs else [], (), "run")
        self.choose(next(iter(self._runs)))
        self.on_msg(self._heard)

    def choose(self, run: str) -> StreamTimeline:
        """Show another run; one that is not there leaves the old one."""
        run = run if run in self._runs else self.view["run"]
        spans = self._runs[run]
        first = min(s["start_ns"] for s in spans)
        lanes = sorted({s["stream"] for s in spans})
        bars = [
            {"lane": lanes.index(s["stream"]), "name": s["name"], "start_ns": s["start_ns"] - first,
             "end_ns": s["end_ns"] - first,
             "waited_ns": max(0, s["start_ns"] - s["queued_ns"])}
            for s in sorted(spans, key=lambda s: s["start_ns"])
        ]  # fmt: skip
        end = max(b["end_ns"] for b in bars)
        self.view = {
            "runs": list(self._runs), "run": run, "lanes": [_lane(n) for n in lanes], "bars": bars,
            "end_ns": end, "sentence": _say(run, bars, len(lanes), end),
        }  # fmt: skip
        return self

    def sentence(self) -> str:
        """Return how long it took and how much ran side by side."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        view, palette = self.view, list(look()["palette"].values())
        bottom = 10 + _ROW * len(view["lanes"])
        picture = Picture(760, bottom + 40, view["sentence"])
        x = Scale(0, view["end_ns"] or 1, _LEFT, _RIGHT)
        picture.axis_x(x, bottom, "time since the first", time_text, 4)
        for row, lane in enumerate(view["lanes"]):
            picture.text(4, 10 + _ROW * row + 15, lane)
        for bar in view["bars"]:
            wide = max(0.6, x(bar["end_ns"]) - x(bar["start_ns"]))
            style = picture.fill(palette[bar["lane"] % len(palette)], "measured")
            picture.add("rect", x=x(bar["start_ns"]), y=10 + _ROW * bar["lane"],
                        width=round(wide, 2), height=20, **style)  # fmt: skip
        return picture.svg()

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose":
            self.choose(str(message.get("run", "")))


def _lane(stream: int) -> str:
    return "default" if stream == 0 else f"stream {stream}"


def overlap_ns(bars: list[dict[str, Any]]) -> float:
    """Return for how long work ran on two streams or more at once, events left out."""
    work = [b for b in bars if not b["name"].startswith("event")]
    marks = sorted([(b["start_ns"], 1, b["lane"]) for b in work] +
                   [(b["end_ns"], -1, b["lane"]) for b in work])  # fmt: skip
    running: dict[int, int] = {}
    total, before = 0.0, 0
    for at, step, lane in marks:
        if sum(n > 0 for n in running.values()) > 1:
            total += at - before
        running[lane] = running.get(lane, 0) + step
        before = at
    return total


def _say(run: str, bars: list[dict[str, Any]], lanes: int, end: float) -> str:
    work = sum(not b["name"].startswith("event") for b in bars)
    return (
        f"{run}: {work} pieces of work on {lanes} stream{'s' if lanes > 1 else ''} took "
        f"{time_text(end)}, {time_text(overlap_ns(bars))} of it side by side (measured)."
    )
