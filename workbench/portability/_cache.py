"""Where what we compile or install for ourselves is kept: one folder per user, never the clone.

``WORKBENCH_CACHE`` names another folder (a course may share one that is prepared). It refuses to
keep anything that a learner made: only what can be made again.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.catalog import made_cache


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache, made if it is not there.

    Raises
    ------
    UnavailableError
        Where it cannot be made or written to.
    """
    base = os.environ.get("WORKBENCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    folder = (
        root if os.environ.get("WORKBENCH_CACHE") else root / "accelerator-workbench"
    ).joinpath(*parts)
    return made_cache(folder, "for what the workbench compiles and installs for itself")
