"""What was counted while the device worked: fallbacks, bytes across the border, kernels run.

`LOG` is the contract with the scoreboard: one count per operator that left the device. Each
fallback is also kept as a record with the bytes it moved and the Python line that caused it, so
that nothing falls back without a trace. It refuses to print.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType

import numba
import torch


class Gathered(Counter[str]):
    """A counter that adds, before it is read, what was counted elsewhere (in C++) meanwhile."""

    gather: Callable[[], dict[str, int]] = staticmethod(dict)

    def _collect(self) -> None:
        for name, count in self.gather().items():
            if count:
                super().__setitem__(name, super().get(name, 0) + count)

    def __getitem__(self, name: str) -> int:
        self._collect()
        return super().__getitem__(name)

    def __len__(self) -> int:
        self._collect()
        return super().__len__()

    def __iter__(self):
        self._collect()
        return super().__iter__()

    def items(self):
        """Return names and counts."""
        self._collect()
        return super().items()

    def values(self):
        """Return the counts."""
        self._collect()
        return super().values()

    def copy(self) -> Counter[str]:
        """Return a plain counter with the counts so far."""
        return Counter(dict(self.items()))

    def clear(self) -> None:
        """Forget everything, what was counted elsewhere too."""
        self._collect()
        super().clear()


LOG: Counter[str] = Counter()
"""Operator name -> how often the CPU computed it instead of the device."""

NATIVE: Counter[str] = Counter()
"""Operator name -> how often one of our own kernels computed it (counted while `watching`)."""

VENDOR = Gathered()
"""Operator name -> how often the vendor library computed it."""

BYTES = Gathered()
"""Bytes copied, by direction: ``h2d``, ``d2h``, ``d2d``, and ``fallback`` both ways."""


@dataclass(frozen=True)
class Fallback:
    """One operator that the CPU computed.

    Attributes
    ----------
    operator : str
    bytes_moved : int
        Bytes read from and written to device memory on its behalf.
    line : str
        ``file:line`` of the Python code that caused it.
    """

    operator: str
    bytes_moved: int
    line: str


FALLBACKS: deque[Fallback] = deque(maxlen=10_000)
_WITHIN = (
    *(f"{os.path.dirname(f)}{os.sep}" for f in (torch.__file__, numba.__file__, __file__)),
    "<frozen", "<string>",
)  # fmt: skip


@lru_cache(4096)
def _is_within(code: CodeType) -> bool:
    return code.co_filename.startswith(_WITHIN)


def caller() -> str:
    """Return ``file:line`` of the nearest frame that is neither PyTorch's nor the device's.

    In a notebook it is the cell's name and the line, as IPython's tracebacks have it.
    """
    frame = sys._getframe(1)
    while frame is not None:
        if not _is_within(frame.f_code):
            return _cell(frame) or f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"


def _cell(frame: FrameType) -> str:
    """Return a notebook cell's name and line, or nothing for code from a file."""
    find = frame.f_globals.get("get_ipython")
    shell = find() if callable(find) else None
    name_of = getattr(getattr(shell, "compile", None), "format_code_name", None)
    named = name_of and name_of(frame.f_code.co_filename)  # ("Cell", "In[5]") or None
    return f"{' '.join(named)}, line {frame.f_lineno}" if named else ""


def count(way: str, nbytes: int) -> None:
    """Add bytes to one direction."""
    BYTES[way] += nbytes


def direction(source: torch.Tensor, destination: torch.Tensor) -> str:
    """Return ``h2d``, ``d2h`` or ``d2d``."""
    if source.device.type == "cpu":
        return "h2d"
    return "d2h" if destination.device.type == "cpu" else "d2d"


def fell_back(operator: str, nbytes: int) -> None:
    """Count one fallback and keep its record."""
    LOG[operator] += 1
    BYTES["fallback"] += nbytes
    FALLBACKS.append(Fallback(operator, nbytes, caller()))


def reset() -> None:
    """Forget everything counted so far."""
    for counter in (LOG, NATIVE, VENDOR, BYTES):
        counter.clear()
    FALLBACKS.clear()
