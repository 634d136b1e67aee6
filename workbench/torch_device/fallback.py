"""The boxed fallback: what the device lacks, the CPU computes on the device's bytes, and we say so.

One function answers every operator that has no kernel. It hands the CPU kernel aliases of the
device's memory, copies what was written back, and counts the operator, the bytes and the line in
`traffic`. In strict mode it raises instead. It refuses views (a view that fell back would be a
copy) and layouts that the device lacks.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportAssignmentType=false

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import torch

from workbench.errors import UnavailableError
from workbench.torch_device import generators, traffic
from workbench.torch_device.core import devices, streams, tensors
from workbench.torch_device.core.tensors import NAME, host


class MissingOperatorError(UnavailableError, NotImplementedError):
    """The device has no kernel for an operator, and falling back was forbidden or impossible."""


_strict = False


def strict(on: bool) -> bool:
    """Choose whether a fallback raises, and return whether it did."""
    global _strict
    previous, _strict = _strict, bool(on)
    return previous


_HOST_INDICES = {"aten::_index_put_impl_", "aten::index.Tensor", "aten::index.Tensor_out"}
"""Operators whose index tensors may lie on the CPU, as they may for CUDA."""


class _Signature(NamedTuple):
    written: frozenset[str]
    names: tuple[str, ...]
    is_view: bool


@cache
def _signature(op: Any) -> _Signature:
    arguments, returns = op._schema.arguments, op._schema.returns
    return _Signature(
        frozenset(a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write),
        tuple(a.name for a in arguments),
        any(r.alias_info is not None and not r.alias_info.is_write for r in returns),
    )


class _Crossing:
    """One call's tensors on their way to the CPU and back."""

    def __init__(self):
        self.device = devices.current_device()
        self.down: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.written: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.nbytes = 0

    def to_cpu(self, value: Any, written: bool = False) -> Any:
        if isinstance(value, torch.Tensor):
            return self._tensor(value, written) if value.device.type == NAME else value
        if isinstance(value, (list, tuple)):
            return type(value)(self.to_cpu(item, written) for item in value)
        if isinstance(value, torch.device):
            return torch.device("cpu") if value.type == NAME else value
        if isinstance(value, torch.Generator):
            return generators.on_cpu(value, self.device)
        return value

    def _tensor(self, tensor: torch.Tensor, written: bool) -> torch.Tensor:
        self.device = tensor.device.index
        if id(tensor) in self.down:
            return self.down[id(tensor)][1]
        alias = host(tensor)
        if written:
            alias = alias.clone() if _dense(alias) else alias.contiguous()
            self.written.append((tensor, alias))
        self.down[id(tensor)] = (tensor, alias)
        self.nbytes += tensor.numel() * tensor.element_size()
        return alias

    def write_back(self) -> None:
        for tensor, alias in self.written:
            if tensor.shape != alias.shape:
                tensor.resize_(alias.shape)
            host(tensor).copy_(alias)
            self.nbytes += alias.numel() * alias.element_size()

    def to_device(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            for tensor, alias in self.written:
                if value is alias:
                    return tensor
            return self._fresh(value)
        if isinstance(value, (list, tuple)):
            return (
                tuple(self.to_device(item) for item in value)
                if isinstance(value, tuple)
                else [self.to_device(item) for item in value]
            )
        return value

    def _fresh(self, value: torch.Tensor) -> torch.Tensor:
        if value.layout is not torch.strided or value.is_quantized:
            raise MissingOperatorError(
                f"wb has no {'quantized' if value.is_quantized else value.layout} tensors.",
                "the operator's result is one",
                "do this step on the CPU, and move dense tensors to the device",
            )
        self.nbytes += value.numel() * value.element_size()
        return upload(value, self.device)


def _dense(tensor: torch.Tensor) -> bool:
    return not any(
        step == 0 and n > 1 for n, step in zip(tensor.size(), tensor.stride(), strict=True)
    )


def upload(value: torch.Tensor, device: int) -> torch.Tensor:
    """Return a device tensor with a CPU tensor's values and, where it is dense, its strides."""
    strides = value.stride() if _dense(value) else tensors.contiguous_strides(value.size())
    made = tensors.empty_strided(value.size(), strides, value.dtype, device)
    with torch.no_grad():
        host(made).copy_(value)
    return made


def fallback(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Answer one operator with the CPU's kernel.

    Raises
    ------
    MissingOperatorError
        In strict mode, and for views and sparse or quantized results.
    RuntimeError
        For tensors on different devices, as on any device.
    """
    name = op.name()
    signature = _signature(op)
    if _strict or signature.is_view:
        raise MissingOperatorError(
            f"wb has no kernel for {name}.",
            "falling back is forbidden (strict mode)" if _strict else "a view cannot fall back",
            f"write one: wb.stub({name!r}) prints the skeleton",
        )
    check_devices(name, args, kwargs)
    generators.check_target(kwargs.get("generator"), (*args, *kwargs.values()))
    streams.wait_for_current()
    crossing = _Crossing()
    args = [
        crossing.to_cpu(_wrapped(value, argument, args), argument.name in signature.written)
        for argument, value in zip(op._schema.arguments, args, strict=False)
    ]
    kwargs = {k: crossing.to_cpu(v, k in signature.written) for k, v in kwargs.items()}
    if "generator" in signature.names[len(args) :] and kwargs.get("generator") is None:
        kwargs["generator"] = generators.on_cpu(None, crossing.device)
    try:
        result = op(*args, **kwargs)
    finally:
        traffic.fell_back(name, crossing.nbytes)
    crossing.write_back()
    return crossing.to_device(result)


def _wrapped(value: Any, argument: Any, args: Any) -> Any:
    """Make the tensor that a Python number in a tensor's place stands for."""
    if type(value) in (bool, int, float, complex) and str(argument.type) == "Tensor":
        beside = next((a for a in args if isinstance(a, torch.Tensor)), None)
        dtype = torch.result_type(beside, value) if beside is not None else None
        return torch.tensor(value, dtype=dtype)
    return value


def check_devices(name: str, args: Any, kwargs: Any) -> None:
    """Raise where tensors of several dimensions lie on different devices.

    A zero-dimensional CPU tensor may stand beside device tensors, as on CUDA.
    """
    seen: dict[torch.device, torch.Tensor] = {}
    stack = [*args, *kwargs.values()]
    while stack:
        value = stack.pop()
        if isinstance(value, torch.Tensor):
            if value.dim() or value.device.type == NAME:
                seen.setdefault(value.device, value)
        elif isinstance(value, (list, tuple)) and name not in _HOST_INDICES:
            stack.extend(value)
    if len(seen) > 1:
        places = " and ".join(sorted(map(str, seen)))
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{places}! (when calling {name}; move one of them with .to())"
        )


LACKING = ("Sparse", "SparseCsr", "Quantized", "NestedTensor")
"""Kinds of tensors that the device has no storage for, as the dispatcher calls them."""


def _refuse(kind: str, op: Any, /, *args: Any, **kwargs: Any) -> Any:
    raise MissingOperatorError(
        f"wb has no {kind} tensors.",
        f"{op.name()} was called for one",
        "do this step on the CPU, and move dense tensors to the device",
    )


_library: torch.library.Library | None = None


def register() -> None:
    """Put the fallback behind every operator of the device, in every namespace."""
    global _library
    _library = torch.library.Library("_", "IMPL")
    _library.fallback(fallback, "PrivateUse1")
    for layout in LACKING:
        _library.fallback(partial(_refuse, layout), f"{layout}PrivateUse1")
    _library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
