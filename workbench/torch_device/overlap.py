"""May this tensor be written to? What shares memory with itself, or with an input, is refused.

A kernel writes its elements in any order and on several cores, so a result that is written twice,
or over an operand that is still read, would be chance. The rules and the words are PyTorch's
(``ATen/MemoryOverlap.cpp``): an output must not be an expanded view, and may lie on an input only
where both are the same elements in the same order. It does not search strides for subtler
overlaps, and neither does PyTorch.
"""

from __future__ import annotations

import torch

from workbench.torch_device.core import tensors

_SEVERAL = (
    "unsupported operation: more than one element of the written-to tensor refers to a "
    "single memory location. Please clone() the tensor before performing the operation."
)
_SHARED = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
    "single memory location. Please clone() the tensor before performing the operation."
)
_is_dense = torch.ops.aten.is_non_overlapping_and_dense.default


def check_single(out: torch.Tensor) -> None:
    """Raise, in PyTorch's words, where elements of an output share memory with each other."""
    if not out.is_contiguous() and any(
        n > 1 and step == 0 for n, step in zip(out.shape, out.stride(), strict=True)
    ):
        raise RuntimeError(_SEVERAL)


def check_partial(out: torch.Tensor, value: torch.Tensor) -> None:
    """Raise, in PyTorch's words, where an output lies on some, but not just all, of an input.

    For elementwise operators, which may write over an input that has the same elements in the same
    order. As in PyTorch, only dense tensors are compared.
    """
    if out is value or out.device != value.device:
        return
    begin, first = out.data_ptr(), value.data_ptr()
    if begin >= first + value.nbytes or first >= begin + out.nbytes:
        return
    if begin == first and out.nbytes == value.nbytes and out.stride() == value.stride():
        return
    if _is_dense(out) and _is_dense(value):
        raise RuntimeError(_SHARED)


def check_no_overlap(out: torch.Tensor, *inputs) -> None:
    """Raise, in PyTorch's words, where an output shares memory with an input."""
    if not out.numel():
        return
    storage = out.untyped_storage().data_ptr()
    first, last = _bytes_of(out)
    for value in inputs:
        if isinstance(value, torch.Tensor) and value.numel() and value.device == out.device:
            begin, end = _bytes_of(value)
            if value.untyped_storage().data_ptr() == storage and begin < last and first < end:
                raise RuntimeError(_SHARED)


def _bytes_of(tensor: torch.Tensor) -> tuple[int, int]:
    start = tensor.data_ptr()
    return start, start + tensors.span(tensor.size(), tensor.stride()) * tensor.element_size()
