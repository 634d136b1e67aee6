"""The Cube: multiply two matrices in L0 and add to the accumulator in L0C.

It takes a block of 16 x 16 x 32 bytes each cycle. Half and bfloat16 products are accumulated in
float32, int8 in int32, and the accumulator is rounded only when `fixpipe` brings it out.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.tensors import LocalTensor
from workbench.aicore.recording.recorder import recorder

# dtype of the operands -> dtype of the accumulator
ACCUMULATOR = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "int8": "int32",
}


def mmad(c: LocalTensor, a: LocalTensor, b: LocalTensor, init: bool) -> None:
    """Write ``a @ b`` to the accumulator where `init`, else add it.

    Parameters
    ----------
    c : LocalTensor
        (m, n) in L0C.
    a, b : LocalTensor
        (m, k) in L0A and (k, n) in L0B, of one dtype.
    init : bool
        Begin anew; False adds to what is there.
    """
    for tensor, buffer in ((c, "L0C"), (a, "L0A"), (b, "L0B")):
        if not isinstance(tensor, LocalTensor) or tensor.buffer != buffer:
            raise AICoreError(
                "position", f"mmad takes this operand from {buffer}.", repr(tensor), "load_data"
            )
    if a.dtype != b.dtype or not _accumulates(a.dtype, c.dtype):
        raise AICoreError(
            "dtype",
            "The Cube has no such multiplication.",
            f"{a.dtype} @ {b.dtype} into {c.dtype}",
            "; ".join(f"{k} into {v}" for k, v in ACCUMULATOR.items()),
        )
    (m, k), n = a.shape, b.shape[1]
    if b.shape[0] != k or c.shape != (m, n):
        raise AICoreError(
            "shape", "The shapes do not fit for mmad.", f"{a!r} @ {b!r} into {c!r}", "slice them"
        )
    one = recorder()
    one.units.add("AIC")
    one.emit(
        "AIC.M", "mmad", (c,), (a, b) if init else (a, b, c), _multiply, (c, a, b, init),
        one.costs.mmad_cycles(m, k, n, a.dtype), head=one.costs.mmad_head,
    )  # fmt: skip


@cache
def _accumulates(operand: np.dtype, total: np.dtype) -> bool:
    return ACCUMULATOR.get(operand.name) == total.name


def _multiply(memory, c, a, b, init) -> None:
    wide = np.float64 if a.dtype.kind == "i" else np.float32
    product = a.load(memory).astype(wide) @ b.load(memory).astype(wide)
    if not init:
        product = product + c.load(memory)
    c.store(memory, product.astype(c.dtype))
