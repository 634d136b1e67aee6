"""What was counted while the device worked: fallbacks, bytes across the border, kernels run.

`LOG` is the contract with the scoreboard: one count per operator that left the device. Each
fallback is also kept as a record with the bytes it moved and the Python line that caused it, so
that nothing falls back without a trace. It refuses to print.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

import torch

LOG: Counter[str] = Counter()
"""Operator name -> how often the CPU computed it instead of the device."""

NATIVE: Counter[str] = Counter()
"""Operator name -> how often one of our own kernels computed it (counted while `watching`)."""

VENDOR: Counter[str] = Counter()
"""Operator name -> how often the vendor library computed it."""

BYTES: Counter[str] = Counter()
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
_WITHIN = ("/torch/", "/torch_device/", "<frozen", "<string>", "/numba/")


@lru_cache(4096)
def _is_within(code: CodeType) -> bool:
    return any(part in code.co_filename for part in _WITHIN)


def caller() -> str:
    """Return ``file:line`` of the nearest frame that is neither PyTorch's nor the device's."""
    frame = sys._getframe(1)
    while frame is not None:
        if not _is_within(frame.f_code):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"


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
