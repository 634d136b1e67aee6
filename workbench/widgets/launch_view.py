"""A launch, scrubbed through its barriers: grid, blocks, threads, locals and shared arrays.

The widget is handed a `workbench.simt.trace.history.LaunchHistory`. It refuses to run anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from workbench.simt.frontend.listing import code_lines
from workbench.simt.trace.history import Epoch, LaunchHistory, ThreadState
from workbench.widgets._loader import Widget, load_css, load_js
from workbench.widgets._static import Picture

_CELL, _WARP = 14, 32
_MOST_COLUMNS, _MOST_ROWS = 72, 32
_FILLS = {"waits": "#56B4E9", "left": "#8A8A8A", "done": "#009E73"}


class LaunchView(Widget):
    """One launch: choose a block, a thread and a moment.

    Parameters
    ----------
    history : LaunchHistory
        What `workbench.watch` returned.

    Examples
    --------
    >>> LaunchView(workbench.watch(kernel[blocks, threads], a, out))
    """

    _esm = load_js("launch_view")
    _css = load_css("_code")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, history: LaunchHistory):
        super().__init__()
        self._history = history
        self._chosen = {"block": min(history.epochs), "thread": 0, "epoch": 0, "row": 0}
        self._show()
        self.on_msg(self._heard)

    def choose(self, **what: int) -> LaunchView:
        """Show another moment or place; numbers are clipped.

        Parameters
        ----------
        **what : int
            ``block`` and ``thread`` are linear indices, ``epoch`` counts the meetings of a block,
            ``row`` is the first row that is shown of shared arrays too tall to be shown whole.
        """
        chosen = {**self._chosen, **{name: int(value) for name, value in what.items()}}
        kept = sorted(self._history.epochs)
        chosen["block"] = min(kept, key=lambda one: abs(one - chosen["block"]))
        chosen["thread"] = int(np.clip(chosen["thread"], 0, self._history.block.count - 1))
        last = len(self._history.epochs[chosen["block"]]) - 1
        chosen["epoch"] = int(np.clip(chosen["epoch"], 0, last))
        chosen["row"] = int(np.clip(chosen["row"], 0, max(self._tallest() - _MOST_ROWS, 0)))
        self._chosen = chosen
        self._show()
        return self

    def _tallest(self) -> int:
        epochs = self._history.epochs[self._chosen["block"]]
        arrays = [array for epoch in epochs for array in epoch.shared.values()]
        return max((len(_rows(array)) for array in arrays), default=0)

    def sentence(self) -> str:
        """Return what is shown now."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        return draw(self.view)

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose" and message.get("what") in self._chosen:
            self.choose(**{message["what"]: message["value"]})

    def _show(self) -> None:
        history, chosen = self._history, self._chosen
        epochs = history.epochs[chosen["block"]]
        epoch = epochs[chosen["epoch"]]
        state = epoch.threads[chosen["thread"]]
        lines = tuple({epoch.line or state.line or _first_line(epochs), _first_line(epochs)})
        self.view = {
            "kernel": history.kernel,
            "grid": list(history.grid),
            "block": list(history.block),
            "blocks": [
                {"number": number, "label": str(_index(number, history.grid))}
                for number in sorted(history.epochs)
            ],
            "chosen": dict(chosen),
            "epochs": [_moment(at, one) for at, one in enumerate(epochs)],
            "threads": [_kind(one) for one in epoch.threads],
            "locals": [
                {"name": name, "value": _local(value)} for name, value in state.values.items()
            ],
            "row_choices": max(self._tallest() - _MOST_ROWS, 0) + 1,
            "shared": [
                _table(name, array, self._before(name), chosen["row"])
                for name, array in epoch.shared.items()
            ],
            "code": [
                {**row, "marks": ["A"] if row["line"] == (epoch.line or state.line) else []}
                for row in code_lines(history.path, lines)
            ],
            "sentence": self._sentence(epoch, state),
        }

    def _before(self, name: str) -> np.ndarray | None:
        """Return a shared array as it was one meeting before, if there was one."""
        at = self._chosen["epoch"]
        epochs = self._history.epochs[self._chosen["block"]]
        return epochs[at - 1].shared.get(name) if at else None

    def _sentence(self, epoch: Epoch, state: ThreadState) -> str:
        chosen, history = self._chosen, self._history
        who = (
            f"thread {_index(chosen['thread'], history.block)} of block "
            f"{_index(chosen['block'], history.grid)}"
        )
        if state.done:
            does = f"has returned on line {state.line}" if state.line else "has reached the end"
        else:
            does = f"waits at line {state.line}"
        where = _moment(chosen["epoch"], epoch)
        waiting = sum(not one.done for one in epoch.threads)
        return f"{where}: {who} {does}; {waiting} of {len(epoch.threads)} threads are still here."


