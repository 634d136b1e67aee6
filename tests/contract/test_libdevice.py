"""libdevice on a CPU: every name computes, directed rounding is exact, the rest is close."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import cuda
from workbench.simt.library import libdevice

_VALUES = {
    "d": np.float64(0.3),
    "f": np.float32(0.3),
    "i": np.int32(3),
    "l": np.int64(3),
    "h": np.int16(0x3C00),
}
_RESULTS = {"d": np.float64, "f": np.float32, "i": np.int32, "l": np.int64, "h": np.int16}
_DOUBLES = [
    name
    for name in libdevice.__all__
    if not name.endswith(("_rd", "_ru", "_rz", "_rn"))
    and not (name.endswith("f") and name[:-1] in libdevice.TABLE)
]


@pytest.mark.parametrize("names", [_DOUBLES[k::8] for k in range(8)])
def test_every_function_compiles_and_computes(names):
    for name in names:
        given_types, result_types, _ = libdevice.TABLE[name]
        given_values = [_VALUES[kind] + (name == "acosh") for kind in given_types]
        found = getattr(libdevice, name)(*given_values)
        found = found if isinstance(found, tuple) else (found,)
        assert len(found) == len(result_types), name
        assert all(math.isfinite(one) for one in found), name


_PAIRS = {
    "float32": (np.float32, "f", st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "float64": (np.float64, "d", st.floats(allow_nan=False, allow_infinity=False)),
}


@pytest.mark.parametrize("kind", _PAIRS)
@pytest.mark.parametrize("operation", ["add", "mul", "div"])
def test_directed_rounding_encloses_the_exact_result_as_tightly_as_can_be(kind, operation):
    make, letter, floats = _PAIRS[kind]
    sides = [getattr(libdevice, f"{letter}{operation}_{how}") for how in ("rd", "ru", "rz")]
    exact_of = {"add": Fraction.__add__, "mul": Fraction.__mul__, "div": Fraction.__truediv__}

    @settings(max_examples=150, deadline=None)
    @given(floats, floats)
    def check(a, b):
        a, b = make(a), make(b)
        least = 0 if operation == "add" else 1e-12
        if not all(least <= abs(one) < 1e12 for one in (a, b)):
            return  # error-free transformations are not for results that over- or underflow
        down, up, zero = (make(side(a, b)) for side in sides)
        exact = exact_of[operation](Fraction(float(a)), Fraction(float(b)))
        assert Fraction(float(down)) <= exact <= Fraction(float(up))
        assert up == down or np.nextafter(down, make(np.inf)) == up
        assert zero == (down if exact > 0 else up)

    check()


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_become_floats_on_the_side_that_was_asked_for(n):
    down, up = libdevice.ll2float_rd(n), libdevice.ll2float_ru(n)
    assert Fraction(float(down)) <= n <= Fraction(float(up))
    assert up == down or np.nextafter(np.float32(down), np.float32(np.inf)) == up


@settings(max_examples=200, deadline=None)
@given(st.floats(width=16, allow_nan=False))
def test_halves_survive_the_way_to_floats_and_back(value):
    bits = np.float16(value).view(np.int16)
    assert libdevice.half2float(bits) == np.float32(value)
    assert np.int16(libdevice.float2half_rn(np.float32(value))) == bits


@settings(max_examples=200, deadline=None)
@given(st.floats(-70000, 70000, width=32))
def test_floats_round_to_halves_as_numpy_rounds_them(value):
    with np.errstate(over="ignore"):
        bits = np.float32(value).astype(np.float16).view(np.int16)
    assert np.int16(libdevice.float2half_rn(np.float32(value))) == bits


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_high_products_are_those_of_long_integers(a, b):
    assert libdevice.mul64hi(a, b) == a * b >> 64
    unsigned = (a % 2**64) * (b % 2**64) >> 64
    assert libdevice.umul64hi(a, b) % 2**64 == unsigned


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-290, 1.999))
def test_the_inverse_of_erfc_undoes_it(c):
    assert math.isclose(math.erfc(libdevice.erfcinv(c)), c, rel_tol=1e-11)


_EXPECTED = [
    ("erfinv", (0.25,), 0.22531205501217808),
    ("normcdfinv", (0.975,), 1.959963984540054),
    ("erfcx", (10.0,), 0.056140992743822584),
    ("j0", (1.0,), 0.7651976865579666),
    ("yn", (2, 3.0), -0.16040039348492373),
    ("tgamma", (4.5,), 11.631728396567448),
    ("cospi", (0.5,), 0.0),
    ("sinpi", (1.5,), -1.0),
    ("remquo", (7.0, 2.0), (-1.0, 4)),
    ("round", (2.5,), 3.0),
    ("rint", (2.5,), 2.0),
    ("float2int_rz", (-1.7,), -1),
    ("double2int_rn", (1e20,), 2**31 - 1),
    ("byte_perm", (0x03020100, 0x07060504, 0x7531), 0x07050301),
    ("uhadd", (-1, 1), -(2**31)),
    ("powif", (np.float32(2), 10), 1024.0),
    ("saturatef", (np.float32(1.5),), 1.0),
    ("ilogb", (0.1,), -4),
]


@pytest.mark.parametrize(("name", "args", "expected"), _EXPECTED)
def test_known_values(name, args, expected):
    np.testing.assert_allclose(getattr(libdevice, name)(*args), expected, rtol=1e-13)


@cuda.jit
def _uses(a, out):
    i = cuda.grid(1)
    if i < a.size:
        low, _ = cuda.libdevice.remquo(a[i], 2.0)
        out[i] = cuda.libdevice.dadd_ru(cuda.libdevice.erfinv(a[i]), low)


def test_kernels_call_them_by_name():
    a, out = np.linspace(-0.9, 0.9, 50), np.zeros(50)
    _uses[2, 32](a, out)
    for value, found in zip(a, out, strict=True):
        want = libdevice.erfinv(value) + libdevice.remquo(value, 2.0)[0]
        assert math.isclose(found, want, rel_tol=1e-15)


def test_a_name_that_libdevice_has_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="cosh2"):
        _ = libdevice.cosh2
