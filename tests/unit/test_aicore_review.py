"""What a launch says of itself, and what a kernel may not reach or read."""

import numpy as np
import pytest

from workbench import aicore
from workbench.aicore import AICoreError, HazardError

X = np.arange(64, dtype=np.float32)


@aicore.kernel
def doubled(x, out):
    tile = aicore.Queue("VECIN", 64, x.dtype, 1)
    part = tile.allocate()
    aicore.data_copy(part, x)
    tile.enqueue(part)
    part = tile.dequeue()
    aicore.add(part, part, part)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(out, part)
    aicore.set_flag("MTE3_V")
    aicore.wait_flag("MTE3_V")
    tile.free(part)


def test_a_launch_as_last_line_of_a_cell_is_one_sentence():
    run = doubled[1](X, np.zeros_like(X))
    assert repr(run).startswith("Run of doubled on 1 core of ")
    assert f"{run.recording.size} instructions" in repr(run)
    assert repr(run).endswith("µs modelled.")
    assert "Bar(" not in repr(run.timeline)
    assert "Instruction" not in repr(run.recording)
    with aicore.on_chip("ascend_310p"):
        assert "no modelled time" in repr(doubled[1](X, np.zeros_like(X)))


def test_a_report_reads_as_it_prints_and_each_finding_gives_its_advice():
    def unordered(x):
        tile = aicore.scratch("UB", 64, x.dtype)
        aicore.data_copy(tile, x)
        aicore.exp(tile, tile)

    report = aicore.check(aicore.kernel(unordered), (X,), 1)
    assert repr(report) == str(report)
    (finding,) = report.findings
    assert repr(finding) == str(finding)
    assert 'Try: set_flag("MTE2_V")' in str(finding)
    with pytest.raises(HazardError) as caught:
        report.require_clean()
    assert str(caught.value).count("Try:") == 1


@pytest.mark.parametrize(
    ("offset", "kind"), [(256, "out_of_range"), (2**32 - 4, "out_of_range"), (6, "misaligned")]
)
def test_gather_refuses_offsets_where_no_element_begins(offset, kind):
    def picks(x, at, out):
        source, table = aicore.scratch("UB", 64, x.dtype), aicore.scratch("UB", 64, at.dtype)
        aicore.data_copy(source, x)
        aicore.data_copy(table, at)
        aicore.pipe_barrier()
        aicore.gather(source, source, table)
        aicore.pipe_barrier()
        aicore.data_copy(out, source)

    at, out = np.arange(64, dtype=np.uint32) * 4, np.zeros_like(X)
    aicore.kernel(picks)[1](X, at, out)
    np.testing.assert_array_equal(out, X)
    at[5] = offset
    with pytest.raises(AICoreError, match=f"offset {offset} ") as caught:
        aicore.kernel(picks)[1](X + 1, at, out)
    assert caught.value.kind == kind
    assert "aicore.gather" in caught.value.sites[0].source
    np.testing.assert_array_equal(out, X)
    (finding,) = aicore.check(aicore.kernel(picks), (X, at, out), 1).findings
    assert finding.kind == kind


def test_offsets_that_an_allowed_order_leaves_unwritten_are_no_error_of_that_order():
    def unordered(x, at, out):
        source, table = aicore.scratch("UB", 64, x.dtype), aicore.scratch("UB", 64, at.dtype)
        aicore.data_copy(source, x)
        aicore.data_copy(table, at)
        picked = aicore.scratch("UB", 64, x.dtype)
        aicore.gather(picked, source, table)
        aicore.pipe_barrier()
        aicore.data_copy(out, picked)

    at = np.arange(64, dtype=np.uint32) * 4
    report = aicore.check(aicore.kernel(unordered), (X, at, np.zeros_like(X)), 1)
    assert {one.kind for one in report.findings} == {"missing_wait"}
    assert any(one.changes_result for one in report.findings)


KEPT = {}


def refused(body, blocks=1, vector_cores=1):
    with pytest.raises(AICoreError) as caught:
        aicore.kernel(vector_cores=vector_cores)(body)[blocks](X.copy())
    assert caught.value.kind == "position"
    assert caught.value.sites[0].line > 0
    return str(caught.value)


def test_a_tensor_of_another_core_or_launch_is_refused():
    def once(x):
        KEPT.setdefault("tile", aicore.scratch("UB", 32, x.dtype))
        KEPT.setdefault("whole", x)
        aicore.duplicate(KEPT["tile"], 1.0)

    assert "belongs to core 0, and this is core 1" in refused(once, 2)
    assert "an earlier launch" in refused(once)
    KEPT.clear()
    assert "belongs to Vector core 0 of the block" in refused(once, vector_cores=2)

    def other_argument(x):
        aicore.data_copy(aicore.scratch("UB", 32, x.dtype), KEPT["whole"][:32])

    assert "an earlier launch" in refused(other_argument)
    KEPT.clear()
