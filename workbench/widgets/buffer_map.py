"""What lies where in the buffers of an AI Core, over the time of a run.

The widget is handed a run (`workbench.aicore.Run`). Time runs to the right, bytes of the chosen
buffer upwards to its capacity; a rectangle is the stay of one tile. Times are modelled. It refuses
to run a kernel.
"""

from __future__ import annotations

from typing import Any

import traitlets

from workbench.aicore.machine import MEMORIES
from workbench.aicore.readings.tenancy import tenancies
from workbench.aicore.run import Run
from workbench.errors import InputError
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._static import Picture, look, time_text

_MOST_STAYS = 1500
_LEFT, _RIGHT, _TALL = 70, 740, 220


class BufferMap(Widget):
    """Bytes of a buffer against time, one rectangle for each stay of a tile.

    Parameters
    ----------
    run : Run
        A launch of a kernel that uses local memory.

    Examples
    --------
    >>> BufferMap(vector_add_queued[2](a, b, out))
    """

    _esm = load_js("buffer_map")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, run: Run):
        if not isinstance(run, Run):
            raise InputError(
                "This is not the run of a kernel.", type(run).__name__, "what a launch returns"
            )
        self._run, self._stays = run, tenancies(run)
        used = {one.place.buffer for one in run.recording.placements}
        self._buffers = [name for name in MEMORIES if name in used]
        if not self._buffers:
            raise InputError(
                "There is nothing to draw.",
                f"{run.recording.kernel} uses no local memory",
                "launch a kernel with a Queue or a scratch tensor",
            )
        self.choose(self._buffers[0], 0)
        super().__init__()  # last: the page is to be opened with all that it shows
        self.on_msg(self._heard)

    def choose(self, buffer: str = "", core: int | None = None) -> BufferMap:
        """Show another buffer or core; what the run does not have leaves the old one."""
        recording = self._run.recording
        cores = sorted({one.core for one in recording.placements})
        buffer = buffer if buffer in self._buffers else self.view["buffer"]
        core = core if core in cores else self.view.get("core", cores[0])
        rows = _rows(recording, buffer, core)
        names = list(dict.fromkeys(row["name"] for row in rows))
        stays = [one for one in self._stays if one.core == core and one.buffer == buffer]
        held = sum(row["total_bytes"] for row in rows)
        capacity = recording.chip.capacity(buffer)
        self.view = {
            "buffers": self._buffers,
            "buffer": buffer,
            "cores": cores,
            "core": core,
            "capacity_bytes": capacity,
            "elapsed_ns": self._run.timeline.pipes_ns,
            "names": names,
            "stays": [
                {
                    "name": names.index(one.name),
                    "slot": one.slot,
                    "offset": one.offset,
                    "nbytes": one.nbytes,
                    "start_ns": one.start_ns,
                    "stop_ns": one.stop_ns,
                    "line": one.line,
                }
                for one in stays[:_MOST_STAYS]
            ],
            "rows": rows,
            "sentence": _words(recording, buffer, core, held, capacity, len(stays)),
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
            self.choose(**{k: v for k, v in message.items() if k in ("buffer", "core")})


def _words(recording, buffer, core, held, capacity, count) -> str:
    shown = f", the first {_MOST_STAYS} drawn" if count > _MOST_STAYS else ""
    return (
        f"{recording.kernel} gives out {held:,} of {capacity:,} bytes of {buffer} on core {core} "
        f"({held / capacity:.0%}); tiles stay there {count:,} times{shown}. Times are modelled."
    )


def _rows(recording, buffer, core) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for one in recording.placements:
        if one.core == core and one.place.buffer == buffer:
            row = rows.setdefault(
                one.name,
                {"name": one.name, "depth": 0, "each_bytes": one.place.nbytes, "total_bytes": 0},
            )
            row["depth"] += 1
            row["total_bytes"] += one.place.nbytes
    return list(rows.values())


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a state."""
    names = view["names"]
    picture = Picture(760, 110 + _TALL + 18 * len(names), view["sentence"])
    top = 26 + 16 * picture.paragraph(8, 20, view["sentence"], letters=108)
    palette = list(look()["palette"].values())
    width = (_RIGHT - _LEFT) / max(view["elapsed_ns"], 1e-9)
    tall = _TALL / view["capacity_bytes"]
    picture.add(
        "rect", x=_LEFT, y=top, width=_RIGHT - _LEFT, height=_TALL, fill="none", stroke="#888"
    )
    colours = [palette[number % len(palette)] for number in range(len(names))]
    fills: list[Any] = [picture.fill(colour, "modelled") for colour in colours]
    for one in view["stays"]:
        picture.add(
            "rect",
            x=round(_LEFT + one["start_ns"] * width, 1),
            y=round(top + _TALL - (one["offset"] + one["nbytes"]) * tall, 1),
            width=round(max(0.6, (one["stop_ns"] - one["start_ns"]) * width), 1),
            height=round(max(1.0, one["nbytes"] * tall), 1),
            **fills[one["name"]],
        )
    picture.text(8, top + 10, f"{view['capacity_bytes'] // 1024} KiB", quiet=True)
    picture.text(8, top + _TALL, "0", quiet=True)
    end = f"{time_text(view['elapsed_ns'])}, modelled"
    picture.text(_RIGHT, top + _TALL + 16, end, anchor="end", quiet=True)
    for number, name in enumerate(names):
        y = top + _TALL + 34 + 18 * number
        picture.add("rect", x=_LEFT, y=y - 10, width=16, height=12, **fills[number])
        picture.text(_LEFT + 24, y, name)
    return picture.svg()
