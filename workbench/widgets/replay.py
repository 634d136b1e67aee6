"""Somebody's recorded run, played again with its own samples.

So that a student without the hardware sees the real thing: every sample that was taken, in the
order it was taken, under a caption that names the machine and the date. All numbers are marked as
recorded. It refuses to show a run that does not say where it comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from workbench import catalog
from workbench.bench import recording
from workbench.bench.records import Run
from workbench.bench.summary import summarise
from workbench.errors import InputError, UnknownNameError
from workbench.widgets import _race_picture
from workbench.widgets._loader import Widget, load_js

LARGEST_SAMPLES = 1500
"""So many samples of a lane travel to the page; a longer series is thinned evenly."""


def recordings() -> list[str]:
    """Return the recordings in ``datasets/recordings``, by file name without ``.json``."""
    return sorted(path.stem for path in (catalog.folder("datasets") / "recordings").glob("*.json"))


def recording_path(name: str | Path) -> Path:
    """Return the file of a recording: one of ours by name, or a path to another.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    InputError
        Where it is neither a name nor a path.
    """
    if not isinstance(name, (str, Path)):
        raise InputError(
            "That is no recording.",
            repr(name),
            "a name, a file, or a run: " + ", ".join(recordings()),
        )
    if Path(name).suffix in recording.KINDS and Path(name).is_file():
        return Path(name)
    if str(name) not in recordings():
        raise UnknownNameError("recording", str(name), recordings())
    return catalog.folder("datasets") / "recordings" / f"{name}.json"


class Replay(Widget):
    """A recorded run with Play and Pause.

    Parameters
    ----------
    source : str, Path or Run
        A recording of ours by name, a recording's file, or a run.
    which : int
        Which run of a recording that holds several.
    """

    _esm = load_js("replay")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, source: str | Path | Run, which: int = 0):
        super().__init__()
        runs = [source] if isinstance(source, Run) else recording.read(recording_path(source))
        if not (isinstance(which, int) and 0 <= which < len(runs)):
            raise InputError("There is no such run.", f"number {which!r}", f"0 to {len(runs) - 1}")
        self.run = runs[which]
        if not (self.run.machine and self.run.started_at):
            raise InputError(
                "A run without machine and date cannot be replayed.", self.run.uuid[:8], ""
            )
        self.view = {
            **summarise(self.run),
            "caption": self.caption(),
            "series": [_series(lane) for lane in self.run.lanes.values() if lane.samples_ns],
        }

    def caption(self) -> str:
        """Return where and when it was recorded."""
        run = self.run
        kind = "Recorded" if run.recorded else "Measured here"
        return (
            f"{kind}: {run.problem}, {run.size:,} {run.size_means}, batch {run.batch}, "
            f"{run.cache} cache, {run.threads} thread{'' if run.threads == 1 else 's'}, on "
            f"{run.where()}, {run.started_at}"
        )

    def sentence(self) -> str:
        """Return what the picture shows."""
        return f"{self.caption()}. {self.view['sentence']}"

    def picture(self) -> str:
        """Return the static SVG of the whole run."""
        return _race_picture.draw({**self.view, "sentence": self.sentence()})


def _series(lane: Any) -> dict[str, Any]:
    """Return a lane's samples with their rounds, thinned evenly where there are very many."""
    step = -(-len(lane.samples_ns) // LARGEST_SAMPLES)
    return {
        "label": lane.label,
        "rounds": list(lane.rounds[::step]),
        "samples_ns": [round(ns, 1) for ns in lane.samples_ns[::step]],
        "every": step,
    }
