"""The sanitizer finds nothing wrong with any CUDA kernel of the shelf, in either thread order."""

import pytest

from workbench import catalog
from workbench.simt.kernel import Launch
from workbench.simt.sanitizer import sanitize

FILES = catalog.kernel_files(dialect="cuda")

# Sizes that cross a block and a tile, and still take about a second when every access is watched.
SIZES = {
    "alexnet": (1,),
    "attention": (33,),
    "conv2d": (15,),
    "matmul": (17,),
    "matmul_int8": (17,),
    "max_pool": (15,),
    "nbody": (70,),
    "sort": (600,),
    "vector_add": (1025,),
    "vector_sum": (513,),
}


def _inputs(problem, size):
    inputs = problem.inputs(size, 8)
    if problem.name == "attention":
        return tuple(one[:1] for one in inputs)  # one head
    if problem.name == "conv2d":
        image, weights, bias = inputs
        return image, weights[:2], bias[:2]  # two filters
    return inputs


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.problem}-{file.name}")
def test_a_kernel_of_the_shelf_is_free_of_findings(file, monkeypatch):
    watched = []
    monkeypatch.setattr(
        Launch, "__call__", lambda launch, *args: watched.append(sanitize(launch, *args))
    )
    problem = catalog.load_problem(file.problem)
    for size in SIZES.get(file.problem, problem.test_sizes[1:3]):
        inputs = _inputs(problem, size)
        outputs = problem.outputs(*inputs)
        file.load().launch(*inputs, *outputs)
        problem.check(outputs, inputs)
    assert watched
    assert not [str(finding) for launch in watched for finding in launch]
