"""The shelf keeps its contracts: what every problem states, and what every kernel file holds."""

import ast
import json
import types

import numpy as np
import pytest

from workbench import catalog
from workbench.errors import InputError
from workbench.targets import _shelf

PROBLEMS = catalog.problem_names()
CUDA_FILES = catalog.kernel_files(dialect="cuda")

# The traffic that a problem states is the size of its arrays, but for these.
NOT_ALL_IS_READ = {
    "alexnet": "a network, whose layers pass data between them",
    "embedding": "only the rows of the table that some token names",
}
# What others teach, and the problem on our shelf that covers it.
GPU_PUZZLES = {
    "map": "add_scalar",
    "zip": "vector_add",
    "guards": "add_scalar",
    "map 2D": "add_scalar_2d",
    "broadcast": "broadcast_add",
    "blocks": "saxpy",
    "blocks 2D": "add_scalar_2d",
    "shared": "add_scalar",
    "pooling": "sliding_sum",
    "dot product": "dot",
    "1D convolution": "conv1d",
    "prefix sum": "scan",
    "axis sum": "axis_sum",
    "matrix multiply": "matmul",
}
PMPP = {
    "conv2d": "filter_2d",
    "grayscale": "grayscale",
    "histogram": "histogram",
    "matmul": "matmul",
    "prefix sum": "scan",
    "sort": "sort",
    "vector add": "vector_add",
    "vector sum": "vector_sum",
}
BEYOND = {
    "attention": "attention",
    "bias and GELU": "bias_gelu",
    "its backward": "bias_gelu_backward",
    "embedding": "embedding",
    "int8 matmul": "matmul_int8",
    "n-body": "nbody",
    "radix sort pass": "radix_sort_pass",
    "rotary embedding": "rope",
    "sparse matrix times vector": "spmv",
    "stencil": "heat_2d",
    "stream compaction": "compact",
    "warp prefix sum": "warp_scan",
    "warp sum": "warp_sum",
}
LADDERS = {
    "attention": 4,
    "conv2d": 5,
    "histogram": 3,
    "layer_norm": 3,
    "matmul": 6,
    "scan": 4,
    "softmax": 3,
    "transpose": 3,
    "vector_sum": 6,
}


def _id(file):
    return f"{file.problem}-{file.name}"


def _arrays(values):
    return [value for value in values if isinstance(value, np.ndarray) and value.ndim]


@pytest.mark.parametrize("subjects", [GPU_PUZZLES, PMPP, BEYOND, LADDERS])
def test_every_subject_has_a_problem_with_a_kernel(subjects):
    with_a_kernel = {file.problem for file in CUDA_FILES}
    names = subjects if subjects is LADDERS else subjects.values()
    assert set(names) <= with_a_kernel


def test_there_are_more_than_forty_cuda_kernels():
    assert len(CUDA_FILES) >= 40


@pytest.mark.parametrize(("name", "least"), LADDERS.items())
def test_the_rungs_of_a_ladder_are_numbered_from_one(name, least):
    rungs = [int(file.name.split("_")[1]) for file in catalog.kernel_files(name, "cuda")]
    assert rungs == list(range(1, len(rungs) + 1))
    assert len(rungs) >= least


@pytest.mark.parametrize("file", CUDA_FILES, ids=_id)
def test_a_kernel_file_says_its_idea_what_binds_it_and_what_to_look_at(file):
    text = ast.get_docstring(ast.parse(file.path.read_text()))
    for part in ("Idea:", "What binds it:", "Look at:"):
        assert part in " ".join(text.split()), f"{part} is missing"


@pytest.mark.parametrize("name", PROBLEMS)
def test_inputs_come_from_the_seed_and_are_never_uniform(name):
    problem = catalog.load_problem(name)
    size = problem.test_sizes[-1]
    first, again, other = (_arrays(problem.inputs(size, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert all(np.unique(array).size > 1 for array in first if array.size > 1)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("size", [0, -1, 1.5, "3", None, True])
def test_what_is_no_size_is_refused_by_every_problem(name, size):
    with pytest.raises(InputError):
        catalog.load_problem(name).inputs(size, 1)


@pytest.mark.parametrize("name", sorted(set(PROBLEMS) - set(NOT_ALL_IS_READ)))
def test_stated_traffic_is_the_size_of_all_inputs_and_outputs(name):
    problem = catalog.load_problem(name)
    for size in problem.test_sizes:
        inputs = problem.inputs(size, 1)
        arrays = _arrays(inputs) + _arrays(problem.outputs(*inputs))
        assert problem.bytes_moved(size) == sum(array.nbytes for array in arrays)


@pytest.mark.parametrize("name", PROBLEMS)
def test_stated_operations_grow_with_the_size(name):
    problem = catalog.load_problem(name)
    small, large = problem.test_sizes[0], problem.size
    assert 0 <= problem.operations(small) <= problem.operations(large)
    assert isinstance(problem.operations(large), int)
    assert isinstance(problem.bytes_moved(large), int)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_reference_in_the_problems_own_dtype_meets_its_own_tolerance(name):
    problem = catalog.load_problem(name)
    for size in problem.test_sizes:
        inputs = problem.inputs(size, 1)
        problem.check(problem.reference(*inputs), inputs)


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_answer_of_nothing_is_told_from_the_right_one(name):
    problem = catalog.load_problem(name)
    inputs = problem.inputs(problem.test_sizes[-1], 1)
    zeros = tuple(np.zeros_like(one) for one in problem.outputs(*inputs))
    assert not problem.compare(zeros, inputs).ok


def test_a_file_loaded_for_another_executor_takes_its_siblings_along():
    file = next(f for f in catalog.kernel_files("scan") if f.name == "cuda_2_blelloch")
    ours = file.load()
    fake = types.ModuleType("fake_cuda")
    fake.jit = lambda function: ("fake", function.__name__)
    theirs = _shelf.load_with(file, fake)
    assert theirs.scan_blelloch == ("fake", "scan_blelloch")
    assert theirs.add_totals == ("fake", "add_totals")
    assert file.load() is ours
    assert ours.add_totals != theirs.add_totals


def test_what_nvidias_compiler_said_of_the_shelf_is_about_kernels_that_are_there():
    record = json.loads((catalog.folder("datasets") / "compiler/shelf_sm_90.json").read_text())
    recorded = {(row["problem"], row["file"]) for row in record["kernels"]}
    assert recorded <= {(file.problem, file.name) for file in CUDA_FILES}
    assert len(recorded) >= 87, "a floor: tests/conformance/record_registers.py records new ones"
    for row in record["kernels"]:
        assert 0 < row["registers_per_thread"] <= 255
        assert row["spill_store_bytes"] == row["spill_load_bytes"] == 0
        assert row["float64_instructions"] == 0, "a float64 in a float32 kernel is a slip"
