"""The timing reading: sourced costs, waits, overlap, the shared memory's floor, the trace."""

import json
from itertools import pairwise

import numpy as np
import pytest

from workbench import aicore
from workbench.aicore.readings.costs import costs
from workbench.errors import DataFileError, InputError, UnknownNameError

X = np.ones(100_000, np.float32)


def run(body, *args, blocks=1):
    return aicore.launch(aicore.kernel(body), args or (X.copy(),), blocks)


def through(x, depth, ordered=True):
    tiles = aicore.scratch("UB", (depth, 4096), x.dtype)
    for turn in range(8):
        half = turn % depth
        if turn >= depth and ordered:
            aicore.wait_flag("V_MTE2", half)
        aicore.data_copy(tiles[half, :], x[turn * 4096 : turn * 4096 + 4096])
        aicore.set_flag("MTE2_V", half)
        aicore.wait_flag("MTE2_V", half)
        aicore.exp(tiles[half, :], tiles[half, :])
        if turn + depth < 8 and ordered:
            aicore.set_flag("V_MTE2", half)


def test_a_vector_instruction_costs_head_slope_and_tail_of_its_repeats():
    def body(x):
        t = aicore.scratch("UB", 640, x.dtype)  # ten repeats of 256 bytes
        aicore.duplicate(t, 1.0)
        aicore.pipe_barrier()
        aicore.add(t, t, t)

    bars = [bar for bar in run(body).timeline.bars if bar.name == "add"]
    assert (bars[0].stop_ns - bars[0].start_ns) * 1.8 == pytest.approx(10 + 2 * 10 + 14)


def test_the_cube_takes_a_block_a_cycle_twice_that_for_float32_and_a_head_when_it_stood_still():
    table = costs()
    assert table.mmad_cycles(128, 64, 256, np.dtype(np.float16)) == 8 * 4 * 16
    assert table.mmad_cycles(1, 1, 1, np.dtype(np.float16)) == 1
    assert table.mmad_cycles(16, 8, 16, np.dtype(np.float32)) == 2

    def body(x):
        a, b = (
            aicore.scratch("L0A", (16, 16), "float16"),
            aicore.scratch("L0B", (16, 16), "float16"),
        )
        c = aicore.scratch("L0C", (16, 16), "float32")
        aicore.mmad(c, a, b, init=True)
        aicore.mmad(c, a, b, init=False)

    first, second = run(body).timeline.bars
    assert (first.stop_ns - first.start_ns) * 1.8 == pytest.approx(7)
    assert (second.stop_ns - second.start_ns) * 1.8 == pytest.approx(1)


def test_double_buffering_hides_the_shorter_of_two_pipes_and_never_breaks_an_order():
    one = run(lambda x: through(x, 1)).timeline
    two = run(lambda x: through(x, 2)).timeline
    copy = 4096 * 4 / costs().bytes_per_cycle["gm_to_ub"] / 1.8
    compute = (13 + 2 * 64 + 18) / 1.8
    assert one.pipes_ns == pytest.approx(8 * (copy + compute), rel=1e-3)
    assert two.pipes_ns == pytest.approx(8 * copy + compute, rel=1e-3)
    assert "AIV.MTE2" in two.bound
    causes = {bar.cause for bar in one.bars if bar.cause}
    assert causes == {"MTE2_V:0", "V_MTE2:0"}


def test_bars_of_one_pipe_never_overlap_and_work_and_waiting_add_up():
    line = run(lambda x: through(x, 2)).timeline
    for pipe in {bar.pipe for bar in line.bars}:
        bars = [bar for bar in line.bars if bar.pipe == pipe]
        for before, after in pairwise(bars):
            assert before.stop_ns <= after.start_ns + 1e-9
        work = sum(bar.stop_ns - bar.start_ns for bar in bars if not bar.cause)
        assert work == pytest.approx(line.busy_ns[pipe])


