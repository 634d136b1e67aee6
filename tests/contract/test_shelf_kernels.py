"""Every CUDA kernel of the shelf gives its problem's answer, whatever the size."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import catalog, cuda
from workbench.simt.kernel import Kernel

FILES = catalog.kernel_files(dialect="cuda")


def _id(file):
    return f"{file.problem}-{file.name}"


@pytest.fixture(params=FILES, ids=_id)
def file(request):
    return request.param


@pytest.fixture
def problem(file):
    return catalog.load_problem(file.problem)


def _solve(problem, file, size, seed, to_device=lambda value: value, to_host=lambda value: value):
    inputs = problem.inputs(size, seed)
    before = [np.copy(value) for value in inputs]
    values = (*inputs, *problem.outputs(*inputs))
    values = [to_device(value) if isinstance(value, np.ndarray) else value for value in values]
    assert file.load().launch(*values) is None
    problem.check(tuple(to_host(one) for one in values[len(inputs) :]), inputs)
    for value, kept in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_the_problems_own_sizes_on_the_compiled_tier(problem, file):
    with cuda.tier("compiled"):
        for size in problem.test_sizes:
            _solve(problem, file, size, seed=1)


def test_the_smallest_sizes_on_the_step_through_tier(problem, file):
    with cuda.tier("step-through"):
        for size in problem.test_sizes[:2]:
            _solve(problem, file, size, seed=1)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_size(problem, file, data):
    size = data.draw(st.integers(problem.test_sizes[0], problem.test_sizes[-1]), label="size")
    _solve(problem, file, size, seed=data.draw(st.integers(0, 2**16), label="seed"))


@settings(
    max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_both_tiers_give_the_same_answer(problem, file, data):
    most = problem.test_sizes[min(1, len(problem.test_sizes) - 1)]
    size = data.draw(st.integers(problem.test_sizes[0], most), label="size")
    inputs = problem.inputs(size, 10)
    answers = []
    for tier in ("compiled", "step-through"):
        outputs = problem.outputs(*inputs)
        with cuda.tier(tier):
            file.load().launch(*inputs, *outputs)
        answers.append(outputs)
    for compiled, stepped in zip(*answers, strict=True):
        # between tiers only the rounding of the mathematical library and the order of sums differ
        np.testing.assert_allclose(compiled, stepped, rtol=1e-4, atol=1e-4)


def test_arrays_on_the_device(problem, file):
    size = problem.test_sizes[1]
    _solve(problem, file, size, 2, cuda.to_device, lambda array: array.copy_to_host())


def test_the_largest_size_takes_more_than_two_blocks(problem, file, monkeypatch):
    blocks = []
    configure = Kernel.configure

    def recording(self, griddim, blockdim, *rest):
        launch = configure(self, griddim, blockdim, *rest)
        blocks.append(launch.grid.x * launch.grid.y * launch.grid.z)
        return launch

    monkeypatch.setattr(Kernel, "configure", recording)
    _solve(problem, file, problem.test_sizes[-1], seed=3)
    assert max(blocks) > 2, "one or two blocks hide what goes wrong between blocks"


@pytest.mark.parametrize("kernel", [f.name for f in FILES if f.problem == "matmul"])
@pytest.mark.parametrize("shape", [(1, 70, 5), (33, 1, 65), (40, 17, 1), (37, 50, 70)])
def test_matrix_products_take_rectangles(kernel, shape):
    rows, inner, cols = shape
    rng = np.random.default_rng(4)
    a = rng.standard_normal((rows, inner), dtype=np.float32)
    b = rng.standard_normal((inner, cols), dtype=np.float32)
    problem = catalog.load_problem("matmul")
    outputs = problem.outputs(a, b)
    file = next(f for f in FILES if (f.problem, f.name) == ("matmul", kernel))
    file.load().launch(a, b, *outputs)
    problem.check(outputs, (a, b))


@pytest.mark.parametrize("kernel", [f.name for f in FILES if f.problem == "transpose"])
@pytest.mark.parametrize("shape", [(1, 70), (65, 1), (40, 100)])
def test_transposes_take_rectangles(kernel, shape):
    x = np.random.default_rng(5).standard_normal(shape, dtype=np.float32)
    problem = catalog.load_problem("transpose")
    outputs = problem.outputs(x)
    file = next(f for f in FILES if (f.problem, f.name) == ("transpose", kernel))
    file.load().launch(x, *outputs)
    problem.check(outputs, (x,))


@pytest.mark.parametrize("kernel", [f.name for f in FILES if f.problem == "radix_sort_pass"])
def test_eight_radix_passes_sort_the_keys(kernel):
    problem = catalog.load_problem("radix_sort_pass")
    keys, _ = problem.inputs(500, 6)
    want = np.sort(keys)
    file = next(f for f in FILES if (f.problem, f.name) == ("radix_sort_pass", kernel))
    for shift in range(0, 32, 4):
        (out,) = problem.outputs(keys, np.int32(shift))
        file.load().launch(keys, np.int32(shift), out)
        keys = out
    np.testing.assert_array_equal(keys, want)


@pytest.mark.parametrize("kernel", [f.name for f in FILES if f.problem == "compact"])
@pytest.mark.parametrize("value", [1.0, -1.0])
def test_compaction_keeps_all_or_nothing(kernel, value):
    problem = catalog.load_problem("compact")
    inputs = (np.full(700, value, np.float32),)
    outputs = problem.outputs(*inputs)
    file = next(f for f in FILES if (f.problem, f.name) == ("compact", kernel))
    file.load().launch(*inputs, *outputs)
    problem.check(outputs, inputs)


@pytest.mark.parametrize(
    "name", [n for n in catalog.problem_names() if catalog.load_problem(n).torch_module]
)
def test_the_torch_module_meets_the_same_oracle(name):
    torch = pytest.importorskip("torch")
    problem = catalog.load_problem(name)
    module = problem.torch_module()
    for size in problem.test_sizes:
        inputs = problem.inputs(size, 7)
        tensors = [
            torch.from_numpy(value) if isinstance(value, np.ndarray) else value.item()
            for value in inputs
        ]
        with torch.no_grad():
            results = module(*tensors)
        results = results if isinstance(results, tuple) else (results,)
        problem.check(tuple(one.numpy() for one in results), inputs)
