"""Elementwise operators: one line each, an expression over the operator's own argument names.

``T`` is the type of the arithmetic, and ``R`` rounds to the result's dtype where the CPU's 16-bit
kernels do so half way. A row may have different expressions for floats (``f``) and
integers (``i``), for one dtype (``f16``), for a string argument, or for both (``floor i``). Where
PyTorch generates the functional and the in-place form around ``.out``, only ``.out`` is in the
table. Complex numbers are computed by the rows in `COMPLEX` alone; the others fall back for them,
counted.
"""

from __future__ import annotations

_AT_LEAST = "(self if (self > min or self != self) else min)"
_CLAMP = f"{_AT_LEAST} if ({_AT_LEAST} < max or self != self) else max"

SAME = {  # computed in the operands' common type
    "add.out": "self + alpha * R(other)",
    "sub.out": "self - alpha * R(other)",
    "rsub.Tensor": "other - alpha * self",
    "mul.out": "self * other",
    "neg.out": "-self",
    "abs.out": "abs(self)",
    "ceil.out": {"f": "T(math.ceil(self)) if math.isfinite(self) else self", "i": "self"},
    "floor.out": {"f": "np.floor(self)", "i": "self"},
    "trunc.out": {"f": "np.trunc(self)", "i": "self"},
    "round.out": {"f": "np.rint(self)", "i": "self"},
    "round.decimals_out": {"f": "round_decimals(self, decimals)"},
    "frac.out": {"f": "self - np.trunc(self)"},
    "sign.out": "T(self > 0) - T(self < 0)",
    "sgn.out": "T(self > 0) - T(self < 0)",
    "conj_physical.out": "self",
    "remainder.Tensor_out": {"f": "modulo(self, other)", "i": "self % other"},
    "remainder.Scalar_Tensor": {"f": "modulo(self, other)", "i": "self % other"},
    "fmod.Tensor_out": {"f": "np.fmod(self, other)", "i": "self - other * trunc_div(self, other)"},
    "floor_divide.out": {"f": "floor_div(self, other)", "i": "self // other"},
    "floor_divide": {"f": "floor_div(self, other)", "i": "self // other"},
    "floor_divide_.Tensor": {"f": "floor_div(self, other)", "i": "self // other"},
    "pow.Tensor_Tensor_out": {"f": "self ** exponent", "i": "int_power(self, exponent)"},
    "pow.Tensor_Scalar_out": {"f": "self ** exponent", "i": "int_power(self, exponent)"},
    "pow.Scalar_out": {"f": "self ** exponent", "i": "int_power(self, exponent)"},
    "maximum.out": {
        "f": "self if (self > other or self != self) else other",
        "i": "max(self, other)",
    },
    "minimum.out": {
        "f": "self if (self < other or self != self) else other",
        "i": "min(self, other)",
    },
    "fmax.out": {
        "f": "self if (self >= other or other != other) else other",
        "i": "max(self, other)",
    },
    "fmin.out": {
        "f": "self if (self <= other or other != other) else other",
        "i": "min(self, other)",
    },
    "heaviside.out": "T(self > 0) if self != 0 else values",
    "hypot.out": {"f": "math.hypot(self, other)"},
    "gcd.out": {"i": "gcd(self, other)"},
    "lcm.out": {"i": "lcm(self, other)"},
    "div.out_mode": {
        "floor f": "floor_div(self, other)",
        "floor i": "self // other",
        "trunc f": "np.trunc(self / other)",
        "trunc i": "trunc_div(self, other)",
    },
    "nextafter.out": {
        "f": "np.nextafter(self, other)",
        "f16": "half_to_f4(next_bits(self, other, f4_to_half(self), f4_to_half(other)))",
        "bf16": "brain_to_f4(next_bits(self, other, f4_to_brain(self), f4_to_brain(other)))",
    },
    "logaddexp.out": {"f": "logaddexp(self, other)"},
    "logaddexp2.out": {
        "f": "logaddexp(self * math.log(2.0), other * math.log(2.0)) / math.log(2.0)"
    },
    "bitwise_and.Tensor_out": {"i": "self & other"},
    "bitwise_or.Tensor_out": {"i": "self | other"},
    "bitwise_xor.Tensor_out": {"i": "self ^ other"},
    "bitwise_left_shift.Tensor_out": {"i": "self << other if 0 <= other < 64 else 0"},
    "lerp.Scalar_out": "(self + weight * (end - self)) if abs(weight) < 0.5 else "
    "(end - (end - self) * (1 - weight))",
    "lerp.Tensor_out": "(self + weight * (end - self)) if abs(weight) < 0.5 else "
    "(end - (end - self) * (1 - weight))",
    "addcmul.out": "self + value * tensor1 * tensor2",
    "addcdiv.out": {"f": "self + value * tensor1 / tensor2"},
    "clamp_min.out": {"f": "maximum(self, min)", "i": "max(self, min)"},
    "clamp_max.out": {"f": "minimum(self, max)", "i": "min(self, max)"},
    "clamp_min.Tensor_out": {"f": "maximum(self, min)", "i": "max(self, min)"},
    "clamp_max.Tensor_out": {"f": "minimum(self, max)", "i": "min(self, max)"},
    "clamp.out": _CLAMP,
    "clamp.Tensor_out": _CLAMP,
    "nan_to_num.out": {
        "f": "(nan if self != self else posinf if self == np.inf else neginf "
        "if self == -np.inf else self)",
        "i": "self",
    },
    "threshold.out": "value if self <= threshold else self",
    "relu": "self if (self > 0 or self != self) else T(0)",
    "relu_": "self if (self > 0 or self != self) else T(0)",
    "leaky_relu.out": "self if self > 0 else self * negative_slope",
    "hardtanh": "min_val if self < min_val else max_val if self > max_val else self",
    "hardtanh_": "min_val if self < min_val else max_val if self > max_val else self",
    "hardtanh.out": "min_val if self < min_val else max_val if self > max_val else self",
    "hardshrink.out": {"f": "T(0) if (self >= -lambd and self <= lambd) else self"},
    "softshrink.out": {
        "f": "self - lambd if self > lambd else self + lambd if self < -lambd else self * T(0)"
    },
    "hardsigmoid.out": {"f": "min(max(self + T(3), T(0)), T(6)) * T(1 / 6)"},
    "hardswish": {"f": "self * min(max(self + T(3), T(0)), T(6)) * T(1 / 6)"},
    "hardswish_": {"f": "self * min(max(self + T(3), T(0)), T(6)) * T(1 / 6)"},
    "hardswish.out": {"f": "self * min(max(self + T(3), T(0)), T(6)) * T(1 / 6)"},
    "elu.out": {"f": "self * scale if self > 0 else expm1(self * input_scale) * alpha * scale"},
    "softplus.out": {"f": "self if self * beta > threshold else log1p(exp(self * beta)) / beta"},
    "silu.out": {"f": "self / (T(1) + exp(-self))"},
    "mish.out": {"f": "self * tanh(softplus(self))"},
    "gelu.out": {
        "none": "T(0.5) * self * (T(1) + T(erf(self * T(0.7071067811865476))))",
        "tanh": "T(0.5) * self * (T(1) + tanh(T(0.7978845608028654) * "
        "(self + T(0.044715) * self * self * self)))",
    },
    "_prelu_kernel": {"f": "self if self > 0 else weight * self"},
    "bitwise_not.out": {"i": "~self", "b": "self == 0"},
    "bitwise_right_shift.Tensor_out": {"i": "self >> (other if 0 <= other < 64 else 63)"},
}

