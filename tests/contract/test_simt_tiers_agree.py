"""Every kernel on the shelf gives the same answers on every tier, at odd sizes."""

import io
import pdb
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import catalog, cuda
from workbench.simt.kernel import Kernel

FILES = catalog.kernel_files(dialect="cuda")
# The step-through tier is slow, and the irregular one compiles: the last file of each ladder.
LAST = list({one.problem: one for one in FILES}.values())


def _id(file):
    return f"{file.problem}/{file.name}"


def _small(problem):
    """The problem's smallest odd test size: the step-through tier runs it thread by thread."""
    return min(problem.test_sizes, key=lambda size: (size % 2 == 0, size < 3, size))


def _solved(file, problem, size, seed, tier):
    """Return the outputs of one launch on one tier, checked, and the tiers its kernels ran on."""
    module, inputs = file.load(), problem.inputs(size, seed)
    outputs = problem.outputs(*inputs)
    given = [value.copy() if isinstance(value, np.ndarray) else value for value in inputs]
    kernels = [one for one in vars(module).values() if isinstance(one, Kernel)]
    for one in kernels:
        one.last_tier = ""
    with cuda.tier(tier):
        module.launch(*given, *outputs)
    problem.check(outputs if len(outputs) > 1 else outputs[0], inputs)
    return outputs, {one.last_tier for one in kernels} - {""}


def _same(ones, others):
    """Integers to the last bit; floats but for the rounding of ``exp`` and its kin."""
    for one, other in zip(ones, others, strict=True):
        if one.dtype.kind in "iub":
            np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("file", LAST, ids=_id)
def test_a_shelf_kernel_agrees_step_by_step_and_as_a_state_machine_and_compiled(file):
    problem = catalog.load_problem(file.problem)
    compiled, _ = _solved(file, problem, _small(problem), 3, "auto")
    for tier in ("step-through", "irregular"):
        found, tiers = _solved(file, problem, _small(problem), 3, tier)
        assert tiers <= {tier}
        _same(compiled, found)


@pytest.mark.parametrize("file", FILES, ids=_id)
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_shelf_kernel_agrees_in_lockstep_and_compiled_at_any_size(file, data):
    problem = catalog.load_problem(file.problem)
    most = problem.test_sizes[min(2, len(problem.test_sizes) - 1)]
    size = data.draw(st.integers(problem.test_sizes[0], most), label="size")
    seed = data.draw(st.integers(0, 1 << 16), label="seed")
    together, tiers = _solved(file, problem, size, seed, "lockstep")
    assert tiers <= {"lockstep"}  # none where the file hands odd sizes to another
    _same(together, _solved(file, problem, size, seed, "compiled")[0])


@cuda.jit
def _doubles(a):
    i = cuda.grid(1)
    value = a[i] * 2
    a[i] = value


def test_pdb_stops_inside_a_kernel_on_the_learners_own_line(monkeypatch):
    asked = io.StringIO("p i\np value\nc\n" * 4)
    said = io.StringIO()
    debugger = pdb.Pdb(stdin=asked, stdout=said, nosigint=True, readrc=False)
    first = _doubles.py_func.__code__.co_firstlineno
    debugger.set_break(__file__, first + 4)
    a = np.arange(2, dtype=np.float32)
    trace = sys.gettrace()
    try:
        with cuda.tier("step-through"):
            debugger.runcall(_doubles[1, 2], a)
    finally:
        sys.settrace(trace)
    assert "a[i] = value" in said.getvalue()
    assert list(a) == [0, 2]
