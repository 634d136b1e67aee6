"""Where each byte of a device's memory is: live blocks and their views, cached blocks, free.

The widget is handed ranges (`workbench.torch_device.memory_map`), of one moment or of several to
step through. Widths follow the logarithm of the size, so that small blocks are seen. It refuses to
allocate anything.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from workbench.widgets._loader import Widget, load_js
from workbench.widgets._records import as_rows
from workbench.widgets._static import Picture, look

_FIELDS = ("start", "nbytes", "state", "stream", "views")
STATES = {"live": "blue", "cached": "orange", "free": "grey"}
"""State -> colour of the palette; free ranges are drawn as outlines."""
_LEFT, _WIDE = 10, 740


class MemoryMap(Widget):
    """Ranges of device memory in order of addresses.

    Parameters
    ----------
    moments : mapping of str to iterable of Range
        Name of each moment -> the ranges then.

    Examples
    --------
    >>> MemoryMap({"before": before, "after": wb.memory_map()})
    """

    _esm = load_js("memory_map")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, moments: Mapping[str, Iterable[Any]]):
        super().__init__()
        self._moments = {str(n): as_rows(r, _FIELDS, "range of memory") for n, r in moments.items()}
        as_rows([{}] if self._moments else [], (), "moment")
        self.choose(next(iter(self._moments)), -1)
        self.on_msg(self._heard)

    def choose(self, moment: str = "", at: int | None = None) -> MemoryMap:
        """Show another moment or range; what is not there leaves the old one."""
        moment = moment if moment in self._moments else self.view["moment"]
        rows = self._moments[moment]
        at = self.view.get("at", -1) if at is None else at
        held = Counter()
        for row in rows:
            held[row["state"]] += row["nbytes"]
        self.view = {
            "moments": list(self._moments), "moment": moment, "at": min(at, len(rows) - 1),
            "ranges": [row | {"wide": _share(row, rows)} for row in rows], "states": dict(STATES),
            "sentence": f"{moment}: {held['live']:,} bytes live in "
            f"{sum(r['state'] == 'live' for r in rows)} blocks, {held['cached']:,} bytes cached "
            f"for reuse, {held['free']:,} bytes free.",
        }  # fmt: skip
        return self

    def sentence(self) -> str:
        """Return how much is live, cached and free."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        palette = look()["palette"]
        picture = Picture(760, 70, self.view["sentence"])
        x = float(_LEFT)
        for row in self.view["ranges"]:
            kind = "datasheet" if row["state"] == "free" else "measured"
            style = picture.fill(palette[STATES[row["state"]]], kind)
            wide = round(row["wide"] * _WIDE, 2)
            picture.add("rect", x=round(x, 2), y=20, width=wide, height=36, **style)
            x += wide
        return picture.svg()

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose" and isinstance(message.get("at", 0), int):
            self.choose(str(message.get("moment", "")), message.get("at"))


def _share(row: dict[str, Any], rows: list[dict[str, Any]]) -> float:
    """Return a range's share of the width: by the logarithm of its size in blocks of 256 bytes."""

    def size(one):
        return 1 + math.log2(max(one["nbytes"], 256) / 256)

    return size(row) / sum(size(one) for one in rows)
