"""The road to a real GPU, walked without one: the same code over Numba's own simulator."""

import os
import subprocess
import sys

WALK = """
import warnings; warnings.simplefilter("ignore")
from workbench import catalog
from workbench.targets import numba_cuda
problem = catalog.load_problem("saxpy")
inputs, others = problem.inputs(33, 1), problem.inputs(33, 2)
runner = numba_cuda.on_cuda(problem, inputs, "cuda_1_guarded")
runner.run(); problem.check(runner.fetch(), inputs)
runner.load(others)
assert not problem.compare(runner.fetch(), others).ok
runner.run(); problem.check(runner.fetch(), others)
print("walked", numba_cuda.probe(0).usable)
"""


def test_a_shelf_kernel_reaches_numba_cuda_with_device_arrays_and_the_simulator_is_no_gpu():
    ran = subprocess.run(
        [sys.executable, "-c", WALK],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == "walked False", ran.stderr
