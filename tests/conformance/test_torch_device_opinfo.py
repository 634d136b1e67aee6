"""A sample of PyTorch's own operator tests as floors that may only rise, and what must still fail.

The whole scoreboard takes minutes: ``python tests/conformance/opinfo.py``; its last figures are in
``torch_device_opinfo_results.json``.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

NATIVE = (
    "add", "mul", "exp", "clamp", "where", "sum", "amax", "argmax", "var", "cumsum", "softmax",
    "mm", "bmm", "addmm", "gather", "scatter_add", "index_put", "index_select", "sort", "topk",
    "median", "cat", "tril", "nn.functional.relu", "nn.functional.gelu",
    "nn.functional.layer_norm", "nn.functional.mse_loss",
)  # fmt: skip
"""Operators that must pass without the CPU."""

KNOWN_FAILURES = ("sparse.sampled_addmm", "to_sparse", "sparse.mm")
"""Operators that must still fail: the day one passes, this list shrinks."""


def board(monkeypatch, only, samples):
    spec = importlib.util.spec_from_file_location("opinfo_board", HERE / "opinfo.py")
    opinfo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(opinfo)
    options = ["--only", ",".join(only), "--samples", str(samples), "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", [str(HERE / "opinfo.py"), *options])
    verdicts = opinfo.Board(opinfo.parse(options)).run()
    return verdicts, opinfo.summary(verdicts)


@pytest.mark.slow
def test_the_device_passes_a_sample_of_pytorchs_tests_with_its_own_kernels(monkeypatch):
    verdicts, found = board(monkeypatch, NATIVE, 3)
    assert found["nodes"] >= len(NATIVE)
    assert found["native"] == found["nodes"], {
        name: out for name, out in verdicts.items()
        if any(v["verdict"] != "pass" or v["fell_back"] for v in out.values())
    }  # fmt: skip


@pytest.mark.slow
def test_what_is_known_to_fail_still_fails(monkeypatch):
    _, found = board(monkeypatch, KNOWN_FAILURES, 1)
    assert found["pass"] == 0
    assert found["nodes"] == len(KNOWN_FAILURES)


RECORDED = json.loads((HERE / "torch_device_opinfo_results.json").read_text())
FLOORS = {  # kind of run -> share of nodes that pass, of nodes that pass without the CPU
    "forward float32, all samples": (668 / 677, 0.6),
    "grad float32, 4 samples": (0.98, 0.5),
    "five dtypes, 2 samples each": (0.98, 0.8),
    "errors float32": (0.98, 0.9),
}


@pytest.mark.parametrize("kind", FLOORS)
def test_the_recorded_score_meets_its_floor(kind):
    found, (passing, native) = RECORDED[kind], FLOORS[kind]
    assert found["pass"] >= passing * found["nodes"]
    assert found["native"] >= native * found["nodes"]
    assert len(found["failing"]) == found["nodes"] - found["pass"]


def test_natively_covered_operators_reject_what_the_cpu_rejects():
    found = RECORDED["errors float32"]
    assert found["natively covered and right"] >= 0.98 * found["natively covered nodes"]
