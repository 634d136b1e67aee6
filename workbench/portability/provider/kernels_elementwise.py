"""Kernels that work element by element.

The formulas are those of the operators' pages (https://onnx.ai/onnx/operators/), in NumPy. Half
precision is computed in float32 and rounded once, as hardware does.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from workbench.portability.provider.engine import Kernel


def widened(function):
    """Compute in float32 what comes in float16."""

    def wide(node, *inputs):
        wide_inputs = [
            x.astype(np.float32) if x is not None and x.dtype == np.float16 else x for x in inputs
        ]
        with np.errstate(all="ignore"):
            return function(node, *wide_inputs)

    return wide


def floating(node):
    """Accept nodes whose first input is of a floating type."""
    return node.inputs[0].dtype.kind == "f"


def plain(function):
    """Make a kernel of a NumPy function of the inputs alone."""
    return widened(lambda node, *inputs: function(*inputs))


def gelu(node, x):
    """X Phi(x), or its tanh approximation (D. Hendrycks and K. Gimpel, arXiv:1606.08415)."""
    if node.get("approximate", "none") == "tanh":
        inner = np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + np.tanh(inner))
    return 0.5 * x * (1 + special.erf(x / np.sqrt(2).astype(x.dtype)))


def integer_divide(x, y):
    """Divide integers, truncating toward zero, without leaving NumPy's types."""
    if x.dtype.kind != "i":
        return np.floor_divide(x, y)
    quotient = np.floor_divide(x, y)
    inexact = (quotient * y != x) & ((x < 0) != (y < 0))
    return quotient + inexact.astype(x.dtype)


def any_divide(node, x, y):
    """Divide floats exactly and integers as C does."""
    return np.divide(x, y) if x.dtype.kind == "f" else integer_divide(x, y)


def modulo(node, x, y):
    """With fmod the sign is the dividend's, without it the divisor's."""
    return np.fmod(x, y) if node.get("fmod", 0) else np.mod(x, y)


def clip(node, x, low=None, high=None):
    """Limits are attributes before opset 11 and inputs from it on; the upper one wins."""
    low = node.get("min") if low is None else low
    high = node.get("max") if high is None else high
    result = x
    if low is not None:
        result = np.maximum(result, np.asarray(low, x.dtype))
    return result if high is None else np.minimum(result, np.asarray(high, x.dtype))


def cast(node, x):
    """Convert; float to bool is `!= 0`, as NumPy does."""
    with np.errstate(all="ignore"):
        return x.astype(node.dtype())


def convertible(node):
    """Leave out what C leaves undefined: a float that an integer type may not hold."""
    return not (node.inputs[0].dtype.kind == "f" and node.dtype().kind in "iu")


def bit_shift(node, x, y):
    """Shift; by the width or more gives 0."""
    shift = np.left_shift if node.get("direction") == "LEFT" else np.right_shift
    return shift(x, y)


def is_infinite(node, x):
    """Which signs count is an attribute."""
    positive, negative = node.get("detect_positive", 1), node.get("detect_negative", 1)
    return (np.isposinf(x) & bool(positive)) | (np.isneginf(x) & bool(negative))


def fold(function):
    """Make a kernel that folds any number of inputs with a binary function."""

    def folded(node, *inputs):
        result = inputs[0]
        for other in inputs[1:]:
            result = function(result, other)
        return result

    return widened(folded)


def sigmoid(x):
    """Return 1 / (1 + exp(-x)), without overflow."""
    return special.expit(x)


def softplus(x):
    """Return log(1 + exp(x)), without overflow."""
    return np.logaddexp(np.asarray(0, x.dtype), x)


UNARY = {
    "Abs": np.abs, "Neg": np.negative, "Sign": np.sign, "Ceil": np.ceil, "Floor": np.floor,
    "Round": np.rint, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt, "Reciprocal": np.reciprocal,
    "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos,
    "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh, "Tanh": np.tanh, "Asinh": np.arcsinh,
    "Acosh": np.arccosh, "Atanh": np.arctanh, "Erf": special.erf, "IsNaN": np.isnan,
    "Sigmoid": sigmoid, "Softplus": softplus,
    "Not": np.logical_not, "BitwiseNot": np.bitwise_not,
    "Relu": lambda x: np.maximum(x, np.zeros((), x.dtype)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Mish": lambda x: x * np.tanh(softplus(x)),
    "Identity": lambda x: x,
}  # fmt: skip
BINARY = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "And": np.logical_and,
    "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal, "Less": np.less,
    "Greater": np.greater, "LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal,
    "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
}  # fmt: skip
# activations with attributes: the default values are those of the operators' pages
ACTIVATIONS = {
    "LeakyRelu": lambda node, x: np.where(x < 0, node.get("alpha", 0.01) * x, x),
    "Elu": lambda node, x: np.where(x < 0, node.get("alpha", 1.0) * np.expm1(x), x),
    "Celu": lambda node, x: (
        np.maximum(x, 0)
        + np.minimum(0, node.get("alpha", 1.0) * np.expm1(x / node.get("alpha", 1.0)))
    ),
    "Selu": lambda node, x: (
        node.get("gamma", 1.05070102214813232)
        * np.where(x <= 0, node.get("alpha", 1.67326319217681884) * np.expm1(x), x)
    ),
    "HardSigmoid": lambda node, x: np.clip(
        node.get("alpha", 0.2) * x + node.get("beta", 0.5), 0, 1
    ),
    "ThresholdedRelu": lambda node, x: np.where(x > node.get("alpha", 1.0), x, 0),
    "Shrink": lambda node, x: np.where(
        x < -node.get("lambd", 0.5),
        x + node.get("bias", 0.0),
        np.where(x > node.get("lambd", 0.5), x - node.get("bias", 0.0), 0),
    ),
    "Swish": lambda node, x: x * sigmoid(node.get("alpha", 1.0) * x),
    "PRelu": lambda node, x, slope: np.where(x < 0, slope * x, x),
    "Gelu": gelu,
    "IsInf": is_infinite,
    "Clip": clip,
    "Div": any_divide,
}

KERNELS = [
    *(Kernel(name, plain(function)) for name, function in UNARY.items()),
    *(Kernel(name, plain(function), since=7) for name, function in BINARY.items()),
    *(Kernel(name, widened(function), since=6) for name, function in ACTIVATIONS.items()),
    *(
        Kernel(name, fold(function), since=8)
        for name, function in (("Sum", np.add), ("Max", np.maximum), ("Min", np.minimum))
    ),
    Kernel("Mean", widened(lambda node, *xs: sum(xs[1:], xs[0]) / len(xs)), since=8),
    Kernel("Mod", modulo),
    Kernel("Pow", widened(lambda node, x, y: np.power(x, y)), since=7, accepts=floating),
    Kernel("Where", lambda node, test, x, y: np.where(test, x, y)),
    Kernel("Cast", cast, since=6, accepts=convertible),
    Kernel("CastLike", lambda node, x, like: cast(node, x), since=15, accepts=convertible),
    Kernel("BitShift", bit_shift),
]
