"""Pairs of faulty and repaired AI Core kernels: each fault found and named, no alarm on a twin.

The figure for the record is in ``tests/conformance/AICORE.md``.
"""

import importlib.util
from pathlib import Path

import pytest

from workbench import aicore
from workbench.aicore.findings import KINDS

HERE = Path(__file__).parent / "aicore_corpus"


def _load(path):
    spec = importlib.util.spec_from_file_location(f"aicore_corpus_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAIRS = [one for path in sorted(HERE.glob("*.py")) for one in _load(path).PAIRS]
NAMES = [one[0] for one in PAIRS]


def kernel_of(body):
    return aicore.kernel(vector_cores=getattr(body, "vector_cores", 1))(body)


def report(entry, repaired):
    _, _, _, _, blocks, body, args = entry
    return aicore.check(kernel_of(body), (*args, repaired), blocks)


@pytest.mark.parametrize("entry", PAIRS, ids=NAMES)
def test_the_fault_is_found_and_named(entry):
    _, kind, sites, buffer, *_ = entry
    found = [one for one in report(entry, repaired=False).findings if one.kind == kind]
    assert found, str(report(entry, repaired=False))
    best = found[0]
    assert best.message
    assert len(best.sites) == len(sites)
    for site, wanted in zip(best.sites, sites, strict=True):
        assert wanted in site.instruction or wanted in site.source
        assert site.line > 0
        assert site.source
    assert buffer in best.buffer
    if buffer:
        assert best.stop > best.start >= 0


@pytest.mark.parametrize("entry", PAIRS, ids=NAMES)
def test_the_repaired_twin_raises_no_alarm(entry):
    found = report(entry, repaired=True)
    assert found.clean, str(found)


MISSING = [one for one in PAIRS if one[1] in ("missing_wait", "core_overlap")]


@pytest.mark.parametrize("entry", MISSING, ids=[one[0] for one in MISSING])
def test_every_missing_wait_gives_a_wrong_value_in_an_order_that_the_flags_allow(entry):
    found = [one for one in report(entry, repaired=False).findings if one.kind == entry[1]]
    assert found[0].changes_result is True


def test_the_corpus_is_large_and_covers_what_can_be_found():
    assert len(PAIRS) >= 30
    assert len(set(NAMES)) == len(NAMES)
    assert len(MISSING) >= 20
    covered = {one[1] for one in PAIRS}
    elsewhere = {"values", "index", "endless", "kernel"}  # in test_aicore_bad_input
    assert covered == set(KINDS) - elsewhere
