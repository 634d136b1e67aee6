"""A kernel of every problem on the shelf gives the same answers on every tier, at odd sizes."""

import io
import pdb
import sys

import numpy as np
import pytest

from workbench import catalog, cuda
from workbench.simt.kernel import Kernel

# The last file of each ladder: the step-through tier is slow.
FILES = list({one.problem: one for one in catalog.kernel_files(dialect="cuda")}.values())


def _small(problem):
    """The problem's smallest odd test size: the step-through tier runs it thread by thread."""
    return min(problem.test_sizes, key=lambda size: (size % 2 == 0, size < 3, size))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.problem}/{file.name}")
def test_a_shelf_kernel_agrees_step_by_step_and_compiled(file):
    problem, module = catalog.load_problem(file.problem), file.load()
    inputs = problem.inputs(_small(problem), 3)
    results = []
    for tier in ("auto", "step-through"):
        outputs = problem.outputs(*inputs)
        given = [value.copy() if isinstance(value, np.ndarray) else value for value in inputs]
        with cuda.tier(tier):
            module.launch(*given, *outputs)
        problem.check(outputs if len(outputs) > 1 else outputs[0], inputs)
        results.append(outputs)
    for compiled, stepped in zip(*results, strict=True):
        if compiled.dtype.kind in "iub":
            np.testing.assert_array_equal(compiled, stepped)
        else:
            np.testing.assert_allclose(compiled, stepped, rtol=2e-3, atol=1e-4)
    kernels = [one for one in vars(module).values() if isinstance(one, Kernel)]
    assert any(one.last_tier == "step-through" for one in kernels if not one.device)


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
