"""PipeTimeline and BufferMap without a browser: state, static pictures, words, hostile names."""

import json

import numpy as np
import pytest

from workbench import aicore
from workbench.errors import InputError
from workbench.widgets.buffer_map import BufferMap
from workbench.widgets.pipe_timeline import PipeTimeline

X = np.ones(60_000, np.float32)


def run(depth, name="x"):
    @aicore.kernel
    def twice(x, out):
        source = aicore.Queue("VECIN", 2048, x.dtype, depth, name)
        result = aicore.Queue("VECOUT", 2048, x.dtype, depth)
        begin, end = aicore.share(x.size, 8)
        for start in range(begin, end, 2048):
            n = min(2048, end - start)
            tile = source.allocate(n)
            aicore.data_copy_pad(tile, x[start : start + n])
            source.enqueue(tile)
            tile = source.dequeue()
            answer = result.allocate(n)
            aicore.muls(answer, tile, 2.0)
            source.free(tile)
            result.enqueue(answer)
            answer = result.dequeue()
            aicore.data_copy_pad(out[start : start + n], answer)
            result.free(answer)

    return twice[2](X, np.zeros_like(X))


def test_the_state_is_plain_json_and_switches_between_variants():
    widget = PipeTimeline({"one": run(1).timeline, "two": run(2).timeline})
    first = json.loads(json.dumps(widget.view))
    pipes = ["AIV.MTE2", "AIV.V", "AIV.MTE3"]
    assert [lane["pipe"] for lane in first["lanes"]] == [f"{n} {p}" for n in (0, 1) for p in pipes]
    assert "modelled on 2 cores (all 2 are drawn)" in widget.sentence()
    assert any(bar["cause"] >= 0 for lane in first["lanes"] for bar in lane["bars"])
    assert "two takes 0." in widget.sentence()
    widget._heard(widget, {"do": "choose", "variant": "two", "core": 1}, None)
    assert (widget.view["variant"], widget.view["core"]) == ("two", 1)
    assert "one takes 1." in widget.sentence()
    assert "(core 1 is drawn)" in widget.sentence()
    assert [lane["pipe"] for lane in widget.view["lanes"]] == pipes


def test_a_stretch_of_time_holds_only_its_own_bars_and_stays_inside_the_run():
    widget = PipeTimeline(run(2).timeline)
    widget.choose(zoom=8, at=5.0)
    view = widget.view
    assert view["at"] == 1 - 1 / 8
    for lane in view["lanes"]:
        for bar in lane["bars"]:
            assert bar["stop_ns"] > view["begin_ns"]
            assert bar["start_ns"] < view["end_ns"]
    widget.choose(zoom=3, core=99, variant="no such")
    assert (view["zoom"], widget.view["core"]) == (8, 1)


def test_all_cores_can_be_seen_at_once_one_lane_for_each_pipe():
    widget = PipeTimeline(run(2).timeline)
    widget.choose(core=-1)
    lanes = [lane["pipe"] for lane in widget.view["lanes"]]
    assert lanes == [f"{core} AIV.{pipe}" for core in (0, 1) for pipe in ("MTE2", "V", "MTE3")]
    assert all(0 < row["share"] <= 1 for row in widget.view["rows"])
    assert "0 AIV.V" in widget.picture()


def test_tiles_never_overlap_in_bytes_while_they_stay():
    view = BufferMap(run(2)).view
    stays = view["stays"]
    assert len(stays) == 2 * 15
    for one in stays:
        for other in stays:
            if one is not other and one["offset"] == other["offset"]:
                apart = one["stop_ns"] <= other["start_ns"] or other["stop_ns"] <= one["start_ns"]
                assert apart, (one, other)


def test_the_map_says_how_much_of_the_buffer_is_given_out():
    widget = BufferMap(run(2))
    assert "32,768 of 196,608 bytes of UB" in widget.sentence()
    assert [row["depth"] for row in widget.view["rows"]] == [2, 2]
    widget._heard(widget, {"do": "choose", "buffer": "L9", "core": 77}, None)
    assert (widget.view["buffer"], widget.view["core"]) == ("UB", 0)


def test_saved_notebooks_keep_a_picture_in_which_names_are_text():
    one = run(2, name="<script>alert(1)</script>")
    for widget in (BufferMap(one), PipeTimeline({"<b>": one.timeline})):
        bundle, _ = widget._repr_mimebundle_()
        picture = bundle["image/svg+xml"]
        assert picture.startswith("<svg")
        assert "<script" not in picture
        assert "<b>" not in picture
        assert "modelled" in picture
        assert bundle["text/plain"] == widget.sentence()


def test_what_has_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="no timelines"):
        PipeTimeline({})

    @aicore.kernel
    def nothing(x):
        aicore.sync_all()

    idle = nothing[1](X)
    with pytest.raises(InputError, match="no bars in idle"):
        PipeTimeline({"idle": idle.timeline})
    with pytest.raises(InputError, match="no local memory"):
        BufferMap(idle)


def test_many_cores_begin_with_one_and_the_sentence_says_so():
    @aicore.kernel
    def fill(out):
        tile = aicore.scratch("UB", 64, "float32")
        aicore.duplicate(tile, 1.0)
        aicore.set_flag("V_MTE3")
        aicore.wait_flag("V_MTE3")
        me = aicore.block_idx() * 64
        aicore.data_copy(out[me : me + 64], tile)

    widget = PipeTimeline(fill[24](np.zeros(24 * 64, np.float32)).timeline)
    assert "modelled on 24 cores (core 0 is drawn)" in widget.sentence()
    assert len(widget.view["lanes"]) == 2


def test_more_causes_than_colours_stay_apart():
    from workbench.widgets.pipe_timeline import _stall

    palette = ["#0", "#1", "#2", "#3"]
    looks = [tuple(_stall(cause, palette).items()) for cause in range(9)]
    assert len(set(looks)) == 9


def test_a_cause_keeps_its_colour_when_another_variant_is_chosen():
    widget = PipeTimeline({"one": run(1).timeline, "two": run(2).timeline})
    first = widget.view
    widget.choose("two")
    assert widget.view["causes"] == first["causes"]
    assert set(widget.view["drawn"]) <= set(range(len(first["causes"])))
    assert all(
        f"waits for {first['causes'][at]}" in widget.picture() for at in widget.view["drawn"]
    )
