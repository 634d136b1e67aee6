"""From a row of `elementwise` to an operator: bind arguments, decide types, allocate, launch.

The forms are told apart by the schema: with an out argument, in place, or returning something new.
Shapes and dtypes of results that C++ has checked already are trusted; those that a caller passed in
as ``out=`` are checked here, in PyTorch's words. What a row cannot do (complex numbers, an argument
that its expression does not mention) goes to the fallback, counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.codegen import types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops import elementwise as table
from workbench.torch_device.overlap import check_partial, check_single

_VECTOR = 32  # 16-bit elements in PyTorch's widest vector (AVX-512, and two of AVX2's)
Row = str | dict[str, str]
_CAST = ("alpha", "min_val", "max_val")
"""Numbers that are cast to the tensors' dtype and do not take part in promotion."""


def common_dtype(values) -> torch.dtype:
    """Return the dtype that PyTorch's promotion gives tensors and numbers together."""
    dtypes = {v.dtype for v in values if isinstance(v, torch.Tensor)}
    if len(dtypes) == 1 and all(isinstance(v, torch.Tensor) for v in values):
        return dtypes.pop()
    ranked: Any = None
    for value in sorted(values, key=_rank):
        if ranked is None:
            ranked = value
            continue
        dims = isinstance(ranked, torch.Tensor) and ranked.dim() > 0
        dtype = torch.result_type(ranked, value)
        ranked = torch.empty((1,) if dims else (), dtype=dtype, device="meta")
    return ranked.dtype if isinstance(ranked, torch.Tensor) else torch.result_type(ranked, ranked)


def _rank(value) -> int:
    if isinstance(value, torch.Tensor):
        return 0 if value.dim() else 1
    return 2


def result_shape(values) -> torch.Size:
    """Return the shape that tensors broadcast to."""
    shapes = [v.shape for v in values if isinstance(v, torch.Tensor)]
    if all(shape == shapes[0] for shape in shapes[1:]):
        return shapes[0]
    return torch.broadcast_shapes(*shapes)


def check_out(op: Any, out: torch.Tensor, shape, common: torch.dtype | None) -> None:
    """Check and resize an output that the caller passed in.

    Raises
    ------
    RuntimeError
        In PyTorch's words: for a dtype that cannot hold the result, or an output whose elements
        share memory.
    """
    if common is not None and common != out.dtype and not torch.can_cast(common, out.dtype):
        raise RuntimeError(
            f"result type {_title(common)} can't be cast to the desired output type "
            f"{_title(out.dtype)}"
        )
    if out.shape != shape:
        out.resize_(shape)
    check_single(out)


def check_same(out: torch.Tensor, dtype: torch.dtype) -> None:
    """Raise, in PyTorch's words, where an output has another dtype than the result."""
    if out.dtype != dtype:
        raise RuntimeError(
            f"Expected out tensor to have dtype {_word(dtype)}, but got {_word(out.dtype)} instead"
        )


def _word(dtype: torch.dtype) -> str:
    return {torch.float32: "float", torch.float64: "double"}.get(dtype, str(dtype)[6:])


def _title(dtype: torch.dtype) -> str:
    return torch.empty(0, dtype=dtype).type().removeprefix("torch.").removesuffix("Tensor")


def like(values, dtype: torch.dtype) -> torch.Tensor:
    """Return a new tensor of the broadcast shape, with the strides of a dense operand."""
    shape = result_shape(values)
    first = next(v for v in values if isinstance(v, torch.Tensor) and v.device.type == NAME)
    model = next((v for v in values if isinstance(v, torch.Tensor) and v.shape == shape), None)
    strides = tensors.contiguous_strides(shape)
    if model is not None and model.numel() and not model.is_contiguous():
        strides = torch.empty_like(model, device="meta").stride()
    return tensors.empty_strided(shape, strides, dtype, first.device.index)


offer: Callable[..., None] = lambda row, operands, out, kernel: None  # noqa: E731
"""Told of each kernel that a row with `forms` has run; the shim puts its own here."""


