"""Under what conditions a number was taken: load, clock rate, temperature, throttling.

Read from the operating system between calls, as often as a hundredth of the time allows
(`SHARE`; a reading takes about 20 µs): where a call takes 2 ms or more every sample has a reading
of its own before and after it, and faster calls share one. Every sample belongs to one span
between two readings. Where a file is not there (another system, a container) the value is None and
no sentence is made of it. Some of these the system itself renews seldom: the load every 5 s, steal
every 10 ms, throttling once in the container's period, usually 100 ms.

Sources: proc(5) (``/proc/loadavg``, ``/proc/stat``), the kernel's cgroup-v2 documentation
(``cpu.stat``: ``nr_periods``, ``nr_throttled``, ``throttled_usec``), sysfs ``cpufreq`` and
``thermal``.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

SHARE = 0.01
"""The most of the time that reading may take."""
_NOW = time.perf_counter_ns  # bound before any learner's code runs
_SPOILERS = {
    "throttled_share": "Throttled by the container's limit",
    "stolen_share": "Kept waiting by the host (steal)",
}
_CPU_STAT = ("/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat")
_LOAD, _TICKS = "/proc/loadavg", "/proc/stat"
_CLOCK = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
_HEAT = "/sys/class/thermal/thermal_zone0/temp"
_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1e4


class Watch:
    """Reads the conditions, keeping the system's files open: that is what makes it cheap.

    Attributes
    ----------
    every_ns : int
        How long after a reading the next one is worth its cost.
    """

    def __init__(self):
        names = (_LOAD, _TICKS, _CLOCK, _HEAT, *_CPU_STAT)
        self._files = {name: _opened(name) for name in names}
        self.skip()
        start = self.at_ns
        self.skip()
        self.every_ns = round((self.at_ns - start) / SHARE)

    def span(self) -> dict[str, Any]:
        """Return the conditions since the last call of this, see `between`, with ``wall_ns``."""
        start = _NOW()
        after = self.read()
        wall_ns, now = start - self.at_ns, _NOW()
        found = between(self.before, after, wall_ns)
        self.before, self.at_ns = after, now
        # The mean of late readings: one that was interrupted must not end the watch.
        self.every_ns = round(0.8 * self.every_ns + 0.2 * (now - start) / SHARE)
        return {**found, "wall_ns": wall_ns}

    def skip(self) -> None:
        """Begin a new span now: what happened since the last one belongs to no sample."""
        self.before, self.at_ns = self.read(), _NOW()

    def read(self) -> dict[str, Any]:
        """Return one reading: counters that only grow, and momentary values.

        Returns
        -------
        dict
            ``throttled_us`` (microseconds this container was held back), ``steal_ticks`` (1/100 s,
            all processors), ``load`` (runnable processes, one-minute mean), ``clock_mhz`` and
            ``temperature_c``; None where unknown.
        """
        load, clock, heat = self._text(_LOAD), self._text(_CLOCK), self._text(_HEAT)
        ticks = self._text(_TICKS).partition("\n")[0].split()
        return {
            "throttled_us": self._throttled_us(),
            "steal_ticks": int(ticks[8]) if len(ticks) > 8 else None,
            "load": float(load.split()[0]) if load else None,
            "clock_mhz": float(clock) / 1e3 if clock else None,
            "temperature_c": float(heat) / 1e3 if heat else None,
        }

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            if file is not None:
                os.close(file)
        self._files.clear()

    def _throttled_us(self) -> float | None:
        for name in _CPU_STAT:
            for line in self._text(name).splitlines():
                what, _, value = line.partition(" ")
                if what == "throttled_usec":
                    return float(value)
                if what == "throttled_time":  # cgroup v1 counts nanoseconds
                    return float(value) / 1e3
        return None

    def _text(self, name: str) -> str:
        file = self._files[name]
        if file is None:
            return ""
        try:
            return os.pread(file, 512, 0).decode("ascii", errors="replace")
        except OSError:  # a sensor may refuse now and then: unknown, this time
            return ""


def between(before: dict[str, Any], after: dict[str, Any], wall_ns: int) -> dict[str, Any]:
    """Return the conditions of the time between two readings, `wall_ns` apart.

    Returns
    -------
    dict
        ``throttled_share`` and ``stolen_share`` (of the time; above 1 where several processors
        were held back, or where the counter ticks less often than it is read), ``load``,
        ``clock_mhz``, ``temperature_c``.
    """
    wall_us = max(wall_ns / 1e3, 1.0)
    throttled = _growth(before, after, "throttled_us")
    stolen = _growth(before, after, "steal_ticks")
    return {
        "throttled_share": None if throttled is None else throttled / wall_us,
        "stolen_share": None if stolen is None else stolen * _TICK_US / wall_us,
        "load": after["load"],
        "clock_mhz": after["clock_mhz"],
        "temperature_c": after["temperature_c"],
    }


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two neighbouring spans say the same, so that they may be kept as one."""
    return all(value == other[name] for name, value in one.items() if name != "wall_ns")


def sentences(spans: list[dict[str, Any]], processors: int) -> list[str]:
    """Return what a reader must know of the conditions of a run, in plain sentences.

    Parameters
    ----------
    spans : list of dict
        What `between` gave for each span, with ``wall_ns``.
    processors : int
        How many the machine has that measured.
    """
    said = []
    wall = sum(span["wall_ns"] for span in spans) or 1
    for name, words in _SPOILERS.items():
        known = [span for span in spans if span.get(name) is not None]
        share = min(1.0, sum(span[name] * span["wall_ns"] for span in known) / wall)
        if share >= 0.02:
            said.append(f"{words} {share:.0%} of the time: do not trust this.")
    loads = [span["load"] for span in spans if span.get("load") is not None]
    if loads and max(loads) > processors + 0.5:
        said.append(
            f"Other work ran beside this: up to {max(loads):.1f} runnable processes for "
            f"{processors} processors."
        )
    clocks = [span["clock_mhz"] for span in spans if span.get("clock_mhz")]
    low, high = np.quantile(clocks, (0.05, 0.95)) if clocks else (0.0, 0.0)
    if high > 1.1 * low:
        said.append(f"The clock rate moved between {low:.0f} and {high:.0f} MHz.")
    heats = [span["temperature_c"] for span in spans if span.get("temperature_c")]
    if heats and max(heats) >= 90:
        said.append(f"The processor reached {max(heats):.0f} °C: it may have slowed itself down.")
    return said


def _growth(before: dict, after: dict, name: str) -> float | None:
    if before.get(name) is None or after.get(name) is None:
        return None
    return after[name] - before[name]


def _opened(name: str) -> int | None:
    try:
        return os.open(name, os.O_RDONLY)
    except OSError:
        return None
