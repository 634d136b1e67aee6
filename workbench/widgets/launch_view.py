"""A launch, scrubbed through its barriers: grid, blocks, threads, locals and shared arrays.

The widget is handed a `workbench.simt.trace.history.LaunchHistory`. It refuses to run anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from workbench.simt.listing import code_lines
from workbench.simt.trace.history import Epoch, LaunchHistory, ThreadState
from workbench.widgets._loader import Widget, load_css, load_js
from workbench.widgets._static import Picture

_CELL, _WARP = 14, 32
_MOST_COLUMNS, _MOST_ROWS = 32, 32
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
        self._chosen = {"block": min(history.epochs), "thread": 0, "epoch": 0}
        self._show()
        self.on_msg(self._heard)

    def choose(self, **what: int) -> LaunchView:
        """Show another ``block``, ``thread`` (linear indices) or ``epoch``; numbers are clipped."""
        chosen = {**self._chosen, **{name: int(value) for name, value in what.items()}}
        kept = sorted(self._history.epochs)
        chosen["block"] = min(kept, key=lambda one: abs(one - chosen["block"]))
        chosen["thread"] = int(np.clip(chosen["thread"], 0, self._history.block.count - 1))
        last = len(self._history.epochs[chosen["block"]]) - 1
        chosen["epoch"] = int(np.clip(chosen["epoch"], 0, last))
        self._chosen = chosen
        self._show()
        return self

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
            "locals": [{"name": name, "value": str(value)} for name, value in state.values.items()],
            "shared": [_table(name, array) for name, array in epoch.shared.items()],
            "code": [
                {**row, "marks": ["A"] if row["line"] == (epoch.line or state.line) else []}
                for row in code_lines(history.path, lines)
            ],
            "sentence": self._sentence(epoch, state),
        }

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


def _table(name: str, array: np.ndarray) -> dict[str, Any]:
    flat = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if array.ndim == 1 and array.size > _MOST_COLUMNS:
        width = _MOST_COLUMNS
        whole = array[: array.size // width * width]
        flat = whole.reshape(-1, width)
    shown = flat[:_MOST_ROWS, :_MOST_COLUMNS]
    texts = [[_text(value) for value in row] for row in shown]
    numbers = np.asarray(shown, dtype=np.float64) if shown.dtype.kind in "biuf" else None
    return {
        "name": name,
        "shape": list(array.shape),
        "rows": texts,
        "shades": _shades(numbers, shown.shape),
        "cut": shown.size < array.size,
    }


def _text(value: Any) -> str:
    if isinstance(value, np.floating):
        return "?" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def _shades(numbers: np.ndarray | None, shape: tuple[int, ...]) -> list[list[float | None]]:
    """Return how dark each cell is, 0 to 1; None for what is no number."""
    if numbers is None or not np.isfinite(numbers).any():
        return [[None] * shape[1] for _ in range(shape[0])]
    good = numbers[np.isfinite(numbers)]
    low, span = good.min(), (good.max() - good.min()) or 1.0
    return [
        [round(float((v - low) / span), 3) if np.isfinite(v) else None for v in row]
        for row in numbers
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
