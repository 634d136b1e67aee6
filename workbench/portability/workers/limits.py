"""What a worker may take: memory and time, watched from outside.

A limit of the system's on addresses would not do: providers reserve far more than they use, and a
driver reserves hundreds of gigabytes. So what is resident is watched, ten times a second while a
request is out, and a worker that passes its limit is ended, with the limit in the error. It
refuses to watch where the system does not tell (it is Linux that does).
"""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

import psutil

LOOK_S = 0.1  # what is allocated between two looks is not seen: at most about 1 GB
SHARE = 0.75  # of the memory there is: the notebook and the system need the rest
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache
def memory_limit_bytes() -> int:
    """Return how much a worker may keep resident, unless it is told otherwise.

    Three quarters of the machine's memory, or of what a container grants.
    """
    granted = [psutil.virtual_memory().total]
    for name in _CGROUPS:
        try:
            granted.append(int(Path(name).read_text()))
        except (OSError, ValueError):  # not that version of cgroups, or "max": no limit
            continue
    return int(SHARE * min(granted))


def resident_bytes(process: int) -> int:
    """Return what a process keeps in memory; 0 where it is gone or the system does not say."""
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def in_words(size: float) -> str:
    """Return a number of bytes as people say it."""
    power = min(3, int(math.log(size, 1000))) if size >= 1 else 0
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"
