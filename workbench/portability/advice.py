"""What to do about a construct that does not export: the way round, where we know one.

A table of what the exporter's message contains, and what to write instead. It refuses to guess:
with no row that fits, the advice names the two general ways.
"""

from __future__ import annotations

from dataclasses import dataclass

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


_CANN, _CUDA = "CANNExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class Change:
    """What to write instead of an operator that a provider leaves.

    Attributes
    ----------
    operator, words : str
    since : int
        The model's opset from which on it holds.
    providers : tuple of str
        Those it is true of; empty for all.
    mode : str
        The provider's mode it is true of; empty for all.
    """

    operator: str
    words: str
    since: int = 1
    providers: tuple[str, ...] = ()
    mode: str = ""


# From the providers' kernel registries as `preview` shows them at opsets 18 to 23.
CHANGES = (
    Change(
        "Gelu",
        "Gelu became one operator at opset 20; at opset 19 it is Erf, Mul and Add, which "
        "the provider may take",
        since=20,
    ),
    Change(
        "LayerNormalization",
        "write the mean and variance out (ReduceMean, Sub, Mul, Sqrt, Div), or use a batch norm "
        "that folds into the layer before it",
        since=17,
    ),
    Change(
        "Attention",
        "Attention is one operator from opset 23 on; export at 22 for MatMul and Softmax",
        since=23,
    ),
    Change(
        "MaxPool",
        "MaxPool has a new form at opset 22; export at 21 or below",
        since=22,
        providers=(_CANN, _CUDA),
    ),
    Change(
        "Conv",
        "Conv has a new form at opset 22; export at 21 or below",
        since=22,
        providers=(_CANN,),
    ),
    Change(
        "AveragePool",
        "AveragePool has new forms at opsets 19 and 22; export at 18",
        since=19,
        providers=(_CANN,),
    ),
    Change(
        "Reshape",
        "Reshape has new forms from opset 19 on; export at 18",
        since=19,
        providers=(_CANN,),
    ),
    Change(
        "Gemm",
        "the provider's single-operator Gemm is float16 only: use its graph mode, or .half()",
        providers=(_CANN,),
        mode="operators",
    ),
    Change(
        "Softmax",
        "use the provider's graph mode: it has no single-operator Softmax",
        providers=(_CANN,),
        mode="operators",
    ),
    Change("If", "take the branch out of the graph: torch.where, or two models"),
    Change("Loop", "unroll the loop, or move it out of the model"),
    Change("NonMaxSuppression", "do it outside the model, after the boxes have left the device"),
)


def change_for(operator: str, provider: str, mode: str, opset: int) -> str:
    """Return what to change where a provider leaves an operator; empty where we know nothing."""
    for change in CHANGES:
        if (
            change.operator == operator
            and opset >= change.since
            and provider in (change.providers or (provider,))
            and change.mode in ("", mode)
        ):
            return change.words
    return ""
