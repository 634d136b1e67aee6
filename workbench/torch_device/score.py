"""How right is an operator? PyTorch's own OpInfo samples, run on the device and on the CPU.

`score` runs every sample that PyTorch's test suite has for an operator and compares shapes, dtypes
and values: the gradients' for a backward operator, none for one that draws random numbers. The
answer is a record: it can be shown, kept and compared. `samples` finds the samples; operators that
none of PyTorch's reach are refused.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportReturnType=false

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.errors import InputError
from workbench.torch_device import traffic
from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.samples import reaching


@dataclass(frozen=True)
class Score:
    """One operator against PyTorch's samples.

    Attributes
    ----------
    operator : str
    passed, failed : int
        Samples, over all dtypes.
    native : int
        Samples that passed without any fallback.
    dtypes : tuple of str
        Dtypes all of whose samples passed.
    first_wrong : str
        The first sample that failed: its shapes and strides and what went wrong.
    device_ns, vendor_ns : float
        Median time of the largest sample here and with the CPU's kernel; measured.
    fallbacks : dict
        Operator -> how often it fell back.
    """

    operator: str
    passed: int
    failed: int
    native: int
    dtypes: tuple[str, ...]
    first_wrong: str = ""
    device_ns: float = 0.0
    vendor_ns: float = 0.0
    fallbacks: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.operator}: {self.passed} of {self.passed + self.failed} samples right, "
            f"{self.native} of them without the CPU"
        ]
        if self.dtypes:
            lines.append(f"  all right for {', '.join(self.dtypes)}")
        if self.first_wrong:
            lines.append(f"  first wrong: {self.first_wrong}")
        if self.vendor_ns:
            lines.append(
                f"  {self.device_ns / 1e3:.1f} µs, the vendor's kernel {self.vendor_ns / 1e3:.1f} "
                f"µs on the largest sample (measured, median of 5)"
            )
        if self.fallbacks:
            lines.append("  fell back: " + ", ".join(sorted(self.fallbacks)))
        return "\n".join(lines)

    def as_record(self) -> dict[str, Any]:
        """Return the score as plain JSON."""
        return asdict(self) | {"dtypes": list(self.dtypes)}


def score(operator: str, dtypes: tuple[str, ...] = ("float32",), max_samples: int = 0) -> Score:
    """Run PyTorch's samples of an operator on the device.

    Parameters
    ----------
    operator : str
        ``"relu"``, ``"aten::relu"``, ``"nn.functional.silu"`` or ``"silu_backward"``.
    dtypes : tuple of str, optional
        Which dtypes to try, of those that the CPU supports.
    max_samples : int, optional
        At most so many per dtype; 0 means all.

    Raises
    ------
    UnknownNameError
        For an operator without samples.
    InputError
        For a dtype that PyTorch does not have.
    """
    name = operator.removeprefix("aten::")
    wanted = [_dtype(text) for text in dtypes]
    counts, first, right, slowest = Counter(), "", [], None
    before = traffic.LOG.copy()
    found, by_gradients = reaching(name)
    call = _gradients if by_gradients else _results
    for op in found:
        for dtype in wanted:
            differentiable = op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
            if dtype not in op.supported_dtypes("cpu") or (by_gradients and not differentiable):
                continue
            clean = True
            for sample in _samples(op, dtype, max_samples, by_gradients):
                wrong, fell_back = run_sample(op, sample, call)
                counts["failed" if wrong else "passed"] += 1
                counts["native"] += not wrong and not fell_back
                clean = clean and not wrong
                first = first or (f"{describe(sample)}: {wrong}" if wrong else "")
                if not wrong and (slowest is None or _size(sample) > _size(slowest[1])):
                    slowest = (op, sample, call)
            if clean:
                right.append(str(dtype)[6:])
    here, there = _times(*slowest) if slowest else (0.0, 0.0)
    return Score(
        name, counts["passed"], counts["failed"], counts["native"], tuple(dict.fromkeys(right)),
        first, here, there, dict(traffic.LOG - before),
    )  # fmt: skip


def _dtype(text: str) -> torch.dtype:
    found = getattr(torch, text, None)
    if not isinstance(found, torch.dtype):
        raise InputError("There is no such dtype.", repr(text), "float32, float16, int64, ...")
    return found


def _samples(op, dtype: torch.dtype, most: int, gradients: bool) -> Iterator:
    torch.manual_seed(0)
    for index, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=gradients)):
        if most and index >= most:
            return
        yield sample


def _tree(sample):
    return (sample.input, sample.args, sample.kwargs)


def _moved(tree):
    def move(value):
        if isinstance(value, torch.Tensor):
            return _with_strides(value).requires_grad_(value.requires_grad)
        if isinstance(value, torch.device) or value == "cpu":
            return NAME
        return value

    return pytree.tree_map(move, tree)


def _with_strides(value: torch.Tensor) -> torch.Tensor:
    """Copy a tensor to the device with the strides it has."""
    if value.layout is not torch.strided or value.is_contiguous() or 0 in value.stride():
        return value.detach().to(NAME)
    made = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=NAME)
    return made.copy_(value.detach())


def _results(op, tree):
    return op(tree[0], *tree[1], **tree[2])


def _gradients(op, tree):
    """Return the gradients of the sum of all results."""
    results = pytree.tree_leaves(_results(op, tree))
    results = [r for r in results if isinstance(r, torch.Tensor) and r.requires_grad]
    given = pytree.tree_leaves(tree)
    given = [t for t in given if isinstance(t, torch.Tensor) and t.requires_grad]
    if not results or not given:
        return ()
    ones = [torch.ones_like(r) for r in results]
    return torch.autograd.grad(results, given, ones, allow_unused=True)


def run_sample(op, sample, call=_results) -> tuple[str, bool]:
    """Run one sample here and on the CPU; return what was wrong, and whether anything fell back."""
    tree = _tree(sample)
    torch.manual_seed(7)
    want = call(op, tree)
    before = sum(traffic.LOG.values())
    try:
        moved = _moved(tree)
        torch.manual_seed(7)
        got = call(op, moved)
        wrong = _difference(got, want)
        if wrong and _is_random(call, op, tree):  # another generator, other values
            wrong = _difference(got, want, values=False)
    except Exception as error:  # whatever a learner's kernel does is a result
        wrong = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return wrong, sum(traffic.LOG.values()) != before


class _Draws(TorchDispatchMode):
    """Notice whether an operator that draws random numbers is called."""

    seen = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen |= torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))


def _is_random(call, op, tree) -> bool:
    with _Draws() as draws:
        call(op, tree)
    return draws.seen


def _difference(got, want, values: bool = True) -> str:
    got, want = pytree.tree_leaves(got), pytree.tree_leaves(want)
    if len(got) != len(want):
        return f"{len(got)} results, not {len(want)}"
    for one, expected in zip(got, want, strict=True):
        if not isinstance(expected, torch.Tensor):
            continue
        if not isinstance(one, torch.Tensor):
            return f"{one}, not a tensor"
        if one.shape != expected.shape or one.dtype != expected.dtype:
            return f"{tuple(one.shape)} {one.dtype}, not {tuple(expected.shape)} {expected.dtype}"
        if not values:
            continue
        try:
            torch.testing.assert_close(one.detach().cpu(), expected.detach(), equal_nan=True)
        except AssertionError as error:
            return " ".join(str(error).split())[:300]
    return ""


def describe(sample) -> str:
    """Return the shapes and strides of a sample's tensors."""
    return ", ".join(
        f"shape {tuple(t.shape)} strides {t.stride()}"
        for t in pytree.tree_leaves(_tree(sample))
        if isinstance(t, torch.Tensor)
    )


def _size(sample) -> int:
    return sum(t.numel() for t in pytree.tree_leaves(_tree(sample)) if isinstance(t, torch.Tensor))


def _times(op, sample, call) -> tuple[float, ...]:
    tree = _tree(sample)
    moved = _moved(tree)

    def once(given) -> float:
        start = time.perf_counter_ns()
        call(op, given)
        return time.perf_counter_ns() - start

    return tuple(median(once(given) for _ in range(5)) for given in (moved, tree))
