"""The Race widget's state, which is plain JSON, with no browser."""

import json
from xml.etree import ElementTree

import pytest

from workbench.bench.session import RaceSession
from workbench.errors import WorkbenchError
from workbench.widgets.race import Race


def mine(a, x, y):
    return a * x + y


def twice(a, x, y):
    return (a * x + y) * 2


def test_a_race_shows_words_numbers_and_a_picture():
    race = Race("saxpy", ["numpy", mine, twice], size=2000, seconds=0.5, keep=False)
    assert "cannot" in race.sentence() or "nothing can be told" in race.sentence()
    race.start().join(60)
    lanes = {lane["label"]: lane for lane in race.view["lanes"]}
    assert lanes["twice"]["error"]["kind"] == "WrongResultError"
    assert lanes["mine"]["verdict"] in {"faster", "slower", "same", "inconclusive"}
    assert lanes["A/A control"]["control_of"] == "numpy"
    assert lanes["numpy"]["provenance"] == "measured"
    json.dumps(race.view)
    text = race.picture()
    ElementTree.fromstring(text)
    assert "twice left the race" in text
    data, _ = race._repr_mimebundle_()
    assert data["image/svg+xml"] == text
    assert data["text/plain"] == race.sentence()


def test_the_controls_reach_the_race_and_show_what_it_does():
    race = Race("saxpy", ["numpy"], size=1000, seconds=30, keep=False)
    controls = race.controls
    assert not controls.start.disabled
    assert controls.stop.disabled
    sizes = controls.choices["size"]
    sizes.value = sizes.options[0][1]
    controls.start.click()
    assert race.session.run.size == sizes.value
    assert controls.start.disabled
    assert controls.choices["problem"].disabled
    controls.stop.click()
    race.join(30)
    assert race.view["state"] == "done"
    assert not controls.start.disabled
    assert controls.stop.disabled


def test_another_problem_brings_its_own_sizes_and_drops_who_cannot_run_it():
    race = Race("saxpy", ["numpy", "aicore"], size=1000, seconds=1, keep=False)
    race.controls.choices["problem"].value = "alexnet"
    assert race.controls.choices["size"].description == "images"
    assert race.chosen["targets"] == ["numpy"]
    assert dict(race.controls.choices["baseline"].options) == {"numpy": "numpy"}
    boxes = {box.description: box for box in race.controls.targets.children}
    boxes["numpy"].value = False
    assert race.chosen["targets"] == []
    assert race.controls.start.disabled


def test_what_the_controls_cannot_start_is_said_and_loses_nothing():
    race = Race("saxpy", ["numpy"], size=1000, seconds=30, keep=False)
    race.chosen = {**race.chosen, "seconds": -1}
    race.controls.start.click()
    assert "cannot be set up" in race.view["trouble"]
    assert not race.controls.start.disabled


def test_a_lane_called_like_a_script_is_only_text():
    def hostile(a, x, y):
        return a * x + y

    hostile.__name__ = "<script>alert(1)</script>"
    race = Race("saxpy", ["numpy", hostile], size=1000, seconds=0.3, keep=False)
    race.start().join(60)
    assert "<script" not in race.picture()


def test_a_baseline_that_leaves_says_that_nothing_can_be_told_of_the_others():
    def broken(a, x, y):
        raise ValueError("no")

    race = Race("saxpy", [broken, mine], size=1000, seconds=0.5, keep=False)
    race.start().join(60)
    assert race.sentence().startswith("broken, which the others are compared with, left the race")
    race.controls.choices["baseline"].value = "mine"
    assert "left the race" not in race.sentence()


def test_a_problem_whose_file_raises_is_said_and_the_race_stays_as_it_was(monkeypatch):
    from workbench import catalog
    from workbench.errors import InputError

    race = Race("saxpy", ["numpy"], size=1000, seconds=0.3, keep=False)
    load, menu = catalog.load_problem, race.controls.choices["problem"]

    def broken(name):
        if name == "softmax":
            raise InputError("The file is broken.", "line 3", "mend it")
        return load(name)

    monkeypatch.setattr(catalog, "load_problem", broken)
    menu.value = "softmax"
    assert "The file is broken." in race.view["trouble"]
    assert race.chosen["problem"] == menu.value == "saxpy"
    race.controls.start.click()
    race.join(30)
    assert not race.view["trouble"]


def test_the_static_picture_says_where_when_and_how_every_number_was_obtained():
    race = Race("saxpy", ["numpy"], size=1000, batch=2, seconds=0.3, keep=False)
    race.start().join(60)
    text, run = race.picture(), race.session.run
    assert "saxpy, 1,000 elements, batches of 2, warm cache" in text
    assert run.machine.split(",")[0] in text
    assert run.started_at[:10] in text
    assert "numpy: measured, median" in text


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("saxpi",), {}, "saxpi"),
        (("saxpy", [3]), {}, "cannot race"),
        (("saxpy", ["numpy"]), {"size": 0}, "size"),
        (("saxpy", ["numpy"]), {"batch": 1.5}, "batch"),
        (("saxpy", ["numpy"]), {"seconds": float("nan")}, "set up"),
        (("saxpy", ["numpy"]), {"cache": "hot"}, "set up"),
    ],
)
def test_a_widget_that_cannot_be_made_says_why_in_our_words(arguments, options, said):
    with pytest.raises(WorkbenchError, match=said):
        Race(*arguments, keep=False, **options)


def test_a_widget_is_there_before_every_target_was_asked(monkeypatch):
    import threading

    from workbench import targets
    from workbench.measurement import Availability

    asked, go = [], threading.Event()

    def slowly(name, index):
        go.wait(60)
        asked.append(name)
        return Availability(name == "numpy", "so it is", "nothing")

    monkeypatch.setattr(targets, "_answers", {})
    monkeypatch.setattr(targets, "_asked", slowly)
    race = Race("saxpy", size=1000, seconds=0.3, keep=False)
    try:
        assert not asked
        assert {one["reason"] for one in race.choices["targets"]} == {"being looked for"}
        assert race.controls.start.disabled
        race.add(mine)
    finally:
        go.set()
    race._found()
    assert sorted(asked) == [target.name for target in targets.everything()]
    assert race.chosen["targets"] == ["numpy", "mine"]
    assert not race.controls.start.disabled
    assert {one["name"] for one in race.choices["targets"] if one["usable"]} == {"numpy", "mine"}


def test_a_model_is_no_baseline_while_something_with_a_clock_races():
    race = Race("saxpy", ["aicore", "numpy", mine], size=1000, seconds=0.5, keep=False)
    assert race.controls.choices["baseline"].value == "numpy"
    race.start().join(60)
    assert race.session.run.baseline == "numpy"
    lanes = {lane["label"]: lane for lane in race.view["lanes"]}
    assert lanes["A/A control"]["control_of"] == "numpy"
    assert lanes["mine"]["verdict"]
    assert RaceSession("saxpy", ["aicore", "numpy"], size=1000).run.baseline == "numpy"
    assert RaceSession("saxpy", ["aicore"], size=1000).run.baseline == "aicore"


@pytest.mark.parametrize("far", [{"size": 10**12}, {"size": 10**6, "batch": 10**6}])
def test_what_does_not_fit_into_memory_is_refused_before_anything_is_made(far):
    with pytest.raises(WorkbenchError, match=r"does not fit.*\n.*12,000 GB"):
        RaceSession("saxpy", ["numpy"], **far)
    race = Race("saxpy", ["numpy"], keep=False, **far)
    race.controls.start.click()
    assert "does not fit" in race.view["trouble"]
