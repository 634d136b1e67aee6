"""Roofline, Scaling and Replay: their state, which is plain JSON, with no browser."""

import itertools
import json
from xml.etree import ElementTree

import pytest

from workbench.bench import recording
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.scaling import crossing_words, scaling
from workbench.errors import (
    DataFileError,
    IncomparableMeasurementsError,
    InputError,
    UnknownNameError,
)
from workbench.widgets.race import Race
from workbench.widgets.replay import Replay, recordings
from workbench.widgets.roofline import Roofline
from workbench.widgets.scaling import Scaling


def make_run(size=1000, latencies=None, machine="a machine", label="numpy"):
    latencies = latencies or {"numpy": 1000.0, "torch_cpu": 500.0}
    latencies = {**latencies, CONTROL: latencies[label]}
    lanes = {}
    for name, ns in latencies.items():
        lane = LaneRecord(name, control_of=label if name == CONTROL else "")
        for number in range(200):
            lane.add(number, ns * (1 + 0.001 * ((number * 7) % 5)), 0, 0, 0)
        lanes[name] = lane
    run = Run("saxpy", size, "elements", "warm", 1, 1.0, label, lanes, machine)
    run.conditions.append({"wall_ns": 1, "load": 0.1})
    run.bytes_moved, run.operations = 12 * size, 2 * size
    run.state, run.reason = "done", "time is up"
    return run


def still(widget):
    """Check what every widget leaves behind, and return its picture."""
    json.dumps(widget.view, allow_nan=False)
    picture = widget.picture()
    ElementTree.fromstring(picture)
    data, _ = widget._repr_mimebundle_()
    assert data["image/svg+xml"] == picture
    assert data["text/plain"] == widget.sentence()
    return picture


def test_a_roofline_places_a_run_and_says_its_share():
    widget = Roofline(["nvidia_h200"], [make_run()])
    (numpy, torch) = widget.view["points"]
    assert numpy["intensity"] == pytest.approx(1 / 6)
    assert numpy["gflop_per_s"] == pytest.approx(2.0, rel=0.01)
    assert "torch_cpu reaches" in widget.sentence()
    assert "memory is the limit" in widget.sentence()
    assert torch["provenance"] == "measured"
    still(widget)


def test_a_point_above_the_roof_is_said_to_be_impossible():
    widget = Roofline(["nvidia_h200"])
    assert "nothing measured is shown" in widget.sentence()
    widget.add_point("miracle", 10.0, 1e9, "datasheet", "a press release")
    assert "above the roof" in widget.sentence()
    still(widget)


def test_roofs_whose_sources_disagree_are_bands_and_missing_ones_are_named():
    widget = Roofline(["nvidia_h200", "nvidia_h20", "ascend_910b1"], dtype="float16")
    drawn = {roof["device"] for roof in widget.view["roofs"]}
    named = {row["device"] for row in widget.view["missing"]}
    assert drawn | named == {"nvidia_h200", "nvidia_h20", "ascend_910b1"}
    for roof in widget.view["roofs"]:
        low, high = roof["compute_gflop_per_s"]
        assert roof["agreed"] == (low == high and len(set(roof["bandwidth_gb_per_s"])) == 1)
        assert roof["sources"]
    widget._heard(widget, {"what": "dtype", "value": "float64"}, [])
    assert widget.view["dtype"] == "float64"
    widget._heard(widget, {"what": "device", "value": "nvidia_h200"}, [])
    assert "nvidia_h200" not in widget.view["devices"]
    still(widget)


def test_a_roofline_refuses_what_it_cannot_place():
    run = make_run()
    run.operations = 0
    with pytest.raises(InputError, match="under a roof"):
        Roofline(["nvidia_h200"], [run])
    with pytest.raises(UnknownNameError, match="nvidia_h200"):
        Roofline(["nvidia_h2000"])
    with pytest.raises(InputError, match="source"):
        Roofline().add_point("x", 1.0, 1.0, "measured", "")


def test_a_crossing_is_found_between_the_sizes_at_which_the_verdict_turns():
    small = make_run(100, {"numpy": 100.0, "torch_cpu": 1000.0})
    large = make_run(10_000, {"numpy": 10_000.0, "torch_cpu": 1000.0})
    found = scaling([large, small])
    (crossing,) = found["crossings"]
    assert (crossing["faster"], crossing["slower"]) == ("torch_cpu", "numpy")
    assert crossing["size"] == pytest.approx(1000, rel=0.02)
    assert crossing_words(crossing, "elements").startswith(
        "torch_cpu pays from about 1,000 elements on against numpy"
    )
    widget = Scaling([small, large])
    assert "pays from about 1,000" in widget.sentence()
    assert "torch_cpu pays" in still(widget)


def test_no_crossing_is_claimed_from_one_side_or_from_noise():
    same = make_run(100, {"numpy": 100.0, "torch_cpu": 100.1})
    large = make_run(10_000, {"numpy": 10_000.0, "torch_cpu": 1000.0})
    widget = Scaling([same, large])
    assert widget.view["crossings"] == []
    assert "beyond that nothing is known" in widget.sentence()


