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


# Operators that a provider often leaves, and what to write instead. From the providers' kernel
# registries as `preview` shows them at opsets 18 to 23.
CHANGES: dict[str, str] = {
    "Gelu": "Gelu became one operator at opset 20; at opset 19 it is Erf, Mul and Add, which "
    "the provider may take",
    "LayerNormalization": "write the mean and variance out (ReduceMean, Sub, Mul, Sqrt, Div), or "
    "use a batch norm that folds into the layer before it",
    "Attention": "Attention is one operator from opset 23 on; export at 22 for MatMul and Softmax",
    "MaxPool": "MaxPool has a new form at opset 22; export at 21 or below",
    "Conv": "Conv has a new form at opset 22; export at 21 or below",
    "AveragePool": "AveragePool has new forms at opsets 19 and 22; export at 18",
    "Reshape": "Reshape has new forms from opset 19 on; export at 18",
    "Gemm": "the provider's single-operator Gemm is float16 only: use its graph mode, or .half()",
    "Softmax": "use the provider's graph mode: it has no single-operator Softmax",
    "If": "take the branch out of the graph: torch.where, or two models",
    "Loop": "unroll the loop, or move it out of the model",
    "NonMaxSuppression": "do it outside the model, after the boxes have left the device",
}


def change_for(operator: str) -> str:
    """Return what to change where a provider leaves an operator; empty where we know nothing."""
    return CHANGES.get(operator, "")
