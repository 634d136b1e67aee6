"""Latency against size on logarithmic axes, with the sizes from which one target beats another.

It shows the runs of a sweep, live while the sweep goes on. What it says of crossings comes from
`workbench.bench.scaling`, which claims none that was not measured from both sides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets

from workbench.bench.arguments import listed
from workbench.bench.records import Run
from workbench.bench.scaling import crossing_words, scaling
from workbench.bench.sweep import Sweep
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.widgets import _scaling_picture
from workbench.widgets._loader import Widget, load_js

EXAMPLE = 'Scaling(Sweep("mine", ["saxpy"])) or Scaling([race.session.run])'


class Scaling(Widget):
    """Lines over size.

    Parameters
    ----------
    source : Sweep or iterable of Run
        A sweep is followed live; Start and Stop drive it. Runs are shown as they are.
    problem : str, optional
        Which problem of a sweep over several; the first by default.

    Examples
    --------
    >>> Scaling(Sweep("mine", ["saxpy"], ["numpy", "torch_cpu"], seconds=2))
    """

    _esm = load_js("scaling")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, source: Sweep | Iterable[Run], problem: str | None = None):
        super().__init__()
        self.sweep = source if isinstance(source, Sweep) else None
        self._runs = [] if isinstance(source, Sweep) else listed("runs", source, EXAMPLE, Run)
        offered = sorted({cell.problem for cell in self.sweep.cells}) if self.sweep else []
        if problem and self.sweep and problem not in offered:
            raise UnknownNameError("problem in this sweep", problem, offered)
        self._problem = problem or (self.sweep.cells[0].problem if self.sweep else None)
        self._progress, self._state, self._trouble = "", "new" if self.sweep else "done", ""
        if self.sweep:
            self.sweep.subscribe(self._heard_sweep)
            self._runs, damaged = self.sweep.newest(self._problem)
            self._trouble = "\n".join(str(error) for error in damaged)
        self._show()
        self.on_msg(self._heard)

    def start(self) -> Scaling:
        """Start the sweep, or go on with it under the same name."""
        if self.sweep is not None and self._state != "racing":
            if self.sweep.done:
                self.sweep = self.sweep.again()
                self.sweep.subscribe(self._heard_sweep)
            self.sweep.start()
            self._state, self._trouble = "racing", ""
            self._show()
        return self

    def stop(self) -> Scaling:
        """Stop it; what was measured stays, and Start goes on."""
        if self.sweep is not None:
            self.sweep.stop()
        return self

    def join(self, timeout: float | None = None) -> Scaling:
        """Wait for the end of the sweep, at most `timeout` seconds."""
        if self.sweep is not None:
            self.sweep.join(timeout)
        return self

    def sentence(self) -> str:
        """Return what the picture shows now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return _scaling_picture.draw(self.view)

    def _show(self) -> None:
        shown = [run for run in self._runs if self._problem in (None, run.problem)]
        found = scaling(shown)
        for crossing in found["crossings"]:
            crossing["words"] = crossing_words(crossing, found["size_means"])
        self.view = {
            **found,
            "state": self._state,
            "live": self.sweep is not None,
            "progress": self._progress,
            "trouble": self._trouble,
            "sentence": _sentence(found),
        }

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        try:
            {"start": self.start, "stop": self.stop}[message["do"]]()
        except WorkbenchError as error:
            self._trouble = str(error)
            self._show()

    def _heard_sweep(self, event: dict[str, Any]) -> None:
        """Follow the sweep, from its thread."""
        kind = event["event"]
        if kind == "progress":
            return
        if kind in ("finished", "stopped"):
            self._state, self._progress = "done", f"{kind}: {_cells(event['cells'])}"
        else:
            where = f"{event['problem']} at {event['size']:,}"
            self._progress = f"{event['cell'] + 1} of {event['cells']}: {where}, {kind}"
            if kind == "failed":
                self._trouble = event["error"]
            if kind == "left out":
                self._trouble = f"without {event['target']}: {event['reason']}"
        drawn = kind == "measured" and event["problem"] == self._problem
        if drawn and self.sweep is not None:
            self._runs.append(self.sweep.store.load(event["run"]))
        self._show()
        if kind in ("measured", "finished", "stopped"):
            self.settle()


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _sentence(found: dict[str, Any]) -> str:
    sizes = {point["size"] for line in found["lines"] for point in line["points"]}
    if not sizes:
        return "Nothing has been measured yet, so nothing can be told."
    if found["crossings"]:
        return ". ".join(crossing["words"] for crossing in found["crossings"][:2]) + "."
    span = f"{min(sizes):,} to {max(sizes):,} {found['size_means']}"
    return f"No crossing was found from {span}; beyond that nothing is known."
