"""The shared ground of the widgets: scripts, scales, marks and pictures, with no browser."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from workbench import catalog
from workbench.widgets import _loader, _static

NAMES = sorted(
    path.stem
    for path in _loader.HERE.glob("[!_]*.js")
    if (_loader.HERE / f"{path.stem}.py").exists()
)


@pytest.mark.parametrize("name", NAMES)
def test_a_widgets_script_has_the_common_part_and_fetches_nothing(name):
    script = _loader.load_js(name)
    assert script.startswith("const WB_LOOK = {")
    assert "export default" in script
    urls = set(re.findall(r"https?://[^\s\"'`)]+", script))
    assert urls <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert "innerHTML" not in script


def test_every_target_has_a_look_of_its_own():
    table = _static.look()["targets"]
    looks = [(row["colour"], row["mark"]) for row in table.values()]
    assert len(set(looks)) == len(looks)
    assert set(catalog.target_names()) <= set(table)


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 ns"), (1234, "1.23 µs"), (5e6, "5 ms"), (2.5e9, "2.5 s"), (None, "–")]
)
def test_durations_have_three_digits_and_a_unit(ns, text):
    assert _static.time_text(ns) == text


def test_a_scale_turns_logarithmic_above_two_decades():
    assert not _static.spanning([10, 900], 0, 100).log
    assert _static.spanning([10, 1100], 0, 100).log


def test_a_picture_escapes_hostile_text_and_is_well_formed():
    picture = _static.Picture(100, 50, 'a "<script>alert(1)</script>" & more')
    picture.text(1, 2, "<script>alert(2)</script>")
    for provenance in _static.look()["provenance"]:
        picture.mark(5, 5, "#0072B2", "circle", provenance)
    svg = picture.svg()
    assert "<script" not in svg
    ElementTree.fromstring(svg)


def test_the_four_provenances_are_drawn_differently():
    picture = _static.Picture(10, 10, "t")
    drawn = [str(picture.fill("#0072B2", kind)) for kind in _static.look()["provenance"]]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("decades", [0.5, 1, 2, 3.6, 4, 7, 9])
def test_labels_along_a_logarithmic_axis_have_room(decades):
    scale = _static.Scale(1e3, 1e3 * 10**decades, 130, 470, log=True)
    places = [scale(value) for value in scale.ticks()]
    assert all(after - before >= 60 for before, after in itertools.pairwise(places))
