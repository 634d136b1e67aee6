"""Which lanes touch which sectors or banks, with what-ifs: padding, stride, block width.

The widget is handed a `workbench.simt.inspector.AccessPattern`. It refuses to run anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from workbench.errors import InputError
from workbench.simt.inspector.metrics import BANK_BYTES, BANKS, SECTOR_BYTES
from workbench.simt.inspector.pattern import AccessPattern
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._static import Picture

PADDINGS, STRIDES = tuple(range(9)), (1, 2, 3, 4, 8, 16, 32)
_MOST_REQUESTS = 64
_COLOUR = "#0072B2"


class AccessMap(Widget):
    """One access in the source, one request at a time.

    Parameters
    ----------
    pattern : AccessPattern
        What `workbench.simt.inspector.access_pattern` returned.

    Examples
    --------
    >>> pattern = access_pattern(transpose[1, (32, 32)], a, out, access="tile[x, y]")
    >>> AccessMap(pattern)
    """

    _esm = load_js("access_map")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, pattern: AccessPattern):
        super().__init__()
        self._pattern = pattern
        self._chosen = {
            "request": 0, "padding": 0, "stride": 1, "block_width": pattern.block.x,
        }  # fmt: skip
        self._show("")
        self.on_msg(self._heard)

    def choose(self, **what: int) -> AccessMap:
        """Ask what would happen: ``request``, ``padding``, ``stride`` or ``block_width``.

        Raises
        ------
        InputError
            Where a value is no what-if, or the pattern cannot tell.
        """
        chosen = {**self._chosen, **{name: int(value) for name, value in what.items()}}
        last = len(self._pattern.elements) - 1
        chosen["request"] = int(np.clip(chosen["request"], 0, last))
        if chosen["padding"] < 0 or chosen["stride"] < 1:
            raise InputError("That is no layout.", str(what), "padding from 0, stride from 1")
        self._elements(chosen)
        self._chosen = chosen
        self._show("")
        return self

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") != "choose" or message.get("what") not in self._chosen:
            return
        try:
            self.choose(**{message["what"]: message["value"]})
        except InputError as error:
            self._show(str(error))

    def _elements(self, chosen: dict[str, int]) -> np.ndarray:
        return self._pattern.changed(**chosen)

    def _show(self, trouble: str) -> None:
        pattern, chosen = self._pattern, self._chosen
        elements = self._elements(chosen)
        shared = pattern.space == "shared"
        cells = _banks if shared else _sectors
        self.view = {
            "line": pattern.line,
            "text": pattern.text,
            "space": pattern.space,
            "chosen": dict(chosen),
            "written": pattern.block.x,
            "choices": {
                "request": list(range(min(_MOST_REQUESTS, len(pattern.elements)))),
                "padding": list(PADDINGS),
                "stride": list(STRIDES),
                "block_width": _widths(pattern),
            },
            "turns": pattern.turns(elements),
            "cells": cells(elements, pattern.itemsize_bytes),
            "sentence": self._sentence(elements),
            "trouble": trouble,
        }

    def _sentence(self, elements: np.ndarray) -> str:
        pattern = self._pattern
        now = pattern.turns(elements)
        was = pattern.turns(pattern.elements[self._chosen["request"]])
        lanes = int((elements >= 0).sum())
        said = {
            "shared": f"the banks need {now} turn{'s' if now != 1 else ''}",
            "global": f"they touch {now} sector{'s' if now != 1 else ''} of {SECTOR_BYTES} bytes",
        }[pattern.space]
        change = "" if now == was else f" (as written: {was})"
        return (
            f"{pattern.text} on line {pattern.line}, request {self._chosen['request'] + 1}: "
            f"{lanes} lanes {pattern.kind} {lanes * pattern.itemsize_bytes} bytes, and {said}"
            f"{change}."
        )


def _widths(pattern: AccessPattern) -> list[int]:
    """Return the block widths that can be asked for: powers of two that divide the block."""
    if not pattern.is_affine or pattern.block.z > 1:
        return [pattern.block.x]
    powers = {1 << k for k in range(11)}
    good = {width for width in powers if pattern.block.count % width == 0}
    return sorted(good | {pattern.block.x})


def _sectors(elements: np.ndarray, itemsize: int) -> list[dict[str, Any]]:
    """Return the touched sectors, each with the lanes at each of its elements."""
    slots = max(1, SECTOR_BYTES // itemsize)
    found: dict[int, list[list[int]]] = {}
    for lane, element in enumerate(elements.tolist()):
        if element >= 0:
            first = element * itemsize // SECTOR_BYTES
            slot = element * itemsize % SECTOR_BYTES // itemsize
            found.setdefault(first, [[] for _ in range(slots)])[slot].append(lane)
    return [{"number": number, "lanes": lanes} for number, lanes in sorted(found.items())]


def _banks(elements: np.ndarray, itemsize: int) -> list[dict[str, Any]]:
    """Return every bank with the words wanted from it, and by which lanes."""
    found: list[dict[int, list[int]]] = [{} for _ in range(BANKS)]
    for lane, element in enumerate(elements.tolist()):
        if element >= 0:
            for word in range(max(1, itemsize // BANK_BYTES)):
                number = element * itemsize // BANK_BYTES + word
                found[number % BANKS].setdefault(number, []).append(lane)
    return [
        {"number": bank, "lanes": [lanes for _, lanes in sorted(words.items())]}
        for bank, words in enumerate(found)
    ]


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a state."""
    tall = view["space"] == "shared"
    rows = max((len(one["lanes"]) for one in view["cells"]), default=1) if tall else 0
    height = 80 + (16 * rows if tall else 20 * len(view["cells"]))
    picture = Picture(760, height, view["sentence"])
    y = 20 + 16 * picture.paragraph(8, 20, view["sentence"], letters=108)
    for at, one in enumerate(view["cells"]):
        if tall:
            picture.text(20 + 23 * at, y, str(one["number"]), anchor="middle", quiet=True)
        else:
            picture.text(60, y + 13 + 20 * at, str(one["number"]), anchor="end", quiet=True)
        for slot, lanes in enumerate(one["lanes"]):
            if not lanes and tall:
                continue
            x, top = (9 + 23 * at, y + 6 + 16 * slot) if tall else (70 + 80 * slot, y + 20 * at)
            width = 22 if tall else 76
            picture.add(
                "rect", x=x, y=top, width=width, height=14, fill=_COLOUR,
                fill_opacity=0.35 if lanes else 0.06,
            )  # fmt: skip
            picture.text(x + width / 2, top + 11, lane_text(lanes), anchor="middle")
    return picture.svg()


def lane_text(lanes: list[int]) -> str:
    """Return the lanes in few letters: ``3``, ``0–31``, ``4 lanes``."""
    if len(lanes) < 2:
        return str(lanes[0]) if lanes else ""
    if lanes[-1] - lanes[0] == len(lanes) - 1:
        return f"{lanes[0]}–{lanes[-1]}"
    return f"{len(lanes)} lanes"
