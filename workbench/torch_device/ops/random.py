"""Random numbers: every element from its own counter, so that results do not depend on the split.

A key is drawn from the device's generator (`generators.draw_key`); element ``i`` scrambles
``key + i`` into 64 bits and, from there, a uniform number in ``[0, 1)``. Each distribution is one
expression of that number and, for the normal one, a second. It refuses complex numbers.
"""

from __future__ import annotations

from functools import cache, wraps

import torch

from workbench.torch_device import generators, traffic
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out
from workbench.torch_device.overlap import check_single

_DRAW = """
def kernel(w):
    o, key = p_{p}(w[2]), w[3]
    a, b = f8_of_bits(w[4]), f8_of_bits(w[5])
    for i in range(w[0], w[1]):
        u = uniform(key, 2 * i)
        v = uniform(key, 2 * i + 1)
        o[i] = {value}
    return 0
"""
DISTRIBUTIONS = {
    "uniform": "a + (b - a) * u",
    "normal": "a + b * math.sqrt(-2.0 * math.log1p(-u)) * math.cos(2 * math.pi * v)",
    "log_normal": "math.exp(a + b * math.sqrt(-2.0 * math.log1p(-u)) * math.cos(2 * math.pi * v))",
    "bernoulli": "1.0 if u < a else 0.0",
    "exponential": "-math.log1p(-u) / a",
    "geometric": "math.ceil(math.log1p(-u) / math.log1p(-a)) if u > 0 else 1.0",
    "cauchy": "a + b * math.tan(math.pi * (u - 0.5))",
    "whole": "math.floor(a + (b - a) * u)",
}
"""Name -> expression of two uniform numbers ``u``, ``v`` and two parameters ``a``, ``b``."""


@cache
def _kernel(dtype: torch.dtype, name: str) -> Kernel:
    kind = types.KINDS[dtype]
    value = types.store(dtype, DISTRIBUTIONS[name], "f8")
    return compile_kernel(f"random_{name}", _DRAW.format(p=kind.pointer, value=value))


def draw(name: str, self: torch.Tensor, a: float, b: float, generator) -> torch.Tensor:
    """Fill a tensor from a distribution."""
    key = generators.draw_key(generator, self.device.index)
    check_single(self)
    dense = self.is_contiguous()
    made = self if dense else tensors.empty(self.shape, self.dtype, self.device.index)
    numbers = [engine.number_words(float(x))[1][0] for x in (a, b)]
    if self.numel():
        words = (made.data_ptr() + DELTA, key, *numbers)
        launch(_kernel(self.dtype, name), self.numel(), words, 8)
    traffic.NATIVE[name] += 1
    if not dense:
        rows.copy(made, self)
    return self


def _fits(self) -> bool:
    return types.supported(self.dtype) and not self.is_complex()


def uniform_(self, from_=0.0, to=1.0, *, generator=None, **kwargs):
    """Fill with uniform numbers."""
    low = kwargs.get("from", from_)
    if not self.is_floating_point() or not _fits(self):
        return fallback(overload("uniform_"), self, low, to, generator=generator)
    if low > to:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={to:g}"
        )
    return draw("uniform", self, low, to, generator)


def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Fill with normal numbers."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if not self.is_floating_point() or not _fits(self):
        return fallback(overload("normal_"), self, mean, std, generator=generator)
    return draw("normal", self, mean, std, generator)


def bernoulli_(self, p=0.5, *, generator=None):
    """Fill with ones and zeros."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    if not _fits(self):
        return fallback(overload("bernoulli_.float"), self, p, generator=generator)
    return draw("bernoulli", self, p, 0, generator)


def bernoulli_out(self, *, generator=None, out):
    """Draw ones with each element's own probability."""
    chance = tensors.empty(self.shape, torch.float64, self.device.index)
    if not _fits(self) or not _fits(out):
        return fallback(overload("bernoulli.out"), self, generator=generator, out=out)
    check_out(None, out, self.shape, None)
    draw("uniform", chance, 0, 1, generator)
    rows.copy(chance < self, out)
    return out


def bernoulli_tensor_(self, p, *, generator=None):
    """Fill with ones at the probabilities of another tensor."""
    chance = tensors.empty(self.shape, torch.float64, self.device.index)
    if not _fits(self) or p.device != self.device:
        return fallback(overload("bernoulli_.Tensor"), self, p, generator=generator)
    check_single(self)
    draw("uniform", chance, 0, 1, generator)
    rows.copy(chance < p, self)
    return self