class Pointwise:
    """The kernel of one row, callable as the operator.

    Parameters
    ----------
    name : str
        Operator and overload, without the namespace.
    row : str or dict
        The expression, or expressions by kind of number or by string argument.
    result : str
        ``"same"``, ``"float"`` or ``"bool"``: how the result's dtype follows from the operands'.
    """

    def __init__(self, name: str, row: Row, result: str):
        self.name, self.row, self.result = name, row, result
        self.op = overload(name)
        schema = self.op._schema
        texts = [row] if isinstance(row, str) else list(row.values())
        words = set(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))
        arguments = schema.arguments
        self.arguments = [
            (a.name, a.default_value, a.name in words, str(a.type) == "Tensor")
            for a in arguments
            if not a.is_out
        ]
        self.out_name = next((a.name for a in arguments if a.is_out), None)
        self.in_place = self.out_name is None and arguments[0].alias_info is not None
        self.label = name.replace(".", "_")
        self.complex = name in table.COMPLEX
        self.few = table.FEW.get(name)
        self.forms: list[int] = []
        """The shim's numbers for the operators that compute this row, see `shim.quick`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the operator, or hand it to the fallback where the row does not fit."""
        operands, variant = {}, None
        for position, (name, default, used, is_tensor) in enumerate(self.arguments):
            value = args[position] if position < len(args) else kwargs.get(name, default)
            if isinstance(value, str):
                variant = value
            elif used:
                if value is None:
                    return fallback(self.op, *args, **kwargs)
                if isinstance(value, torch.Tensor) and value.device.type != NAME:
                    if value.dim():
                        check_devices(self.op.name(), args, kwargs)
                    value = value.item()
                operands[name] = value
            elif not is_tensor and value != default:
                return fallback(self.op, *args, **kwargs)
        values = list(operands.values())
        common = common_dtype([v for n, v in operands.items() if n not in _CAST])
        expression = self._expression(common, variant)
        if expression is None or not types.supported(common):
            return fallback(self.op, *args, **kwargs)
        out = self._output(args, kwargs, values, common)
        if out is None or not types.supported(out.dtype):
            return fallback(self.op, *args, **kwargs)
        if len({v.device.index for v in values if isinstance(v, torch.Tensor)}) > 1:
            check_devices(self.op.name(), args, kwargs)
        stepwise = self.few is not None and out.dtype.itemsize == 2
        if self.few is not None and stepwise and out.numel() < _VECTOR:
            expression = self.few
        compute = types.KINDS[out.dtype if self._computes_in_out(common) else common].compute
        kernel = engine.run(self.label, expression, compute, out, operands)
        traffic.NATIVE[self.name] += 1
        if self.forms and kernel is not None and not stepwise:
            offer(self, operands, out, kernel)
        return out

    def _computes_in_out(self, common: torch.dtype) -> bool:
        return self.result == "float" and not (common.is_floating_point or common.is_complex)

    def _expression(self, common: torch.dtype, variant: str | None) -> str | None:
        if common.is_complex and not self.complex:
            return None
        if isinstance(self.row, str):
            return self.row
        floats = common.is_floating_point or (self._computes_in_out(common) and "i" not in self.row)
        kind = "f" if floats else "b" if common is torch.bool else "i"
        if variant is not None:
            return self.row.get(variant) or self.row.get(f"{variant} {kind}")
        text = self.row.get(types.SHORT[common]) if common in types.SHORT else None
        return text or self.row.get(kind) or self.row.get("f" if floats else "i")

    def _output(self, args, kwargs, values, common) -> torch.Tensor | None:
        dtype = {"same": common, "bool": torch.bool}.get(self.result, common)
        if self.result == "float" and not (common.is_floating_point or common.is_complex):
            dtype = torch.get_default_dtype()
        if self.in_place:
            check_single(args[0])
            return _apart(args[0], values)
        if self.out_name is None:
            return like(values, dtype)
        out = kwargs.get(self.out_name)
        if out is None and len(args) <= len(self.arguments):
            return like(values, dtype)
        if out is None:
            out = args[len(self.arguments)]
        if out.device.type != NAME:
            check_devices(self.op.name(), args, kwargs)
        check_out(self.op, out, result_shape(values), None if self.result == "bool" else dtype)
        return _apart(out, values)


def _apart(out: torch.Tensor, values) -> torch.Tensor:
    for value in values:
        if isinstance(value, torch.Tensor):
            check_partial(out, value)
    return out


def _rows() -> dict[str, Callable]:
    found: dict[str, Callable] = {}
    for rows, result in (
        (table.SAME, "same"),
        (table.FLOAT, "float"),
        (table.COMPARE, "bool"),
        (table.BACKWARD, "same"),
    ):
        for name, row in rows.items():
            found[name] = Pointwise(name, row, result)
    return found


KERNELS = _rows()
_rounded = KERNELS["div.out_mode"]


def _divide(self, other, *, rounding_mode=None, out):
    """Divide: without a mode it is another operator, whose result is never an integer."""
    if rounding_mode is None:
        return KERNELS["div.out"](self, other, out=out)
    return _rounded(self, other, rounding_mode=rounding_mode, out=out)


KERNELS["div.out_mode"] = _divide


def _clamp(form: str):
    """Clamp: with one bound it is another operator."""
    both = KERNELS[f"clamp{form}"]
    lower, upper = KERNELS[f"clamp_min{form}"], KERNELS[f"clamp_max{form}"]

    def kernel(self, min=None, max=None, *, out):
        if max is None:
            return lower(self, min, out=out)
        return upper(self, max, out=out) if min is None else both(self, min, max, out=out)

    return kernel


KERNELS |= {f"clamp{form}": _clamp(form) for form in (".out", ".Tensor_out")}
