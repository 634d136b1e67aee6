"""A kernel's source as numbered lines, for whoever shows findings or metrics beside it."""

from __future__ import annotations

import inspect
import linecache
from typing import Any


def code_lines(path: str, around: tuple[int, ...], margin: int = 3) -> list[dict[str, Any]]:
    """Return the lines of the functions, or neighbourhoods, that hold the given lines.

    Parameters
    ----------
    path : str
        The file, as `linecache` knows it (notebook cells too).
    around : tuple of int
        Lines that must be shown.
    margin : int
        Lines shown before and after.

    Returns
    -------
    list of dict
        ``{"line": 12, "text": "..."}`` in order; empty where the file is not known.
    """
    lines = linecache.getlines(path)
    wanted = sorted(line for line in around if 0 < line <= len(lines))
    if not wanted:
        return []
    shown: set[int] = set()
    for line in wanted:
        start = _definition_above(lines, line)
        stop = min(len(lines), max(line + margin, _block_end(lines, start)))
        shown |= set(range(start, stop + 1))
    return [{"line": n, "text": lines[n - 1].rstrip("\n")} for n in sorted(shown)]


def _definition_above(lines: list[str], line: int) -> int:
    """Return the line of the ``def`` (or its first decorator) that holds `line`."""
    at = line
    while at > 1 and not lines[at - 1].lstrip().startswith("def "):
        at -= 1
    while at > 1 and lines[at - 2].lstrip().startswith("@"):
        at -= 1
    return at


def _block_end(lines: list[str], start: int) -> int:
    block = inspect.getblock(lines[start - 1 :])
    return start + len(block) - 1
