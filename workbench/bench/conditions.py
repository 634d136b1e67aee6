"""Under what conditions a number was taken: load, clock rate, temperature, throttling.

Read from the operating system before and after each block of samples, so that every sample
belongs to one reading. Where a file is not there (another system, a container) the value is None
and no sentence is made of it.

Sources: proc(5) (``/proc/loadavg``, ``/proc/stat``), the kernel's cgroup-v2 documentation
(``cpu.stat``: ``nr_periods``, ``nr_throttled``, ``throttled_usec``), sysfs ``cpufreq`` and
``thermal``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_SPOILERS = {
    "throttled_share": "Throttled by the container's limit",
    "stolen_share": "Kept waiting by the host (steal)",
}
_CPU_STAT = (Path("/sys/fs/cgroup/cpu.stat"), Path("/sys/fs/cgroup/cpu/cpu.stat"))


def read() -> dict[str, Any]:
    """Return one reading: counters that only grow, and momentary values.

    Returns
    -------
    dict
        ``throttled_us`` (microseconds this container was held back), ``steal_ticks`` and
        ``busy_ticks`` (1/100 s, all processors), ``load`` (runnable processes, one-minute mean),
        ``clock_mhz`` and ``temperature_c``; None where unknown.
    """
    busy, steal = _ticks()
    return {
        "throttled_us": _throttled_us(),
        "busy_ticks": busy,
        "steal_ticks": steal,
        "load": _load(),
        "clock_mhz": _clock_mhz(),
        "temperature_c": _temperature_c(),
    }


def between(before: dict[str, Any], after: dict[str, Any], wall_ns: int) -> dict[str, Any]:
    """Return the conditions of the time between two readings, `wall_ns` apart.

    Returns
    -------
    dict
        ``throttled_share`` and ``stolen_share`` (0 to 1), ``load``, ``clock_mhz``,
        ``temperature_c``.
    """
    wall_us = max(wall_ns / 1e3, 1.0)
    throttled = _growth(before, after, "throttled_us")
    stolen = _growth(before, after, "steal_ticks")
    ticks_us = 1e6 / os.sysconf("SC_CLK_TCK")
    return {
        "throttled_share": None if throttled is None else min(1.0, throttled / wall_us),
        "stolen_share": None if stolen is None else min(1.0, stolen * ticks_us / wall_us),
        "load": after["load"],
        "clock_mhz": after["clock_mhz"],
        "temperature_c": after["temperature_c"],
    }


def sentences(blocks: list[dict[str, Any]]) -> list[str]:
    """Return what a reader must know of the conditions of a run, in plain sentences.

    Parameters
    ----------
    blocks : list of dict
        What `between` gave for each block, with ``wall_ns``.
    """
    said = []
    wall = sum(block["wall_ns"] for block in blocks) or 1
    for name, words in _SPOILERS.items():
        known = [block for block in blocks if block.get(name) is not None]
        share = sum(block[name] * block["wall_ns"] for block in known) / wall
        if share >= 0.02:
            said.append(f"{words} {share:.0%} of the time: do not trust this.")
    loads = [block["load"] for block in blocks if block.get("load") is not None]
    processors = os.cpu_count() or 1
    if loads and max(loads) > processors + 0.5:
        said.append(
            f"Other work ran beside this: up to {max(loads):.1f} runnable processes for "
            f"{processors} processors."
        )
    clocks = [block["clock_mhz"] for block in blocks if block.get("clock_mhz")]
    if clocks and max(clocks) > 1.1 * min(clocks):
        said.append(f"The clock rate moved between {min(clocks):.0f} and {max(clocks):.0f} MHz.")
    heats = [block["temperature_c"] for block in blocks if block.get("temperature_c")]
    if heats and max(heats) >= 90:
        said.append(f"The processor reached {max(heats):.0f} °C: it may have slowed itself down.")
    return said


def _growth(before: dict, after: dict, name: str) -> float | None:
    if before.get(name) is None or after.get(name) is None:
        return None
    return after[name] - before[name]


def _text(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


def _throttled_us() -> float | None:
    for path in _CPU_STAT:
        fields = dict(line.split()[:2] for line in (_text(path) or "").splitlines())
        if "throttled_usec" in fields:
            return float(fields["throttled_usec"])
        if "throttled_time" in fields:  # cgroup v1 counts nanoseconds
            return float(fields["throttled_time"]) / 1e3
    return None


def _ticks() -> tuple[int | None, int | None]:
    line = (_text("/proc/stat") or "").partition("\n")[0].split()
    if len(line) < 9:
        return None, None
    user, nice, system, _, _, irq, softirq, steal = (int(x) for x in line[1:9])
    return user + nice + system + irq + softirq, steal


def _load() -> float | None:
    text = _text("/proc/loadavg")
    return float(text.split()[0]) if text else None


def _clock_mhz() -> float | None:
    text = _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    return float(text) / 1e3 if text else None


def _temperature_c() -> float | None:
    text = _text("/sys/class/thermal/thermal_zone0/temp")
    return float(text) / 1e3 if text else None
