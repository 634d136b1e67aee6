"""The state of the device's four widgets: plain JSON, with no browser and no device."""

import json

import pytest

from workbench.errors import InputError
from workbench.widgets.coverage_map import CoverageMap
from workbench.widgets.dispatch_stepper import DispatchStepper
from workbench.widgets.memory_map import MemoryMap
from workbench.widgets.stream_timeline import StreamTimeline, overlap_ns

STEPS = [
    {"operator": "aten::relu", "stage": "Autograd", "key": "AutogradPrivateUse1", "active": True,
     "kernel": "<b>VariableType</b>", "duration_ns": 1000.0},
    {"operator": "aten::relu", "stage": "device", "key": "PrivateUse1", "active": False,
     "kernel": "elementwise.py", "duration_ns": 0.0},
]  # fmt: skip
OPERATORS = [
    {"operator": "relu", "kind": "native", "source": "table", "bytes_moved": 0, "calls": 0},
    {"operator": "eig", "kind": "fallback", "source": "cpu", "bytes_moved": 640, "calls": 2},
]
SPANS = [
    {"stream": 0, "name": "mm", "queued_ns": 5, "start_ns": 10, "end_ns": 60},
    {"stream": 2, "name": "add", "queued_ns": 10, "start_ns": 30, "end_ns": 90},
    {"stream": 2, "name": "event wait", "queued_ns": 10, "start_ns": 10, "end_ns": 30},
]
RANGES = [
    {"start": 512, "nbytes": 1024, "state": "live", "stream": 0, "views": ("Tensor float32[9]",)},
    {"start": 1536, "nbytes": 4096, "state": "free", "stream": -1, "views": ()},
]
WIDGETS = {
    DispatchStepper: lambda: DispatchStepper({"relu": STEPS}),
    CoverageMap: lambda: CoverageMap(OPERATORS),
    StreamTimeline: lambda: StreamTimeline({"a run": SPANS}),
    MemoryMap: lambda: MemoryMap({"now": RANGES}),
}


@pytest.mark.parametrize("make", WIDGETS.values(), ids=[w.__name__ for w in WIDGETS])
def test_the_state_is_plain_json_and_the_saved_picture_escapes_names(make):
    widget = make()
    assert json.loads(json.dumps(widget.view)) == widget.view
    assert widget.sentence()
    assert widget.picture().startswith("<svg")
    assert "<b>" not in widget.picture()


@pytest.mark.parametrize("widget", WIDGETS, ids=[w.__name__ for w in WIDGETS])
def test_nothing_to_draw_is_said(widget):
    with pytest.raises(InputError, match="nothing to draw"):
        widget({} if widget is not CoverageMap else [])


def test_a_record_that_lacks_a_field_is_refused_by_name():
    with pytest.raises(InputError, match="duration_ns"):
        DispatchStepper({"relu": [{k: v for k, v in STEPS[0].items() if k != "duration_ns"}]})


def test_the_stepper_stops_at_both_ends():
    widget = DispatchStepper({"relu": STEPS})
    assert "1 µs" in widget.sentence()
    widget._heard(None, {"do": "choose", "at": 7}, None)
    assert widget.view["at"] == 1
    assert "passed over" in widget.sentence()
    widget._heard(None, {"do": "choose", "at": -3}, None)
    assert widget.view["at"] == 0


def test_the_map_scores_what_is_chosen_with_the_callable_it_was_handed():
    asked = []
    widget = CoverageMap(OPERATORS, score=lambda name: asked.append(name) or "3 of 4 right")
    widget._heard(None, {"do": "choose", "operator": "eig", "score": True}, None)
    assert asked == ["eig"]
    assert widget.view["score"] == "3 of 4 right"
    widget._heard(None, {"do": "choose", "operator": "nobody", "score": True}, None)
    assert asked == ["eig"]
    widget.filter("fallback")
    assert [r["operator"] for r in widget.view["rows"]] == ["eig"]
    assert "640 bytes" in widget.sentence()


def test_overlap_counts_work_on_two_streams_and_not_events():
    widget = StreamTimeline({"a run": SPANS})
    assert overlap_ns(widget.view["bars"]) == 30
    assert "2 pieces of work on 2 streams" in widget.sentence()


def test_the_memory_map_adds_up():
    widget = MemoryMap({"now": RANGES})
    assert "1,024 bytes live in 1 blocks" in widget.sentence()
    assert sum(r["wide"] for r in widget.view["ranges"]) == pytest.approx(1)
