"""What to do about a construct that does not export: the way round, where we know one.

A table of what the exporter's message contains, and what to write instead. It refuses to guess:
with no row that fits, the advice names the two general ways.
"""

from __future__ import annotations

ADVICE: tuple[tuple[str, str], ...] = (
    (
        "Could not guard on data-dependent",
        "an `if` on values cannot be exported as Python runs only one side of it: write "
        "torch.cond(predicate, true_fn, false_fn, (x,)), or torch.where when both sides are cheap",
    ),
    (
        "Could not extract specialized integer from data-dependent",
        "a number taken out of a tensor (.item(), int(t), t[p] with p a tensor) is not known at "
        "export: index with tensors (index_copy, gather, torch.where on torch.arange), or pass "
        "the number as a Python argument",
    ),
    (
        "linalg_svd",
        "singular values: torch.linalg.eigh has no ONNX either; move the SVD out of the model, or "
        "replace the use: a rank-k product is a matmul with factors computed before export",
    ),
    ("linalg_eigh", "move the eigenproblem out of the model; ONNX has no operator for it"),
    ("linalg_qr", "ONNX has no QR: for least squares use torch.linalg.lstsq, which we rewrite"),
    (
        "bfloat16",
        "call .float() on the module before the export and let the provider choose a precision",
    ),
)

GENERAL = (
    "give `custom={torch.ops....: function over ONNX operators}` to export(), or call "
    "torch.onnx.ops.symbolic in forward() to keep it as a node of your own domain"
)


def advice_for(text: str, operator: str = "") -> str:
    """Return the advice whose key occurs in the exporter's message or in the operator's name."""
    for key, advice in ADVICE:
        if key in text or (operator and key in operator):
            return advice
    return GENERAL
