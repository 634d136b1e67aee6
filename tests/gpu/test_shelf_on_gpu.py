"""The shelf, unmodified, on a real Nvidia GPU through Numba's own CUDA: the same answers."""

import pytest

from workbench import catalog, targets

FILES = catalog.kernel_files(dialect="cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Grid size:Warning"),  # small sizes leave a GPU idle: meant
]


@pytest.fixture(scope="module", autouse=True)
def gpu():
    answer = targets.find("numba_cuda").probe()
    if not answer:
        pytest.skip(f"numba_cuda: {answer.reason}; try: {answer.remedy}")
    return answer


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.problem}-{file.name}")
def test_a_kernel_gives_the_same_answer_on_a_gpu(file):
    problem = catalog.load_problem(file.problem)
    target = targets.find(f"numba_cuda/{file.name}")
    for size in problem.test_sizes:
        inputs = problem.inputs(size, 9)
        with target.prepare(problem, inputs) as runner:
            runner.run()
            problem.check(runner.fetch(), inputs)
