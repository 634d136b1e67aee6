"""The engine by numba-cuda's own tests: a floor that only rises, and failures that are known.

The record is in ``numba_cuda_results.json``; a sample runs again where another environment has the
numba-cuda wheel (its Python in ``WORKBENCH_NUMBA_CUDA_PYTHON``).
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "numba_cuda_results.json").read_text())
SAMPLE = "TestSyncCreation or TestCudaSync or TestCudaWarpOperations or TestCudaSharedMemory"


def test_the_record_never_falls_below_its_floor():
    outcomes = RECORD["outcomes"]
    assert sum(one == "passed" for one in outcomes.values()) >= RECORD["floor_passed"]


def test_every_failure_on_record_has_a_reason():
    failed = {name for name, one in RECORD["outcomes"].items() if one == "failed"}
    assert failed == set(RECORD["known_failures"])
    assert all(len(reason) > 10 for reason in RECORD["known_failures"].values())


@pytest.mark.slow
def test_a_sample_of_the_suite_passes_again():
    python = os.environ.get("WORKBENCH_NUMBA_CUDA_PYTHON")
    if not python:
        pytest.skip("WORKBENCH_NUMBA_CUDA_PYTHON names no Python with the numba-cuda wheel")
    done = subprocess.run(
        [
            python,
            str(HERE / "numba_cuda_suite.py"),
            "--engine",
            "workbench.cuda",
            "--",
            "-k",
            SAMPLE,
        ],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert " 0 failed" in done.stdout.splitlines()[-1], done.stdout[-3000:]
