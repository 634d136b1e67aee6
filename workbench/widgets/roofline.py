"""Where work lies under the roof of a device: arithmetic intensity against throughput.

Roofs come from data sheets (`workbench.hardware`); where the sheets disagree the roof is a band.
Points are measurements, each drawn for its provenance, under the roof of the device that ran them
or of one that a reader wants to think about. A point above a roof is said to be impossible there.

It refuses to place a number without bytes and operations, and to extrapolate past the roof.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import traitlets

from workbench import hardware
from workbench.bench.arguments import listed
from workbench.bench.records import Run
from workbench.errors import InputError, UnavailableError
from workbench.measurement import Provenance
from workbench.widgets import _roofline_picture
from workbench.widgets._loader import Widget, load_js

DTYPES = ("float64", "float32", "tfloat32", "bfloat16", "float16", "float8", "int8")


class Roofline(Widget):
    """Rooflines of devices, and the work that was measured.

    Parameters
    ----------
    devices : iterable of str
        Names of data sheets, see `workbench.hardware.device_names`.
    runs : iterable of Run, optional
        Races whose lanes become points.
    dtype : str
        The data type of the compute roof.
    density : {"dense", "sparse"}

    Examples
    --------
    >>> Roofline(["nvidia_h200", "ascend_910b1"], runs=[race.session.run])
    """

    _esm = load_js("roofline")
    offers = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        devices: Iterable[str] = ("nvidia_h200",),
        runs: Iterable[Run] = (),
        *,
        dtype: str = "float16",
        density: str = "dense",
    ):
        super().__init__()
        example = 'Roofline(["nvidia_h200"], runs=[race.session.run])'
        self._devices = listed("devices", devices, example, str)
        self._dtype, self._density = dtype, density
        self._points: list[dict[str, Any]] = []
        self.offers = {"devices": list(hardware.device_names()), "dtypes": list(DTYPES)}
        for name in self._devices:
            hardware.data_sheet(name)
        for run in listed("runs", runs, example, Run):
            self._points += points(run)
        self._show()
        self.on_msg(self._heard)

    def add(self, run: Run) -> Roofline:
        """Add the lanes of one more run."""
        self._points += points(run)
        self._show()
        return self

    def add_point(
        self,
        label: str,
        intensity: float,
        gflop_per_s: float,
        provenance: str | Provenance,
        source: str,
    ) -> Roofline:
        """Add one point of your own: a model's prediction, or a claim of a data sheet.

        Parameters
        ----------
        label, source : str
            `source` says where it comes from, and is shown.
        intensity : float
            Operations per byte.
        gflop_per_s : float
        provenance : str
        """
        numbers = all(
            isinstance(value, (int, float, np.number)) and 0 < value < math.inf
            for value in (intensity, gflop_per_s)
        )
        if not numbers or not source or provenance not in {str(one) for one in Provenance}:
            raise InputError(
                "That is no point of a roofline.",
                f"intensity={intensity!r}, gflop_per_s={gflop_per_s!r}, source={source!r}, "
                f"provenance={str(provenance)!r}",
                "both numbers are finite and above zero, the source is named, and the provenance "
                f"is one of {', '.join(Provenance)}",
            )
        self._points.append(
            {
                "label": label,
                "intensity": intensity,
                "gflop_per_s": gflop_per_s,
                "provenance": str(Provenance(provenance)),
                "source": source,
            }
        )
        self._show()
        return self

    def sentence(self) -> str:
        """Return what the picture shows now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return _roofline_picture.draw(self.view)

    def _show(self) -> None:
        roofs, missing = [], []
        for name in self._devices:
            try:
                roofs.append(_roof(name, self._dtype, self._density))
            except UnavailableError as error:
                missing.append({"device": name, "why": error.happened})
        rows = [_place(point, roofs) for point in self._points]
        self.view = {
            "dtype": self._dtype,
            "density": self._density,
            "devices": list(self._devices),
            "roofs": roofs,
            "missing": missing,
            "points": rows,
            "sentence": _sentence(rows, roofs, self._dtype),
        }
        self.settle()

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        """Act on a menu of the page."""
        known = {"dtype": DTYPES, "device": hardware.device_names()}
        what, value = str(message.get("what")), str(message.get("value"))
        if what not in known or value not in known[what]:
            return
        if what == "dtype":
            self._dtype = value
        elif value in self._devices:
            self._devices.remove(value)
        else:
            self._devices.append(value)
        self._show()


def points(run: Run) -> list[dict[str, Any]]:
    """Return a run's lanes as points, at the intensity that the problem states."""
    if not (run.bytes_moved and run.operations):
        raise InputError(
            "This run cannot be placed under a roof.",
            f"{run.problem} states {run.bytes_moved} bytes and {run.operations} operations",
            "give the problem bytes_moved and operations",
        )
    where = f"{run.problem}, {run.size:,} {run.size_means}; {run.where()}, {run.started_at}"
    return [
        {
            "label": one.target,
            "intensity": run.operations / run.bytes_moved,
            "gflop_per_s": run.operations / one.median_ns,
            "provenance": str(one.provenance),
            "source": f"{where}; {one.model} ({one.stated_error})" if one.model else where,
        }
        for one in run.measurements()
    ]


def _roof(name: str, dtype: str, density: str) -> dict[str, Any]:
    roof = hardware.roofline(name, dtype, density)
    sources = {fact.source for band in (roof.compute, roof.bandwidth) for fact in band.facts}
    return {
        "device": name,
        "title": hardware.data_sheet(name).title,
        "compute_gflop_per_s": [1e3 * value for value in roof.compute],
        "bandwidth_gb_per_s": [1e3 * value for value in roof.bandwidth],
        "ridge": list(roof.ridge),
        "agreed": roof.compute.agreed and roof.bandwidth.agreed,
        "sources": sorted(sources),
    }


def _place(point: dict[str, Any], roofs: list[dict[str, Any]]) -> dict[str, Any]:
    """Say for one point what share of each roof it reaches."""
    shares = {}
    for roof in roofs:
        peak = max(roof["compute_gflop_per_s"])
        most = min(peak, point["intensity"] * max(roof["bandwidth_gb_per_s"]))
        shares[roof["device"]] = point["gflop_per_s"] / most
    return {**point, "shares": shares}


def _sentence(rows: list[dict], roofs: list[dict], dtype: str) -> str:
    if not roofs:
        return f"No data sheet here has a {dtype} roof for these devices: nothing can be told."
    device = roofs[0]
    if not rows:
        ends = " to ".join(f"{end:.0f}" for end in sorted(set(device["ridge"])))
        return (
            f"On {device['title']} work below {ends} operations a byte waits for memory; nothing "
            "measured is shown."
        )
    best = max(rows, key=lambda row: row["shares"][device["device"]])
    share = best["shares"][device["device"]]
    if share > 1:
        return (
            f"{best['label']} lies above the roof of {device['title']}: it cannot have run there, "
            "or its bytes and operations are wrong."
        )
    bound = "memory" if best["intensity"] < max(device["ridge"]) else "arithmetic"
    return (
        f"{best['label']} reaches {share:.2%} of what {device['title']} could do at "
        f"{best['intensity']:.3g} operations a byte, where {bound} is the limit."
    )