FLOAT = {  # integers are computed, and answered, in the default float type
    name + ".out": expression
    for name, expression in {
        "exp": "exp(self)",
        "exp2": "np.exp2(self)",
        "expm1": "expm1(self)",
        "log": "log(self)",
        "log2": "np.log2(self)",
        "log10": "np.log10(self)",
        "log1p": "log1p(self)",
        "sqrt": "np.sqrt(self)",
        "rsqrt": "T(1) / np.sqrt(self)",
        "reciprocal": "T(1) / self",
        "sin": "np.sin(self)",
        "cos": "np.cos(self)",
        "tan": "np.tan(self)",
        "asin": "np.arcsin(self)",
        "acos": "np.arccos(self)",
        "atan": "np.arctan(self)",
        "sinh": "np.sinh(self)",
        "cosh": "np.cosh(self)",
        "tanh": "tanh(self)",
        "asinh": "np.arcsinh(self)",
        "acosh": "np.arccosh(self)",
        "atanh": "np.arctanh(self)",
        "sigmoid": "T(1) / (T(1) + exp(-self))",
        "erf": "erf(self)",
        "erfc": "math.erfc(self)",
        "erfinv": "erfinv(f8(self))",
        "lgamma": "math.lgamma(self)",
        "digamma": "digamma(f8(self))",
        "sinc": "sinc(self)",
        "i0": "bessel_i(0, f8(self)) * math.exp(abs(f8(self)))",
        "special_i0e": "bessel_i(0, f8(self))",
        "special_i1": "bessel_i(1, f8(self)) * math.exp(abs(f8(self)))",
        "special_i1e": "bessel_i(1, f8(self))",
        "special_entr": "-self * R(log(self)) if self > 0 else entropy(self)",
        "special_ndtri": "ndtri(f8(self))",
        "special_log_ndtr": "log_ndtr(f8(self))",
        "special_erfcx": "erfcx(f8(self))",
        "special_modified_bessel_i0": "bessel_i(0, f8(self)) * math.exp(abs(f8(self)))",
        "special_modified_bessel_i1": "bessel_i(1, f8(self)) * math.exp(abs(f8(self)))",
        "special_spherical_bessel_j0": "T(1) if x == 0 else np.sin(x) / x",
        "atan2": "math.atan2(self, other)",
        "div": "self / other",
        "copysign": "np.copysign(self, other)",
        "special_xlog1py": "T(np.nan) if other != other else T(0) if self == 0 else "
        "self * R(log1p(other))",
    }.items()
} | {
    "xlogy.OutTensor": "T(np.nan) if other != other else T(0) if self == 0 else "
    "self * log(other)",
    "angle": {"f": "self if self != self else T(np.pi) if self < 0 else T(0)",
              "i": "T(np.pi) if self < 0 else T(0)"},
    "angle.out": {"f": "self if self != self else T(np.pi) if self < 0 else T(0)",
                  "i": "T(np.pi) if self < 0 else T(0)"},
    "logit": "log(R(self / R(T(1) - self)))",
}  # fmt: skip