def _first_line(epochs: list[Epoch]) -> int:
    found = [one.line for one in epochs if one.line]
    found += [state.line for one in epochs for state in one.threads if state.line]
    return min(found, default=0)


def _index(number: int, extent: Any) -> tuple[int, int, int]:
    x, y, _ = extent
    return number % x, number // x % y, number // (x * y)


def _moment(at: int, epoch: Epoch) -> str:
    if epoch.name == "end":
        return "At the end"
    return f"At meeting {at + 1} ({epoch.name} on line {epoch.line})"


def _kind(state: ThreadState) -> str:
    if not state.done:
        return "waits"
    return "left" if state.line else "done"


def _rows(array: np.ndarray) -> list[np.ndarray]:
    """Return an array as rows: those of its last axis, or a long line broken into lines."""
    if array.ndim > 1:
        return list(array.reshape(-1, array.shape[-1]))
    flat = array.reshape(-1)
    return [flat[at : at + _WARP] for at in range(0, flat.size, _WARP)]


def _table(name: str, array: np.ndarray, before: np.ndarray | None, first: int) -> dict[str, Any]:
    rows = _rows(array)
    first = min(first, max(len(rows) - _MOST_ROWS, 0))
    window = slice(first, first + _MOST_ROWS)
    shown = [row[:_MOST_COLUMNS] for row in rows[window]]
    old = [None] * len(shown) if before is None else _rows(before)[window]
    return {
        "name": name,
        "shape": list(array.shape),
        "first": first,
        "labels": [_label(array, first + at) for at in range(len(shown))],
        "rows": [[_text(value) for value in row] for row in shown],
        "shades": _shades(array, shown),
        "changed": [_changed(*pair) for pair in zip(shown, old, strict=True)],
        "cut": sum(row.size for row in shown) < array.size,
    }


def _label(array: np.ndarray, row: int) -> str:
    """Return the index with which a shown row begins."""
    if array.ndim < 2:
        return str(row * _WARP)
    return ", ".join(str(one) for one in np.unravel_index(row, array.shape[:-1]))


def _changed(row: np.ndarray, old: np.ndarray | None) -> list[int]:
    """Return where a row is not what it was; all of what was written, where nothing was before."""
    if row.dtype.kind not in "biufc":
        return []
    if old is None:
        return [int(at) for at in np.flatnonzero(row == row)] if row.dtype.kind == "f" else []
    old = old[: row.size]
    return [int(at) for at in np.flatnonzero((row != old) & ~((row != row) & (old != old)))]


def _local(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return ", ".join(_text(one) for one in value.reshape(-1)[:_WARP].tolist())
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return "?" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def _shades(array: np.ndarray, rows: list[np.ndarray]) -> list[list[float | None]]:
    """Return how dark each cell is, 0 to 1; None for what is no number."""
    numeric = array.dtype.kind in "biuf"
    good = array[np.isfinite(array)].astype(np.float64) if numeric else np.zeros(0)
    if not good.size:
        return [[None] * len(row) for row in rows]
    low, span = good.min(), (good.max() - good.min()) or 1.0
    return [
        [round(float((v - low) / span), 3) if np.isfinite(v) else None for v in row.astype(float)]
        for row in rows
    ]


def draw(view: dict[str, Any]) -> str:
    """Return the SVG of a state: the threads of the block, and its shared arrays."""
    rows = -(-len(view["threads"]) // _WARP)
    tables = view["shared"]
    height = 70 + rows * (_CELL + 2) + sum(40 + 16 * len(one["rows"]) for one in tables)
    picture = Picture(760, height, view["sentence"])
    y = 20 + 16 * picture.paragraph(8, 20, view["sentence"], letters=108)
    for number, kind in enumerate(view["threads"]):
        x, row = 8 + (number % _WARP) * (_CELL + 2), y + number // _WARP * (_CELL + 2)
        chosen = number == view["chosen"]["thread"]
        picture.add(
            "rect", x=x, y=row, width=_CELL, height=_CELL, fill=_FILLS[kind],
            stroke="#222" if chosen else "none", stroke_width=2,
        )  # fmt: skip
    y += rows * (_CELL + 2) + 24
    for one in tables:
        picture.text(8, y, f"shared {one['name']}{one['shape']}")
        for at, row in enumerate(one["rows"]):
            for column, text in enumerate(row[:16]):
                picture.text(44 + 44 * column, y + 18 + 16 * at, text, anchor="end")
        y += 40 + 16 * len(one["rows"])
    return picture.svg()
