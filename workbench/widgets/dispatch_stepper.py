"""One PyTorch call, stage by stage: which kernel answered, from which file, how long it took.

The widget is handed the steps of one or several calls (`workbench.torch_device.trace`). Stages that
the call passed over are drawn as outlines. Times were measured. It refuses to run a call.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from workbench.widgets._loader import Widget, load_js
from workbench.widgets._records import as_rows
from workbench.widgets._static import Picture, look, time_text

_FIELDS = ("operator", "stage", "key", "active", "kernel", "duration_ns")
_LEFT, _WIDE, _ROW = 150, 560, 46


class DispatchStepper(Widget):
    """A call's way through the dispatcher.

    Parameters
    ----------
    calls : mapping of str to iterable of steps
        Name of each call -> its steps, outermost first.

    Examples
    --------
    >>> DispatchStepper({"relu": wb.trace(torch.relu, x)})
    """

    _esm = load_js("dispatch_stepper")
    view = traitlets.Dict().tag(sync=True)

    def __init__(self, calls: Mapping[str, Iterable[Any]]):
        super().__init__()
        self._calls = {str(n): as_rows(s, _FIELDS, "dispatch step") for n, s in calls.items()}
        as_rows([{}] if self._calls else [], (), "call")
        self.choose(next(iter(self._calls)), 0)
        self.on_msg(self._heard)

    def choose(self, call: str = "", at: int | None = None) -> DispatchStepper:
        """Show another call or stage; what is not there leaves the old one."""
        call = call if call in self._calls else self.view["call"]
        steps = self._calls[call]
        at = self.view.get("at", 0) if at is None else at
        at = min(max(int(at), 0), len(steps) - 1)
        total = sum(s["duration_ns"] for s in steps)
        self.view = {
            "calls": list(self._calls), "call": call, "at": at, "steps": steps, "total_ns": total,
            "sentence": self._say(call, steps[at], total),
        }  # fmt: skip
        return self

    @staticmethod
    def _say(call: str, step: dict[str, Any], total: float) -> str:
        if not step["active"]:
            return f"{call}: {step['stage']} is passed over; {step['kernel']}."
        return (
            f"{call}: {step['stage']} takes {time_text(step['duration_ns'])} of "
            f"{time_text(total)} (measured); {step['kernel']} answers."
        )

    def sentence(self) -> str:
        """Return what the chosen stage does."""
        return self.view["sentence"]

    def picture(self) -> str:
        """Return the static SVG."""
        view, palette = self.view, look()["palette"]
        picture = Picture(760, 20 + _ROW * len(view["steps"]), view["sentence"])
        longest = max(view["total_ns"], 1)
        for row, step in enumerate(view["steps"]):
            y = 10 + _ROW * row
            picture.text(8, y + 15, step["stage"])
            kind = "measured" if step["active"] else "datasheet"
            wide = max(3.0, _WIDE * step["duration_ns"] / longest)
            style = picture.fill(palette["blue"], kind)
            picture.add("rect", x=_LEFT, y=y, width=round(wide, 1), height=20, **style)
            said = time_text(step["duration_ns"]) if step["active"] else "passed over"
            picture.text(_LEFT, y + 35, f"{said}; {step['kernel']}", quiet=True)
        return picture.svg()

    def _heard(self, _widget: Any, message: dict[str, Any], _buffers: Any) -> None:
        if message.get("do") == "choose" and isinstance(message.get("at", 0), int):
            self.choose(str(message.get("call", "")), message.get("at"))
