"""What a number was taken on and with: processor, memory, system, versions, commit.

It refuses to record who: no host name, no user name, no path.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from workbench.catalog import ROOT

PACKAGES = ("numpy", "torch", "onnxruntime", "onnxruntime-ep-openvino", "numba", "numba-cuda")


@cache
def machine() -> str:
    """Return this machine in words: ``AMD EPYC, 2 processors, 24 GB, Linux x86_64``."""
    return (
        f"{_processor()}, {os.cpu_count()} processors, {_memory_gb():.0f} GB, "
        f"{platform.system()} {platform.machine()}"
    )


def environment() -> dict[str, Any]:
    """Return the versions and the commit, JSON-able."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "packages": versions,
        "commit": _commit(),
        "container": Path("/.dockerenv").exists() or "KUBERNETES_SERVICE_HOST" in os.environ,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or "unknown processor"
    return platform.processor() or platform.machine()


def _memory_gb() -> float:
    import psutil

    return psutil.virtual_memory().total / 1e9


@cache
def _commit() -> str:
    """Return the clone's commit, with ``+`` where files differ from it; empty without git."""
    try:
        words = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--dirty=+"]
        return subprocess.run(
            words, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def processors(machine_in_words: str) -> int:
    """Return how many processors the machine has that these words, of `machine`, describe."""
    found = re.search(r"(\d+) processors", machine_in_words)
    return int(found[1]) if found else os.cpu_count() or 1