def test_time_only_mode_predicts_what_the_run_predicts():
    from importlib import import_module

    module = import_module("workbench.kernels.matmul.ascend_5_multi_core")
    a = np.ones((300, 300), np.float16)
    out = np.zeros((300, 300), np.float32)
    with aicore.observe() as runs:
        module.launch(a, a, out, blocks=6)
    shapes = [aicore.Shape(one.shape, one.dtype) for one in (a, a, out)]
    line = aicore.predict(module.matmul_multi_core, shapes, 6)
    assert line.elapsed_ns == pytest.approx(runs[0].timeline.elapsed_ns)
    assert line.busy_ns == pytest.approx(runs[0].timeline.busy_ns)
    assert line.bars == []


def test_cores_meet_at_sync_all():
    def body(x):
        t = aicore.scratch("UB", 4096, x.dtype)
        aicore.duplicate(t, 0.0)
        for _ in range(3 * aicore.block_idx()):
            aicore.adds(t, t, 1.0)
        aicore.sync_all()
        aicore.exp(t, t)

    bars = [bar for bar in run(body, blocks=3).timeline.bars if bar.name == "exp"]
    assert len({bar.start_ns for bar in bars}) == 1
    assert bars[0].start_ns > 0


def test_the_memory_that_all_cores_share_is_a_floor_under_the_run():
    def body(x, out):
        begin, end = aicore.share(x.size, 16)
        tiles = aicore.Queue("VECIN", 8192, x.dtype)
        for start in range(begin, end, 8192):
            stop = min(start + 8192, end)
            tile = tiles.allocate(stop - start)
            aicore.data_copy_pad(tile, x[start:stop])
            tiles.enqueue(tile)
            tiles.free(tiles.dequeue())

    big = aicore.Shape((10_000_000,), np.dtype(np.float32))
    few, many = (aicore.predict(aicore.kernel(body), (big, big), n) for n in (4, 48))
    assert few.memory_floor_ns == many.memory_floor_ns == pytest.approx(4e7 / 1600)
    assert few.elapsed_ns == few.pipes_ns
    assert many.elapsed_ns == many.memory_floor_ns > many.pipes_ns
    assert many.bound == "the memory that all cores share"


def test_the_chrome_trace_is_json_names_lines_and_says_modelled(tmp_path):
    line = run(lambda x: through(x, 2)).timeline
    line.save_chrome_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    bars = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(bars) == len(line.bars)
    assert {event["cat"] for event in bars} == {"work", "stall"}
    assert all("test_aicore_timeline.py:" in event["args"]["line"] for event in bars)
    assert trace["otherData"]["provenance"] == "modelled"
    assert line.stated_error


def test_sampled_cores_are_said_to_be_a_sample():
    shape = aicore.Shape((100_000,), np.dtype(np.float32))
    line = aicore.predict(aicore.kernel(lambda x: through(x, 2)), (shape,), 24, sample=(0, -1))
    assert (line.cores, line.executed_cores) == (24, 2)


def test_every_priced_operation_is_one_and_every_one_has_a_price(tmp_path, monkeypatch):
    from workbench.aicore.operations.vector_checks import DTYPES

    assert set(DTYPES) <= set(costs().vector)
    with pytest.raises(InputError, match="no table of costs"):
        costs("dav-c999")
    with pytest.raises(UnknownNameError, match="rounding mode"):
        run(lambda x: aicore.cast(aicore.scratch("UB", 8, "int32"), x, "NEAREST"))


def test_a_damaged_table_of_costs_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "aicore").mkdir()
    (tmp_path / "aicore" / "broken.toml").write_text("[clock_ghz]\nvalue = 1.8\n")
    monkeypatch.setattr("workbench.aicore.readings.costs.folder", lambda name: tmp_path)
    with pytest.raises(DataFileError, match=r"broken\.toml"):
        costs("broken")


def test_a_chip_whose_bandwidth_nobody_gives_says_that_the_floor_is_left_out():
    with aicore.on_chip("ascend_910b4"):
        line = run(lambda x: through(x, 2)).timeline
    assert line.memory_floor_ns == 0
    assert "no source gives its bandwidth for Huawei Ascend 910B4" in line.bound
    assert "910B4" in line.chrome_trace()["otherData"]["left_out"]
    assert run(lambda x: through(x, 2)).timeline.left_out == ""
