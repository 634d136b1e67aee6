"""The short way for small tensors: plain elementwise calls answered in one Python function.

Most calls of a network are on row-major tensors of one dtype, where nothing needs promoting,
broadcasting or checking. For the operators in `SHORT` that case is recognised and answered here:
one block, one packed line of words, one call of the compiled loop. Anything else is handed to the
kernel that PyTorch generates around ``.out``, which checks everything. It refuses to know what the
operators compute: that is `elementwise`'s table.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportCallIssue=false

from __future__ import annotations

from struct import Struct

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.codegen import types
from workbench.torch_device.core import allocator, tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.driver.queue import BOARD
from workbench.torch_device.ops.pointwise import KERNELS as ROWS

BINARY = ("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor")
UNARY = (
    "abs",
    "neg",
    "exp",
    "log",
    "sqrt",
    "sigmoid",
    "tanh",
    "silu",
    "sin",
    "cos",
    "erf",
)

_GENERATED = torch._C.DispatchKeySet(torch._C.DispatchKey.HPU)
"""An unused backend's key: under it the dispatcher finds the kernel generated around ``.out``."""
_SMALL = 4096  # elements; above it, one core may not be enough and `launch` decides
_FLOATS = {torch.float32, torch.float64, torch.float16, torch.bfloat16}
_UNARY_WORDS, _BINARY_WORDS = Struct("6q"), Struct("9q")


def _empty_like(model: torch.Tensor, shape, dtype: torch.dtype, count: int) -> torch.Tensor:
    """Return a row-major tensor beside `model`, of a dtype that DLPack knows, in few steps."""
    device = model.device.index
    address = allocator.allocate(count * dtype.itemsize, device)
    record = tensors._records.get(address) or tensors._record(address, device)
    if record[6] == (shape, dtype):  # this block's record says so from the last time
        return tensors._from_dlpack(tensors._new_capsule(record[0], b"dltensor", None))
    pointer, tensor, kind, sizes, steps, _, _ = record
    record[6] = (shape, dtype)
    tensor.ndim = dims = len(shape)
    kind.code, kind.bits = tensors._CODES[dtype]
    step = 1
    for d in range(dims - 1, -1, -1):
        sizes[d] = n = shape[d]
        steps[d] = step
        step *= n
    return tensors._from_dlpack(tensors._new_capsule(pointer, b"dltensor", None))


def _ready(row, dtype: torch.dtype, operands: tuple) -> object:
    """Return the loop of a row for one dtype, compiled."""
    compute = types.KINDS[dtype].compute
    expression = row._expression(dtype, None)
    return engine.loop(row.label, expression, compute, dtype, operands).run_briefly


def _binary(name: str):
    base = name.partition(".")[0]
    row, slow = ROWS[f"{base}.out"], overload(name)._handle.redispatch_boxed
    scaled = base in ("add", "sub")
    loops: dict = {}
    empty, pack, counted = _empty_like, _BINARY_WORDS.pack, traffic.NATIVE
    dense = torch.Tensor.is_contiguous

    def operands_of(dtype):
        both = (("self", dtype), ("other", dtype))
        return (("self", dtype), ("alpha", "i"), ("other", dtype)) if scaled else both

    def short(self, other, *, alpha=1):
        if not isinstance(self, torch.Tensor):  # a number first: the row computes with it
            return row(self, other, alpha=alpha) if scaled else row(self, other)
        if isinstance(other, torch.Tensor):
            dtype, shape = self.dtype, self.shape
            count = self.numel()
            if (
                dtype in _FLOATS
                and other.dtype is dtype
                and other.shape == shape
                and alpha == 1
                and 0 < count < _SMALL
                and dense(self)
                and dense(other)
                and self.get_device() == other.get_device()
                and not BOARD[0]
            ):
                run = loops.get(dtype)
                if run is None:
                    run = loops[dtype] = _ready(row, dtype, operands_of(dtype))
                out = empty(self, shape, dtype, count)
                given = out.data_ptr(), self.data_ptr(), other.data_ptr()
                to, left, right = (address + DELTA for address in given)
                run(pack(0, count, to, 1, left, 1, right, 1, 1))
                counted[name] += 1
                return out
        elif self.dtype in _FLOATS and isinstance(other, (int, float)):
            return row(self, other, alpha=alpha) if scaled else row(self, other)
        else:
            other = torch.tensor(other, dtype=torch.result_type(self, other))
        if scaled:
            return slow(_GENERATED, self, other, alpha=alpha)
        return slow(_GENERATED, self, other)

    return short


def _unary(name: str):
    row, slow = ROWS[f"{name}.out"], overload(name)._handle.redispatch_boxed
    loops: dict = {}
    empty, pack, counted = _empty_like, _UNARY_WORDS.pack, traffic.NATIVE

    def short(self):
        dtype, count = self.dtype, self.numel()
        if dtype in _FLOATS and 0 < count < _SMALL and self.is_contiguous() and not BOARD[0]:
            run = loops.get(dtype)
            if run is None:
                run = loops[dtype] = _ready(row, dtype, (("self", dtype),))
            out = empty(self, self.shape, dtype, count)
            run(pack(0, count, out.data_ptr() + DELTA, 1, self.data_ptr() + DELTA, 1))
            counted[name] += 1
            return out
        return slow(_GENERATED, self)

    return short


KERNELS = {name: _binary(name) for name in BINARY} | {name: _unary(name) for name in UNARY}
