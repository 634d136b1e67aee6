"""Blocks with two Vector cores: who runs, who waits for whom, and what each has for itself."""

import numpy as np
import pytest

from workbench import aicore
from workbench.errors import InputError


@aicore.kernel(vector_cores=2)
def number_of_each(out):
    row = aicore.block_idx() * aicore.sub_block_num() + aicore.sub_block_idx()
    tile = aicore.scratch("UB", 8, "float32", name="tile")
    aicore.duplicate(tile, float(row))
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(out[row, :], tile)


@aicore.kernel(vector_cores=2)
def doubled_product(a, space, out):
    aicore.Matmul(a.dtype, (32, 32, 32), 1)(space, a, a)
    aicore.cross_core_set_flag(0, "AIC.FIX")
    aicore.cross_core_wait_flag(0, "AIV.MTE2")
    begin = aicore.sub_block_idx() * 16
    tile = aicore.scratch("UB", (16, 32), "float32")
    aicore.data_copy(tile, space[begin : begin + 16, :])
    aicore.set_flag("MTE2_V")
    aicore.wait_flag("MTE2_V")
    aicore.muls(tile, tile, 2.0)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(out[begin : begin + 16, :], tile)


def product_args():
    a = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float16)
    return a, aicore.workspace((32, 32), "float32"), np.zeros((32, 32), np.float32)


def test_the_python_runs_once_for_each_vector_core_of_each_block():
    out = np.full((6, 8), np.nan, np.float32)
    run = number_of_each[3](out)
    assert (out == np.arange(6)[:, None]).all()
    assert run.hazards().clean


def test_each_vector_core_has_a_ub_and_pipes_of_its_own():
    run = number_of_each[1](np.zeros((2, 8), np.float32))
    assert {one.place.buffer for one in run.recording.placements} == {"UB", "UB1"}
    assert {bar.pipe for bar in run.timeline.bars} >= {"AIV.V", "AIV1.V", "AIV.MTE3", "AIV1.MTE3"}


def test_the_cube_core_works_once_and_both_vector_cores_wait_for_it():
    a, space, out = product_args()
    run = doubled_product[1](a, space, out)
    np.testing.assert_allclose(out, 2 * a.astype(np.float32) @ a.astype(np.float32), atol=1e-3)
    names = [node.name for node in run.order.nodes]
    assert names.count("mmad") == 1
    assert names.count("muls") == 2
    assert run.hazards(replay=False).clean
    cube = max(bar.stop_ns for bar in run.timeline.bars if bar.pipe == "AIC.FIX")
    loads = [b.start_ns for b in run.timeline.bars if b.pipe.endswith(".MTE2") and "V" in b.pipe]
    works = [b for b in run.timeline.bars if b.name == "muls"]
    assert all(bar.start_ns > cube for bar in works)
    assert len(loads) >= 2
    assert works[0].start_ns == works[1].start_ns


def test_time_only_mode_agrees_with_the_recording():
    a, space, out = product_args()
    recorded = doubled_product[1](a, space, out).timeline
    shapes = [aicore.Shape((32, 32), np.dtype(t)) for t in ("float16", "float32", "float32")]
    assert aicore.predict(doubled_product, shapes, 1).pipes_ns == pytest.approx(recorded.pipes_ns)


def test_two_vector_cores_take_twice_their_number_of_the_chip():
    out = np.zeros((60, 8), np.float32)
    with pytest.raises(InputError, match="24 blocks of 2 Vector cores"):
        number_of_each[25](out)
    assert not out.any()


def test_a_coupled_chip_has_no_second_vector_core():
    with aicore.on_chip("ascend_310p"), pytest.raises(InputError, match="no second Vector core"):
        number_of_each[1](np.zeros((2, 8), np.float32))


@pytest.mark.parametrize("count", [0, 3, True, "2"])
def test_any_other_number_of_vector_cores_is_refused(count):
    with pytest.raises(InputError, match="one or two Vector cores"):
        aicore.kernel(vector_cores=count)(lambda: None)


def test_a_round_of_sync_all_ends_when_all_have_come_and_not_at_the_next_round():
    @aicore.kernel
    def uneven(out):
        tile = aicore.scratch("UB", 8192, "float32")
        for _ in range(50 if aicore.block_idx() else 0):
            aicore.duplicate(tile, 1.0)
        aicore.sync_all()
        for _ in range(1 if aicore.block_idx() else 5):
            aicore.muls(tile, tile, 1.0)
        aicore.sync_all()

    bars = uneven[2](np.zeros(64, np.float32)).timeline.bars
    last_fill = max(bar.stop_ns for bar in bars if bar.name == "duplicate")
    for core in (0, 1):
        first = min(bar.start_ns for bar in bars if bar.name == "muls" and bar.core == core)
        assert first == pytest.approx(last_fill)


@pytest.mark.parametrize("ahead", [16, 17])
def test_a_flag_between_units_holds_sixteen_settings(ahead):
    @aicore.kernel(vector_cores=2)
    def far_ahead(x):
        for _ in range(ahead):
            aicore.cross_core_set_flag(0, "AIC.FIX")
        for _ in range(ahead):
            aicore.cross_core_wait_flag(0, "AIV.MTE2")

    found = aicore.check(far_ahead, (np.zeros(8, np.float32),), 1).findings
    assert [one.kind for one in found] == ["event_reused"] * (ahead > 16)
    assert all("16 times more" in one.message for one in found)


def test_cube_work_that_only_the_second_vector_core_would_issue_is_refused():
    @aicore.kernel(vector_cores=2)
    def misplaced(a, space, out):
        if aicore.sub_block_idx() == 1:
            aicore.Matmul(a.dtype, (32, 32, 32), 1)(space, a, a)

    with pytest.raises(aicore.AICoreError, match="only the second Vector core comes") as caught:
        misplaced[1](*product_args())
    assert "aicore.Matmul" in caught.value.sites[0].source

    @aicore.kernel(vector_cores=2)
    def placed(a, space, out):
        if aicore.sub_block_idx() == 0:
            aicore.Matmul(a.dtype, (32, 32, 32), 1)(space, a, a)

    placed[1](*product_args())
