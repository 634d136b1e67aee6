"""Where the nodes of a model run: two lanes, the copies between them as crossings.

The widget is handed a function that answers "will it run there?" and asks it when provider, mode or
opset is changed; an answer is kept. Nodes stand in the order of execution, on the device's lane or
on the host's. It opens no session itself and shows no times: over a stand-in there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from workbench.errors import InputError, WorkbenchError
from workbench.portability.placement import Placement
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._static import Picture, look

IN_A_ROW = 14
_MOST = 400
_STEP, _TALL, _LEFT = 50, 92, 64
_LISTS = ("rows", "refused", "copies", "copied", "disagreements", "sources", "notes")
_NOTHING = {**{name: [] for name in _LISTS}, "failed": True, "provenance": "measured"}
_MOST_COPIES = 100


class PlacementView(Widget):
    """The placement of one model, with its provider, mode and opset to choose.

    Parameters
    ----------
    ask : callable
        ``ask(provider, mode, opset) -> Placement``. Errors of the workbench are shown as words.
    providers : mapping
        Provider to its modes, for instance ``{"cann": ["operators", "graph"], "cuda": [""]}``.
    opsets : sequence of int

    Examples
    --------
    >>> preview = Preview()
    >>> PlacementView(lambda provider, mode, opset: preview(models[opset], provider, mode),
    ...               {"cann": ["operators", "subgraphs", "graph"], "cuda": [""]}, [18, 20, 22])
    """

    _esm = load_js("placement_view")
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        ask: Callable[[str, str, int], Placement],
        providers: Mapping[str, Sequence[str]],
        opsets: Sequence[int],
    ):
        super().__init__()
        if not providers or not opsets:
            raise InputError("There is nothing to choose from.", f"{providers}, {opsets}")
        self._ask, self._known = ask, {}
        self._providers = {name: list(modes) or [""] for name, modes in providers.items()}
        self._opsets = list(opsets)
        self.choose(next(iter(self._providers)), "", self._opsets[0])
        self.on_msg(self._heard)

    def choose(
        self, provider: str | None = None, mode: str | None = None, opset: int | None = None
    ) -> PlacementView:
        """Show another provider, mode or opset; what is not offered leaves the old one."""
        before = self.view.get("chosen", {})
        provider = provider if provider in self._providers else before.get("provider")
        modes = self._providers[provider]
        mode = next((m for m in (mode, before.get("mode")) if m in modes), modes[0])
        opset = opset if opset in self._opsets else before.get("opset", self._opsets[0])
        self.view = {
            "providers": list(self._providers),
            "modes": modes,
            "opsets": self._opsets,
            "chosen": {"provider": provider, "mode": mode, "opset": opset},
            **self._answer(provider, mode, opset),
        }
        return self

    def _answer(self, provider: str, mode: str, opset: int) -> dict[str, Any]:
        key = (provider, mode, opset)
        if key not in self._known:
            try:
                self._known[key] = state_of(self._ask(provider, mode, opset))
            except WorkbenchError as error:
                words = f"{error.happened} {error.saw} Try: {error.advice}"
                return {**_NOTHING, "sentence": words}
        return self._known[key]

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose":
            self.choose(**{k: v for k, v in message.items() if k in ("provider", "mode", "opset")})


def state_of(placement: Placement) -> dict[str, Any]:
    """Return a placement as the plain JSON that the widget draws."""
    nodes = [
        {
            "name": n.name,
            "operator": n.operator,
            "on": n.provider == placement.provider,
            "nobody": not n.provider,
        }
        for n in placement.nodes[:_MOST]
    ]
    for before, node in zip([None, *nodes], nodes, strict=False):
        node["crosses"] = before is not None and before["on"] != node["on"]
    refused: dict[tuple[str, str], int] = {}
    for node in placement.refused:
        key = (node.operator, node.reason)
        refused[key] = refused.get(key, 0) + 1
    notes = list(placement.notes)
    if len(placement.nodes) > _MOST:
        notes.append(f"The first {_MOST} of {len(placement.nodes)} nodes are drawn.")
    return {
        "sentence": f"At opset {placement.opset}, {placement.sentence}",
        "rows": [nodes[at : at + IN_A_ROW] for at in range(0, len(nodes), IN_A_ROW)],
        "refused": [
            {"operator": name, "nodes": count, "reason": reason}
            for (name, reason), count in sorted(refused.items(), key=lambda item: -item[1])
        ],
        "copies": [
            {
                "tensor": copy.value,
                "direction": copy.direction,
                "bytes": "open" if copy.bytes_moved is None else f"{copy.bytes_moved:,}",
            }
            for copy in placement.copies[:_MOST_COPIES]
        ],
        "copied": _copied(placement),
        "disagreements": list(placement.disagreements),
        "sources": [*placement.sources, *placement.optimised],
        "notes": notes,
        "failed": False,
        "provenance": placement.provenance.value,
    }


def _copied(placement: Placement) -> list[str]:
    """Return what the copies move in all, in words; nothing where there are none."""
    copies = placement.copies
    if not copies:
        return []
    known = [copy.bytes_moved for copy in copies if copy.bytes_moved is not None]
    words = (
        f"Copies of known size: {len(known)} of {len(copies)}, {sum(known):,} bytes in each run."
    )
    more = f"The first {_MOST_COPIES} of {len(copies)} copies are listed."
    return [words, more] if len(copies) > _MOST_COPIES else [words]


def draw(view: dict[str, Any]) -> str:
    """Return the static SVG of a view."""
    rows = view["rows"]
    width = _LEFT + _STEP * IN_A_ROW + 20
    picture = Picture(width, 60 + _TALL * len(rows), view["sentence"])
    lines = picture.paragraph(8, 18, view["sentence"], letters=110)
    blue, red = look()["palette"]["blue"], look()["palette"]["vermillion"]
    for number, row in enumerate(rows):
        top = 20 + 16 * lines + _TALL * number
        picture.text(8, top + 20, "device", quiet=True)
        picture.text(8, top + 60, "host", quiet=True)
        for at, node in enumerate(row):
            x, y = _LEFT + _STEP * at, top + (4 if node["on"] else 44)
            if node["crosses"]:
                picture.line(x - 8, top + 10, x - 8, top + 64, stroke=red, stroke_width=2)
            colour = blue if node["on"] else red
            drawn = {"fill": colour if node["on"] else "#fff", "stroke": colour}
            if node["nobody"]:
                drawn.update(stroke_width=3)
            if view["provenance"] == "recorded":
                drawn.update(stroke="#222", stroke_dasharray="2 2")
            picture.add("rect", x=x, y=y, width=40, height=24, rx=3, **drawn)
            ink = "#fff" if node["on"] else "#222"
            short = node["operator"][:7]
            picture.add(
                "text", short, x=x + 20, y=y + 16, font_size=9, text_anchor="middle", fill=ink
            )
    return picture.svg()
