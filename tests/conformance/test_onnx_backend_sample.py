"""ONNX's own node tests grade our provider, on every ninth test; the full record lies beside."""

import importlib.util
import json
from pathlib import Path

import pytest

from workbench.portability._compile import compiler_availability

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "onnx_backend_results.json").read_text())
EVERY = 9

compiler = compiler_availability()
pytestmark = pytest.mark.skipif(not compiler, reason=f"{compiler.reason}; {compiler.remedy}")


@pytest.fixture(scope="module")
def suite():
    spec = importlib.util.spec_from_file_location(
        "onnx_backend_suite", HERE / "onnx_backend_suite.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def verdicts(suite):
    return suite.score(suite.load_backend("workbench"), every=EVERY)


def test_no_test_of_the_sample_that_passed_before_fails_now(verdicts):
    before = set(RECORD["workbench_passes"]) & set(verdicts)
    assert len(before) > 100
    assert [name for name in before if verdicts[name] != "pass"] == []


def test_tests_recorded_as_failing_still_fail_or_the_record_is_raised(verdicts):
    known = set(verdicts) - set(RECORD["workbench_passes"])
    assert [name for name in known if verdicts[name] == "pass"] == []


def test_nothing_that_onnx_runtimes_cpu_passes_is_lost_with_ours_in_front():
    assert set(RECORD["cpu_passes"]) <= set(RECORD["workbench_passes"])


def test_most_nodes_run_in_our_own_kernels(verdicts):
    from workbench.portability.provider.backend import PROVIDER

    taken, left = len(PROVIDER.record.claimed), len(PROVIDER.record.refused)
    assert taken / (taken + left) >= 0.8
    assert sum(PROVIDER.record.runs.values()) >= 0.8 * taken
