import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench import catalog
from workbench.errors import InputError, WrongResultError
from workbench.problem import Problem, Tolerance, as_tuple, poisoned, require_size

SAXPY = catalog.load_problem("saxpy")


def identity(dtype, tolerance=None):
    """Return a problem whose answer is its input."""
    return Problem(
        name="identity",
        summary="y = x",
        inputs=lambda size, seed: (np.arange(size).astype(dtype),),
        reference=lambda x: x,
        outputs=lambda x: (poisoned(x.shape, x.dtype),),
        bytes_moved=lambda size: 0,
        operations=lambda size: 0,
        size=3,
        tolerance=tolerance or {},
    )


def test_the_oracle_computes_in_float64_and_leaves_the_inputs_alone():
    inputs = SAXPY.inputs(33, 0)
    before = [np.copy(value) for value in inputs]
    (want,) = SAXPY.oracle(inputs)
    assert want.dtype == np.float64
    for value, kept in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_complex_inputs_are_widened_and_integers_are_not():
    assert identity("complex64").oracle((np.ones(2, np.complex64),))[0].dtype == np.complex128
    assert identity("int32").oracle((np.ones(2, np.int32),))[0].dtype == np.int32


@pytest.mark.parametrize("size", SAXPY.test_sizes)
def test_the_reference_in_its_own_precision_is_right_and_a_poisoned_output_is_not(size):
    inputs = SAXPY.inputs(size, 1)
    assert SAXPY.check(SAXPY.reference(*inputs), inputs).ok
    with pytest.raises(WrongResultError, match=r"the result\[0\] is nan"):
        SAXPY.check(SAXPY.outputs(*inputs), inputs)


@given(where=st.integers(0, 99), error=st.floats(-10, 10))
def test_one_wrong_element_is_found_and_named_exactly_when_it_is_out_of_tolerance(where, error):
    x = np.linspace(1, 2, 100, dtype=np.float32)
    got = x.copy()
    got[where] += np.float32(error)
    difference = abs(float(got[where]) - float(x[where]))
    limit = 1e-5 + 1e-4 * abs(float(x[where]))
    assume(abs(difference - limit) > 1e-9)
    accuracy = identity("float32").compare(got, (x,))
    assert accuracy.ok == (difference <= limit)
    assert accuracy.max_abs_error == pytest.approx(difference)
    if not accuracy.ok:
        assert f"the result[{where}]" in accuracy.reason
        assert "1 of 100 elements" in accuracy.reason


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (np.zeros(4, np.float32), r"shape \(4,\), not \(3,\)"),
        (np.zeros((3, 1), np.float32), "shape"),
        (np.arange(3.0), "dtype float64, not float32"),
        ((np.zeros(3, np.float32), 1), "2 outputs, expected 1"),
        ((), "0 outputs, expected 1"),
        (np.array([0, 1, np.nan], np.float32), r"\[2\] is nan, expected 2"),
        (np.array([0, 1, np.inf], np.float32), r"\[2\] is inf, expected 2"),
    ],
)
def test_a_wrong_form_is_said_in_words(got, words):
    problem = identity("float32")
    with pytest.raises(WrongResultError, match=words):
        problem.check(got, problem.inputs(3, 0))


def test_nan_and_infinity_are_right_where_the_oracle_has_them_and_nowhere_else():
    problem = identity("float32")
    odd = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert problem.compare(odd.copy(), (odd,)).ok
    assert not problem.compare(np.array([np.nan, np.inf, np.inf], np.float32), (odd,)).ok
    assert not problem.compare(np.array([np.nan, 0, -np.inf], np.float32), (odd,)).ok
    assert not problem.compare(np.array([np.nan] * 3, np.float32), (odd,)).ok


def test_integers_are_exact_and_a_problem_may_set_its_own_tolerance():
    x = np.array([1, 2, 3], np.int32)
    assert not identity("int32").compare(x + np.array([0, 0, 1], np.int32), (x,)).ok
    y = np.array([1.0], np.float32)
    loose = identity("float32", {"float32": Tolerance(0.0, 0.5)})
    assert loose.compare(y + np.float32(0.4), (y,)).ok
    assert not loose.compare(y + np.float32(0.6), (y,)).ok


@given(st.sampled_from(["float16", "float32", "float64", "int8", "uint16", "int64", "complex64"]))
def test_poison_is_wrong_for_every_type(dtype):
    problem = identity(dtype)
    inputs = (np.arange(1, 4).astype(dtype),)
    assert not problem.compare(poisoned(3, dtype), inputs).ok


def test_nothing_to_compute_is_right():
    problem = identity("float32")
    assert problem.compare(np.empty(0, np.float32), (np.empty(0, np.float32),)).ok


@pytest.mark.parametrize("size", [0, -1, 1.5, "3", None, True, float("nan")])
def test_a_size_that_is_no_size_is_an_input_error(size):
    with pytest.raises(InputError):
        require_size(size)


def test_sizes_may_be_numpys():
    assert require_size(np.int64(3)) == 3
    assert type(require_size(np.int64(3))) is int


def test_one_output_and_several_are_both_tuples():
    assert as_tuple([1, 2]) == (1, 2)
    assert len(as_tuple(np.arange(3))) == 1


def test_a_launch_that_is_right_for_one_size_is_found_at_another():
    def first_hundred(a, x, y, out):
        out[:100] = a * x[:100] + y[:100]

    SAXPY.check_launch(first_hundred, sizes=(1, 100))
    with pytest.raises(WrongResultError, match=r"at size 101[\s\S]*result\[100\] is nan"):
        SAXPY.check_launch(first_hundred, sizes=(100, 101))


def test_a_launch_that_writes_to_its_inputs_is_found():
    def careless(a, x, y, out):
        out[:] = a * x + y
        y[:] = out

    with pytest.raises(WrongResultError, match="input 2 is not what it was"):
        SAXPY.check_launch(careless)
