"""The Race widget's state, which is plain JSON, with no browser."""

import json
from xml.etree import ElementTree

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


def test_a_button_press_and_a_menu_reach_the_race():
    race = Race("saxpy", ["numpy"], size=1000, seconds=30, keep=False)
    race._heard(race, {"do": "choose", "what": "size", "value": 500}, [])
    race._heard(race, {"do": "start"}, [])
    assert race.session.run.size == 500
    race._heard(race, {"do": "stop"}, [])
    race.join(30)
    assert race.view["state"] == "done"
    race._heard(race, {"do": "choose", "what": "nonsense", "value": 1}, [])
    assert "no such control" in race.view["trouble"]


def test_a_lane_called_like_a_script_is_only_text():
    def hostile(a, x, y):
        return a * x + y

    hostile.__name__ = "<script>alert(1)</script>"
    race = Race("saxpy", ["numpy", hostile], size=1000, seconds=0.3, keep=False)
    race.start().join(60)
    assert "<script" not in race.picture()
