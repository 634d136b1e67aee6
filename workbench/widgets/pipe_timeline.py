"""What each pipe of an AI Core did and why it waited, with double buffering on and off.

The widget is handed timelines (`workbench.aicore.Run.timeline`), one or several under a name, and
shows lanes for each pipe of one core or of all. Everything in it is modelled and drawn so. It
refuses to run a kernel: to compare depths, launch twice and hand it both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import traitlets

from workbench.aicore.machine import PIPE_INDEX
from workbench.aicore.readings.timeline import Bar, Timeline
from workbench.aicore.run import Run
from workbench.errors import InputError
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._static import Picture, look, time_text

ZOOMS = (1, 2, 4, 8, 16, 32, 64)
ALL_CORES = -1
_MOST_BARS = 1200
_MOST_LANES = 16  # that are drawn without being asked for
_LEFT, _RIGHT = 90, 740


class PipeTimeline(Widget):
    """Lanes for each pipe and core, bars for work, gaps coloured by what is waited for.

    All cores are drawn to begin with where their lanes are few, else the first; the sentence says
    which.

    Parameters
    ----------
    timelines : Timeline or Run, or mapping of str to such
        The variants between which the buttons switch.

    Examples
    --------
    >>> PipeTimeline({"one buffer": single.timeline, "two buffers": double.timeline})
    """

    _esm = load_js("pipe_timeline")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, timelines: Timeline | Run | Mapping[str, Timeline | Run]):
        many = timelines if isinstance(timelines, Mapping) else {"": timelines}
        named = {str(name): _timeline(one) for name, one in many.items()}
        if "" in named and not isinstance(timelines, Mapping):
            named = {named[""].kernel: named[""]}
        empty = [str(name) for name, one in named.items() if not one.bars]
        if not named or empty:
            raise InputError(
                "There is nothing to draw.",
                f"no bars in {', '.join(empty)}" if empty else "no timelines",
                "use run.timeline: time-only mode keeps no bars",
            )
        self._timelines = named
        first = next(iter(self._timelines.values()))
        few = len({(bar.core, bar.pipe) for bar in first.bars}) <= _MOST_LANES
        self.choose(next(iter(self._timelines)), ALL_CORES if few else None)
        super().__init__()  # last: the page is to be opened with all that it shows
        self.on_msg(self._heard)

    def choose(
        self, variant: str = "", core: int | None = None, zoom: int = 0, at: float | None = None
    ) -> PipeTimeline:
        """Show another variant, core or stretch of time.

        Parameters
        ----------
        variant : str, optional
        core : int, optional
            The nearest one that the run has, or `ALL_CORES`.
        zoom : int, optional
            How many times enlarged.
        at : float, optional
            Where the stretch begins, as a share of the whole from 0 to 1.
        """
        name: str = variant if variant in self._timelines else self.view["variant"]
        line = self._timelines[name]
        cores = sorted({bar.core for bar in line.bars})
        core = self._core(core, cores)
        zoom, start = self._stretch(zoom, at)
        whole = max(bar.stop_ns for one in self._timelines.values() for bar in one.bars)
        begin, end = start * whole, (start + 1 / zoom) * whole
        # of all variants, so that a cause keeps its colour when another is chosen
        causes = sorted({b.cause for one in self._timelines.values() for b in one.bars if b.cause})
        lanes = _lanes(line, core, begin, end, causes)
        drawn = {bar["cause"] for lane in lanes for bar in lane["bars"]}
        self.view = {
            "variants": list(self._timelines),
            "variant": name,
            "cores": [ALL_CORES, *cores] if len(cores) > 1 else cores,
            "core": core,
            "zoom": zoom,
            "zooms": list(ZOOMS),
            "at": start,
            "begin_ns": begin,
            "end_ns": end,
            "lanes": lanes,
            "row_px": 30 if len(lanes) <= 12 else 16,
            "causes": causes,
            "drawn": sorted(drawn - {-1}),
            "rows": _rows(line, core),
            "sentence": self._words(name, core, len(cores)),
        }
        return self

    def _core(self, asked: int | None, cores: list[int]) -> int:
        """Return the core to show: the one asked for, else the one shown, or the nearest to it."""
        wanted = self.view.get("core", 0) if asked is None else int(asked)
        if wanted == ALL_CORES and len(cores) > 1:
            return wanted
        return min(cores, key=lambda one: abs(one - wanted))

    def _stretch(self, zoom: int, at: float | None) -> tuple[int, float]:
        """Return how many times enlarged, and where the stretch begins: inside the whole."""
        zoom = int(zoom) if int(zoom) in ZOOMS else self.view.get("zoom", 1)
        start = float(self.view.get("at", 0.0) if at is None else at)
        if not math.isfinite(start):
            raise InputError("A stretch begins at a share of the whole.", f"at={at}", "0 to 1")
        return zoom, min(max(start, 0.0), 1 - 1 / zoom)

    def _words(self, name: str, core: int, count: int) -> str:
        line = self._timelines[name]
        drawn = f"all {count} are" if core == ALL_CORES else f"core {core} is"
        words = (
            f"{line.kernel}, {name}: {time_text(line.elapsed_ns)} modelled on {line.cores} "
            f"core{'s' if line.cores > 1 else ''}{f' ({drawn} drawn)' if count > 1 else ''}, "
            f"bound by {line.bound}."
        )
        others = [(key, one) for key, one in self._timelines.items() if key != name]
        for key, one in others[:1]:
            words += f" {key} takes {one.elapsed_ns / line.elapsed_ns:.2f} times as long."
        return words

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose":
            wanted = ("variant", "core", "zoom", "at")
            self.choose(**{key: message[key] for key in wanted if key in message})


def _timeline(one: Any) -> Timeline:
    if isinstance(one, Run):
        return one.timeline
    if isinstance(one, Timeline):
        return one
    raise InputError(
        "This has no timeline to draw.",
        type(one).__name__,
        "what a launch returns, its timeline, or a dictionary of such",
    )


def _lanes(line: Timeline, core: int, begin: float, end: float, causes: list[str]) -> list:
    """Return the bars of each pipe in a stretch of time."""
    pipes: dict[tuple[int, str], list[Bar]] = {}
    for bar in line.bars:
        if core in (ALL_CORES, bar.core):
            lane = pipes.setdefault((bar.core, bar.pipe), [])
            if bar.stop_ns > begin and bar.start_ns < end:
                lane.append(bar)
    finest = (end - begin) / _MOST_BARS * max(1, len(pipes) // 8)
    lanes = []
    # as the data go: in, through, out
    order = sorted(pipes.items(), key=lambda item: (item[0][0], PIPE_INDEX[item[0][1]]))
    for (number, pipe), bars in order:
        name = f"{number} {pipe}" if core == ALL_CORES else pipe
        lanes.append({"pipe": name, "bars": _merged(bars, finest, causes)})
    return lanes


def _merged(bars: list[Bar], finest: float, causes: list[str]) -> list[dict[str, Any]]:
    """Return drawable bars; where several would be finer than a pixel they become one."""
    drawn: list[dict[str, Any]] = []
    for bar in bars:
        cause = causes.index(bar.cause) if bar.cause else -1
        last = drawn[-1] if drawn else {}
        fine = bar.stop_ns - bar.start_ns < finest
        if last and fine and last["cause"] == cause and _joins(last, bar, finest):
            last["stop_ns"], last["count"] = bar.stop_ns, last["count"] + 1
            continue
        drawn.append(
            {
                "start_ns": bar.start_ns,
                "stop_ns": bar.stop_ns,
                "name": bar.name,
                "where": f"{bar.file.rpartition('/')[2]}:{bar.line}",
                "cause": cause,
                "count": 1,
            }
        )
    return drawn


def _joins(last: dict[str, Any], bar: Bar, finest: float) -> bool:
    short = last["stop_ns"] - last["start_ns"] < finest * 2
    return short and bar.start_ns - last["stop_ns"] < finest


def _rows(line: Timeline, core: int) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    cores = {bar.core for bar in line.bars} if core == ALL_CORES else {core}
    for bar in line.bars:
        if bar.core in cores:
            row = rows.setdefault(
                bar.pipe, {"pipe": bar.pipe, "busy_ns": 0.0, "stall_ns": 0.0, "n": 0}
            )
            row["stall_ns" if bar.cause else "busy_ns"] += bar.stop_ns - bar.start_ns
            row["n"] += not bar.cause
    for row in rows.values():
        row["share"] = row["busy_ns"] / line.elapsed_ns / len(cores)
    return [rows[pipe] for pipe in sorted(rows, key=lambda name: PIPE_INDEX[name])]


def _stall(cause: int, palette: list[str]) -> dict[str, Any]:
    """Return how a cause is drawn: its colour; once all are used up, its outline, then dashed."""
    turn, place = divmod(cause, len(palette) - 1)
    colour = palette[1 + place]
    if not turn:
        return {"fill": colour, "fill_opacity": 0.6}
    return {"fill": "none", "stroke": colour} | ({"stroke_dasharray": "3 2"} if turn > 1 else {})


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a state: one lane for each pipe, hatched work, open gaps for waiting."""
    row_px = view["row_px"]
    height = 96 + row_px * len(view["lanes"]) + 18 * len(view["drawn"])
    picture = Picture(760, height, view["sentence"])
    top = 26 + 16 * picture.paragraph(8, 20, view["sentence"], letters=108)
    span = view["end_ns"] - view["begin_ns"]
    palette = [look()["palette"][name] for name in look()["palette"]]

    def x(ns: float) -> float:
        share = (ns - view["begin_ns"]) / span
        return _LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0)

    for row, lane in enumerate(view["lanes"]):
        y = top + row_px * row
        picture.text(8, y + row_px / 2, lane["pipe"])
        work: Any = picture.fill(palette[0], "modelled")
        for bar in lane["bars"]:
            box: dict[str, Any] = {"x": round(x(bar["start_ns"]), 1), "y": y, "height": row_px - 8}
            box["width"] = round(max(0.6, x(bar["stop_ns"]) - x(bar["start_ns"])), 1)
            if bar["cause"] < 0:
                picture.add("rect", **box, **work)
            else:
                box |= {"y": y + row_px / 2 - 7, "height": 6}
                picture.add("rect", **box, **_stall(bar["cause"], palette))
    bottom = top + row_px * len(view["lanes"])
    picture.text(_LEFT, bottom + 12, time_text(view["begin_ns"]), quiet=True)
    picture.text(
        _RIGHT, bottom + 10, f"{time_text(view['end_ns'])}, modelled", anchor="end", quiet=True
    )
    for row, cause in enumerate(view["drawn"]):
        y = bottom + 30 + 18 * row
        picture.add("rect", x=_LEFT, y=y - 8, width=16, height=6, **_stall(cause, palette))
        picture.text(_LEFT + 24, y, f"waits for {view['causes'][cause]}")
    return picture.svg()