def test_runs_of_different_machines_are_not_drawn_together():
    with pytest.raises(IncomparableMeasurementsError, match="machine"):
        scaling([make_run(100), make_run(200, machine="another")])


def test_an_empty_scaling_says_that_nothing_is_known():
    widget = Scaling([])
    assert "nothing can be told" in widget.sentence()
    still(widget)


def test_a_sweep_is_followed_live(tmp_path):
    from workbench.bench.store import Store
    from workbench.bench.sweep import Sweep

    store = Store(tmp_path / "runs.sqlite")
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[100, 400], seconds=0.2, store=store)
    widget = Scaling(sweep)
    widget._heard(widget, {"do": "start"}, [])
    widget.join(60)
    (line,) = widget.view["lines"]
    assert [point["size"] for point in line["points"]] == [100, 400]
    assert widget.view["state"] == "done"
    assert "finished" in widget.view["progress"]
    widget.start().join(30)
    assert "finished" in widget.view["progress"]


def test_a_replay_names_machine_and_date_and_marks_everything_as_recorded(tmp_path):
    run = make_run(machine="a far <b>machine</b>")
    widget = Replay(recording.write_json([run], tmp_path / "r.json"))
    assert "a far <b>machine</b>" in widget.caption()
    assert run.started_at in widget.caption()
    assert {lane["provenance"] for lane in widget.view["lanes"]} == {"recorded"}
    assert len(widget.view["series"][0]["samples_ns"]) == 200
    assert "<b>" not in still(widget)


def test_a_recording_from_an_accelerator_names_it_wherever_the_machine_is_named(tmp_path):
    run = make_run()
    run.environment["devices"] = {"torch_cpu": "NVIDIA H200", "another": "NVIDIA H200"}
    widget = Replay(recording.write_json([run], tmp_path / "gpu.json"))
    assert "on a machine, with NVIDIA H200, 20" in widget.caption()
    assert "a machine, with NVIDIA H200" in still(widget).split("saxpy, 1,000 elements, warm")[1]
    assert "with NVIDIA H200" in Roofline(["nvidia_h200"], [run]).view["points"][0]["source"]
    assert "with NVIDIA H200" in scaling([run])["machine"]


def test_names_of_points_that_lie_close_are_drawn_apart_and_above_the_axis():
    from workbench.widgets import _roofline_picture
    from workbench.widgets._static import apart

    assert apart([10, 12, 98, 99], bottom=100) == [10, 23, 87, 100]
    names = ("numpy", "torch_cpu", "ort_cpu", "simt")
    run = make_run(latencies={name: 1000.0 + at for at, name in enumerate(names)})
    picture = ElementTree.fromstring(Roofline(["nvidia_h200"], [run]).picture())
    texts = [one for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    heights = sorted(float(one.get("y")) for one in texts if "(measured)" in one.text)
    assert len(heights) == 4
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 13
    assert heights[-1] < _roofline_picture.BOTTOM


def test_a_replay_refuses_what_is_no_recording(tmp_path):
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(DataFileError):
        Replay(tmp_path / "r.json")
    with pytest.raises(UnknownNameError):
        Replay("nothing_of_that_name")
    with pytest.raises(InputError, match="no such run"):
        Replay(make_run(), which=3)


@pytest.mark.parametrize("name", recordings())
def test_every_recording_that_ships_can_be_replayed(name):
    widget = Replay(name)
    assert widget.run.recorded
    assert widget.run.machine in widget.caption()
    still(widget)


@pytest.mark.parametrize(
    "point",
    [
        ("x", float("nan"), 1.0, "measured", "me"),
        ("x", float("inf"), 1.0, "measured", "me"),
        ("x", "1", 1.0, "measured", "me"),
        ("x", 1.0, 1.0, "guessed", "me"),
        ("x", 1.0, 1.0, "measured", ""),
    ],
)
def test_a_point_that_cannot_be_drawn_is_refused(point):
    with pytest.raises(InputError, match="no point of a roofline"):
        Roofline().add_point(*point)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Race(3), "no problem"),
        (lambda: Race("saxpy", "numpy"), "targets must be a list"),
        (lambda: Race("saxpy", 3), "targets must be a list"),
        (lambda: Race("saxpy", [3]), "cannot race"),
        (lambda: Roofline(3), "devices must be a list"),
        (lambda: Roofline("nvidia_h200"), "devices must be a list"),
        (lambda: Roofline([3]), "devices hold"),
        (lambda: Roofline(["nvidia_h200"], 3), "runs must be a list"),
        (lambda: Roofline(["nvidia_h200"], ["numpy"]), "runs hold"),
        (lambda: Scaling(3), "runs must be a list"),
        (lambda: Scaling("saxpy"), "runs must be a list"),
        (lambda: Scaling([3]), "runs hold"),
        (lambda: Replay(3), "no recording"),
        (lambda: Replay(make_run(), which="first"), "no such run"),
    ],
)
def test_a_widget_over_something_else_says_what_to_hand_it(make, message):
    with pytest.raises(InputError, match=message) as raised:
        make()
    assert raised.value.advice
