"""The controls of the live race: ipywidgets that say what the person chose, and show what is.

They hold no state of their own: the race shows its choices with `Controls.show`, and hears of a
change through one function. While a race runs, only Stop can be pressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from workbench.bench.arguments import CACHES

_ROW = ipywidgets.Layout(
    display="flex", flex_flow="row wrap", align_items="center", grid_gap="2px 12px"
)
_NARROW = {"description_width": "initial"}


class Controls(ipywidgets.VBox):
    """Problem, size, batch, seconds, cache and baseline; one box for each target; Start and Stop.

    Parameters
    ----------
    heard : callable
        ``heard(what, value)`` on every act: ``("start", None)``, ``("stop", None)``, or the name
        of a choice and what it became.
    """

    def __init__(self, heard: Callable[[str, Any], None]):
        self._tell, self._showing, self._boxes = heard, False, {}
        self.start = ipywidgets.Button(description="Start", button_style="primary")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.start.on_click(lambda _: heard("start", None))
        self.stop.on_click(lambda _: heard("stop", None))
        menu = {"style": _NARROW, "layout": {"width": "auto"}}
        self.choices = {
            "problem": ipywidgets.Dropdown(description="problem", **menu),
            "size": ipywidgets.SelectionSlider(
                options=[1], continuous_update=False, style=_NARROW, layout={"width": "320px"}
            ),
            "batch": ipywidgets.SelectionSlider(
                description="batch", options=[1], continuous_update=False, style=_NARROW
            ),
            "seconds": ipywidgets.Dropdown(description="seconds", **menu),
            "cache": ipywidgets.Dropdown(description="cache", options=CACHES, **menu),
            "baseline": ipywidgets.Dropdown(description="against", **menu),
        }
        for what, control in self.choices.items():
            control.observe(self._changed(what), "value")
        self.targets = ipywidgets.Box(layout=_ROW)
        row = ipywidgets.Box([self.start, self.stop, *self.choices.values()], layout=_ROW)
        super().__init__([row, self.targets])
        self.add_class("wb-race-controls")

    def show(self, choices: dict[str, Any], chosen: dict[str, Any], busy: bool) -> None:
        """Bring every control up to date, without telling anybody.

        Parameters
        ----------
        choices : dict
            What can be picked: ``problems``, ``sizes``, ``size_means``, ``batches``, ``seconds``
            and ``targets``.
        chosen : dict
            What is picked, by the names of the controls, and ``targets``.
        busy : bool
            Whether a race runs.
        """
        lanes = chosen["targets"]
        offered = {
            "problem": [(name, name) for name in choices["problems"]],
            "size": [(f"{size:,}", size) for size in choices["sizes"]],
            "batch": [(f"{batch}", batch) for batch in choices["batches"]],
            "seconds": [(f"{seconds:g}", seconds) for seconds in choices["seconds"]],
            "baseline": [(name, name) for name in lanes],
        }
        self._showing = True
        try:
            for what, options in offered.items():
                control = self.choices[what]
                if list(control.options) != options:
                    control.options = options
            for what, control in self.choices.items():
                control.value, control.disabled = chosen[what], busy
            self.choices["size"].description = choices["size_means"]
            self._show_targets(choices["targets"], lanes, busy)
            self.start.disabled, self.stop.disabled = busy or not lanes, not busy
        finally:
            self._showing = False

    def _show_targets(self, offered: list[dict[str, Any]], lanes: list[str], busy: bool) -> None:
        names = [one["name"] for one in offered]
        if list(self._boxes) != names:
            self._boxes = {name: self._box(name) for name in names}
            self.targets.children = tuple(self._boxes.values())
        for one in offered:
            box = self._boxes[one["name"]]
            box.value, box.disabled = one["name"] in lanes, busy or not one["usable"]

    def _box(self, name: str) -> ipywidgets.Checkbox:
        box = ipywidgets.Checkbox(description=name, indent=False, layout={"width": "auto"})
        box.observe(self._changed("targets"), "value")
        return box

    def _changed(self, what: str) -> Callable[[Any], None]:
        def changed(change: Any) -> None:
            if self._showing:
                return
            picked = [name for name, box in self._boxes.items() if box.value]
            self._tell(what, picked if what == "targets" else change["new"])

        return changed
