"""Where what we compile or install for ourselves is kept: one folder per user, never the clone.

``WORKBENCH_CACHE`` names another folder (a course may share one that is prepared). It refuses to
keep anything that a learner made: only what can be made again.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache, made if it is not there."""
    base = os.environ.get("WORKBENCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    folder = (
        root if os.environ.get("WORKBENCH_CACHE") else root / "accelerator-workbench"
    ).joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