def _simple(name: str, op_name: str, first: float, second: float, positive: int | None = None):
    op = overload(op_name)

    def kernel(self, a=first, b=second, *, generator=None):
        if positive is not None and (a, b)[positive] <= 0:
            raise RuntimeError(
                f"{op_name} expects {'lambda' if name == 'exponential' else 'std'} > 0.0, but "
                f"found {(a, b)[positive]:g}"
            )
        if not self.is_floating_point() or not _fits(self):
            given = (a,) if name in ("exponential", "geometric") else (a, b)
            return fallback(op, self, *given, generator=generator)
        return draw(name, self, a, b, generator)

    return kernel


def geometric_(self, p, *, generator=None):
    """Fill with numbers of trials up to the first success."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if not _fits(self):
        return fallback(overload("geometric_"), self, p, generator=generator)
    return draw("geometric", self, p, 0, generator)


def random_from(self, from_, to=None, *, generator=None, **kwargs):
    """Fill with whole numbers of a range."""
    low = kwargs.get("from", from_)
    high = _most(self.dtype) + 1 if to is None else to
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if not _fits(self):
        return fallback(overload("random_.from"), self, low, to, generator=generator)
    return draw("whole", self, low, high, generator)


def _most(dtype: torch.dtype) -> int:
    if dtype is torch.bool:
        return 1
    if dtype.is_floating_point:
        digits = {torch.float64: 53, torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}
        return 1 << digits[dtype]
    return torch.iinfo(dtype).max if dtype is not torch.int64 else (1 << 53) - 1


def _normal_from(name: str):
    op = overload(name)

    def kernel(mean, std, *, generator=None, out=None):
        given = [t for t in (mean, std) if isinstance(t, torch.Tensor)]
        if not all(t.is_floating_point() and _fits(t) for t in given):
            return fallback(
                op, mean, std, generator=generator, **({} if out is None else {"out": out})
            )
        if isinstance(std, torch.Tensor) and std.numel() and float(std.min().item()) < 0:
            raise RuntimeError("normal expects all elements of std >= 0.0")
        if not isinstance(std, torch.Tensor) and std < 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        shape = torch.broadcast_shapes(*(t.shape for t in given))
        noise = tensors.empty(shape, given[0].dtype, given[0].device.index)
        made = draw("normal", noise, 0, 1, generator) * std + mean
        if out is None:
            return made
        if out.shape != made.shape:
            out.resize_(made.shape)
        rows.copy(made, out)
        return out

    return kernel


def randperm_out(n, *, generator=None, out):
    """Write a random order of the first n whole numbers."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got{n}")
    out.resize_([n])
    keys = tensors.empty([n], torch.float64, out.device.index)
    order = draw("uniform", keys, 0, 1, generator).argsort()
    rows.copy(order, out)
    return out


def native_dropout(self, p, train):
    """Drop elements at random and scale up the rest; also return what was kept."""
    if train is False or p == 0:
        return self.clone(), torch.ones_like(self, dtype=torch.bool)
    if p == 1:
        return torch.zeros_like(self), torch.zeros_like(self, dtype=torch.bool)
    mask = tensors.empty(self.shape, torch.bool, self.device.index)
    draw("bernoulli", mask, 1 - p, 0, None)
    return self * mask * (1 / (1 - p)), mask


def _checked(kernel):
    @wraps(kernel)
    def random(*args, **kwargs):
        generator = kwargs.get("generator")
        if generator is not None:
            generators.check_target(generator, (*args, *kwargs.values()))
        return kernel(*args, **kwargs)

    return random


_KERNELS = {
    "uniform_": uniform_,
    "normal_": normal_,
    "bernoulli_.float": bernoulli_,
    "bernoulli_.Tensor": bernoulli_tensor_,
    "bernoulli.out": bernoulli_out,
    "exponential_": _simple("exponential", "exponential_", 1.0, 0.0, 0),
    "log_normal_": _simple("log_normal", "log_normal_", 1.0, 2.0, 1),
    "cauchy_": _simple("cauchy", "cauchy_", 0.0, 1.0, 1),
    "geometric_": geometric_,
    "random_.from": random_from,
    "random_.to": lambda self, to, *, generator=None: random_from(self, 0, to, generator=generator),
    "random_": lambda self, *, generator=None: random_from(self, 0, None, generator=generator),
    **{
        f"normal.{form}{out}": _normal_from(f"normal.{form}{out}")
        for form in ("Tensor_Tensor", "Tensor_float", "float_Tensor")
        for out in ("", "_out")
    },
    "randperm.generator_out": randperm_out,
    "native_dropout": native_dropout,
}
KERNELS = {name: _checked(kernel) for name, kernel in _KERNELS.items()}
