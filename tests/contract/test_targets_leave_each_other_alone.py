"""Lanes share a process in a race: none may change how many threads another one has."""

import subprocess
import sys

import pytest

CODE = """
import sys, torch
from workbench import catalog, targets
torch.set_num_threads(1)
problem = catalog.load_problem("alexnet")
with targets.find(sys.argv[1]).prepare(problem, problem.inputs(32, 0)) as runner:
    runner.run()
print(torch.get_num_threads())
"""


@pytest.mark.parametrize("name", ["simt", "torch_wb"])
def test_a_run_leaves_pytorch_its_number_of_threads(name):
    done = subprocess.run([sys.executable, "-c", CODE, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "1"