COMPARE = {  # computed in the common type, answered as booleans
    **{
        f"{name}.{form}_out": f"self {sign} other"
        for name, sign in
        {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
        for form in ("Tensor", "Scalar")
    },
    "logical_and.out": "(self != 0) and (other != 0)",
    "logical_or.out": "(self != 0) or (other != 0)",
    "logical_xor.out": "(self != 0) != (other != 0)",
    "logical_not.out": "self == 0",
    "isnan": "self != self",
    "isposinf.out": {"f": "self == np.inf", "i": "False"},
    "isneginf.out": {"f": "self == -np.inf", "i": "False"},
    "signbit.out": {"f": "math.copysign(1.0, self) < 0", "i": "self < 0"},
}  # fmt: skip

BACKWARD = {  # gradients: computed in the common type of floats
    "sigmoid_backward.grad_input": "grad_output * (T(1) - output) * output",
    "tanh_backward.grad_input": "grad_output * (T(1) - output * output)",
    "threshold_backward.grad_input": "T(0) if self <= threshold else grad_output",
    "leaky_relu_backward.grad_input": "grad_output if self > 0 else grad_output * negative_slope",
    "hardtanh_backward.grad_input": "grad_output if (self > min_val and self < max_val) else T(0)",
    "hardtanh_backward": "grad_output if (self > min_val and self < max_val) else T(0)",
    "hardshrink_backward.grad_input":
        "T(0) if (self >= -lambd and self <= lambd) else grad_out",
    "softshrink_backward.grad_input":
        "T(0) if (self >= -lambd and self <= lambd) else grad_output",
    "hardsigmoid_backward.grad_input":
        "grad_output * T(1 / 6) if (self > -3 and self < 3) else T(0)",
    "hardswish_backward": "T(0) if self <= -3 else grad_output if self >= 3 else "
    "grad_output * (self / T(3) + T(0.5))",
    "silu_backward.grad_input":
        "grad_output * sigmoid(self) * (T(1) + self * (T(1) - sigmoid(self)))",
    "softplus_backward.grad_input":
        "grad_output if self * beta > threshold else grad_output * sigmoid(self * beta)",
    "elu_backward.grad_input":
        "(grad_output * scale if self_or_result > 0 else "
        "(grad_output * input_scale * (self_or_result + alpha * scale)) if is_result else "
        "grad_output * input_scale * alpha * scale * exp(self_or_result * input_scale))",
    "gelu_backward.grad_input": {
        "none": "grad_output * (T(0.5) * (T(1) + T(erf(self * T(0.7071067811865476)))) + "
        "self * exp(T(-0.5) * self * self) * T(0.3989422804014327))",
        "tanh": "gelu_tanh_slope(self) * grad_output",
    },
    "logit_backward.grad_input": "grad_output / (self * (T(1) - self))",
    "native_dropout_backward": "grad_output * mask * scale",
    "log_sigmoid_backward": "grad_output * sigmoid(-self)",
    "log_sigmoid_backward.grad_input": "grad_output * sigmoid(-self)",
}  # fmt: skip

FEW = {
    "rsqrt.out": "T(1) / R(np.sqrt(self))",
    "xlogy.OutTensor": "T(np.nan) if other != other else T(0) if self == 0 else "
    "self * R(log(other))",
}
"""16-bit rows on fewer elements than a vector holds: there the CPU's kernels round each step."""

COMPLEX = {
    "add.out", "sub.out", "rsub.Tensor", "mul.out", "neg.out", "div.out", "reciprocal.out",
    "exp.out", "sqrt.out", "sin.out", "cos.out", "eq.Tensor_out", "ne.Tensor_out", "eq.Scalar_out",
    "ne.Scalar_out", "addcmul.out", "addcdiv.out", "isnan", "logical_not.out", "logical_and.out",
    "logical_or.out",
}  # fmt: skip
"""Rows whose expression is right for complex numbers, too."""
