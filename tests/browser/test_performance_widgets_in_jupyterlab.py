"""The performance widgets as a person meets them: Stop, a reload, no kernel, every button."""

import re

import pytest

RACE = """
from workbench.widgets.race import Race
def mine(a, x, y):
    return a * x + y
race = Race("saxpy", ["numpy", mine], size=100_000, seconds=60, keep=False)
race
"""
SIX = """
from workbench.widgets.race import Race
def a_function_of_mine(a, x, y):
    return a * x + y
targets = ["numpy", "torch_cpu", "torch_wb", "ort_cpu", "simt", a_function_of_mine]
race = Race("saxpy", targets, size=100_000, seconds=3, keep=False)
race.start().join(120)
race
"""
FINISHED = """
from workbench.widgets.race import Race
race = Race("saxpy", ["numpy"], size=10_000, seconds=0.5, keep=False)
race.start().join(60)
race
"""
ROOFLINE = """
from workbench.widgets.race import Race
from workbench.widgets.roofline import Roofline
race = Race("saxpy", ["numpy"], size=10_000, seconds=0.5, keep=False)
race.start().join(60)
roof = Roofline(["nvidia_h200", "ascend_910b1"], [race.session.run], dtype="float16")
roof
"""
SCALING = """
import os, tempfile
from workbench.bench.store import Store
from workbench.bench.sweep import Sweep
from workbench.widgets.scaling import Scaling
store = Store(tempfile.mkdtemp() + "/runs.sqlite")
def mine(a, x, y):
    return a * x + y
sweep = Sweep("s", ["saxpy"], ["numpy", "torch_cpu"], sizes=[300, 3000, 100_000, 1_000_000],
              seconds=1, store=store)
chart = Scaling(sweep)
chart
"""
REPLAY = """
from workbench.widgets.race import Race
from workbench.widgets.replay import Replay
from workbench.bench import recording
race = Race("saxpy", ["numpy"], size=10_000, seconds=0.5, keep=False)
race.start().join(60)
recording.write_json([race.session.run], "recorded.json")
play = Replay("recorded.json")
play
"""


def button(page, name):
    return page.locator(".jp-OutputArea").first.get_by_role("button", name=name, exact=True)


def wait_for_the_end(page, timeout_s=60):
    page.wait_for_function(
        """() => [...document.querySelectorAll('.wb-race-controls button')]
            .some(one => one.textContent === 'Start' && !one.disabled)""",
        timeout=timeout_s * 1000,
    )


def wait_for_words(page, words, timeout_s=60):
    page.wait_for_function(
        "words => document.querySelector('.wb-sentence')?.textContent.includes(words)",
        arg=words,
        timeout=timeout_s * 1000,
    )


def light_text_on_dark(page):
    colour = page.evaluate("() => getComputedStyle(document.querySelector('.wb svg text')).fill")
    return min(int(v) for v in re.findall(r"\d+", colour)[:3]) > 150


def test_a_race_survives_a_reload_of_the_page_and_can_then_be_stopped(lab):
    notebook = lab.notebook([RACE])
    notebook.run_all()
    button(notebook.page, "Start").click()
    wait_for_words(notebook.page, "numpy")
    notebook.save()
    calls = """() => {
        const table = document.querySelector('.wb-table');
        const column = [...table.querySelectorAll('thead th')].findIndex(
            th => th.textContent === 'calls');
        return Number(table.querySelector('tbody tr').children[column]
            .textContent.replace(/,/g, ''));
    }"""
    notebook.page.wait_for_function(f"() => ({calls})() > 0", timeout=30_000)
    before = notebook.page.evaluate(calls)
    notebook.page.reload()
    lab.ready(notebook)
    wait_for_words(notebook.page, "numpy")
    # not at once: the first picture after a reload is the last one before it
    notebook.page.wait_for_function(f"before => ({calls})() > before", arg=before, timeout=30_000)
    button(notebook.page, "Stop").click()
    wait_for_the_end(notebook.page)
    stopped = notebook.page.evaluate(calls)
    notebook.page.wait_for_timeout(700)
    assert notebook.page.evaluate(calls) == stopped


def test_a_saved_notebook_shows_the_final_picture_where_no_kernel_runs(lab):
    notebook = lab.notebook([RACE.replace("seconds=60", "seconds=1")], name="saved.ipynb")
    notebook.run_all()
    page = notebook.page
    button(page, "Start").click()
    wait_for_words(page, "numpy")
    wait_for_the_end(page)
    page.wait_for_timeout(500)
    assert not page.locator(".jp-RenderedSVG").first.is_visible(), "one picture at a time"
    book = notebook.save()
    (data,) = [o.data for o in book.cells[0].outputs if "image/svg+xml" in o.get("data", {})]
    assert "A/A control" in data["image/svg+xml"], "the picture of the finished race is kept"
    assert "widgets" not in book.metadata, "widget state would make nbconvert fetch from a CDN"
    assert notebook.path.stat().st_size < 80_000
    lab.close()
    again = lab.open("saved.ipynb")
    again.page.locator(".jp-RenderedSVG").first.wait_for(timeout=20_000)
    assert again.page.locator(".wb").count() == 0
    again.screenshot("race-saved", again.cell(0))


def test_every_control_of_the_race_is_reached_with_the_keyboard(lab):
    notebook = lab.notebook([RACE])
    notebook.run_all()
    focused = "name => document.activeElement.textContent === name"
    button(notebook.page, "Start").focus()
    notebook.page.keyboard.press("Enter")
    wait_for_words(notebook.page, "numpy")
    reached = set()
    notebook.page.wait_for_function(focused, arg="Stop")  # Start, disabled, has handed it on
    notebook.page.keyboard.press("Enter")
    wait_for_the_end(notebook.page)
    notebook.page.wait_for_function(focused, arg="Start")
    for _ in range(12):
        notebook.page.keyboard.press("Tab")
        reached.add(
            notebook.page.evaluate(
                """() => document.activeElement.getAttribute('aria-label')
                    || document.activeElement.closest('.jupyter-widgets')?.textContent.trim()"""
            )
        )
    assert any(text and text.startswith("problem") for text in reached)
    assert any(text and text.startswith("seconds") for text in reached)
    assert {"elements", "batch"} <= reached
    size = notebook.page.get_by_role("slider", name="elements")
    assert size.get_attribute("aria-valuetext") == "100,000"
    size.press("ArrowRight")
    notebook.page.wait_for_function(
        """() => document.querySelector('[role=slider][aria-label=elements]')
            .getAttribute('aria-valuetext') === '316,228'"""
    )
    assert any(text and text.endswith("numpy") for text in reached)


def test_the_roofline_changes_its_data_type_and_devices(lab):
    notebook = lab.notebook([ROOFLINE])
    notebook.run_all()
    page = notebook.page
    page.locator(".wb svg").first.wait_for()
    wait_for_words(page, "reaches")
    selects = page.locator(".wb select")
    selects.nth(1).select_option("nvidia_t4")
    page.wait_for_function("() => document.querySelector('.wb').textContent.includes('nvidia_t4')")
    selects.nth(0).select_option("float32")
    page.locator(".wb-table caption", has_text="Roofs for dense float32, from data").wait_for()
    assert page.locator(".wb-table caption").first.inner_text() == "Work under the roofs"
    point = page.locator(".wb-table").first.locator("tbody tr").first
    assert "0.167" in point.inner_text(), "the intensity of saxpy, with its digits"
    notebook.screenshot("roofline-light", page.locator(".wb").first)
    notebook.theme(dark=True)
    assert light_text_on_dark(page)
    notebook.screenshot("roofline-dark", page.locator(".wb").first)


def test_scaling_follows_a_sweep_and_stops_half_way(lab):
    notebook = lab.notebook([SCALING])
    notebook.run_all()
    page = notebook.page
    button(page, "Start").click()
    page.locator(".wb svg").first.wait_for(timeout=60_000)
    button(page, "Stop").click()
    page.wait_for_function(
        "() => document.querySelector('.wb').textContent.includes('stopped')", timeout=20_000
    )
    button(page, "Start").click()
    page.wait_for_function(
        "() => document.querySelector('.wb').textContent.includes('finished')", timeout=60_000
    )
    assert page.locator(".wb-table").last.locator("thead th").count() == 6
    notebook.screenshot("scaling-light", page.locator(".wb").first)
    notebook.theme(dark=True)
    assert light_text_on_dark(page)
    notebook.screenshot("scaling-dark", page.locator(".wb").first)


def test_a_recording_plays_pauses_and_carries_its_caption(lab):
    notebook = lab.notebook([REPLAY])
    notebook.run_all()
    page = notebook.page
    page.locator(".wb svg").first.wait_for()
    assert "Recorded:" in page.locator(".wb").first.inner_text()
    assert page.locator(".wb .wb-badge-recorded").count() >= 2
    button(page, "Play").click()
    wait_for_words(page, "Too early to tell")
    button(page, "Pause").click()
    assert button(page, "Play").is_visible()
    notebook.screenshot("replay-light", page.locator(".wb").first)
    page.locator(".wb input[type=range]").press("End")
    notebook.theme(dark=True)
    assert light_text_on_dark(page)
    notebook.screenshot("replay-dark", page.locator(".wb").first)


@pytest.mark.parametrize("source", [SIX, REPLAY])
def test_the_tables_of_a_race_fit_a_page_of_800_pixels(lab, source):
    notebook = lab.notebook([source], width=800)
    notebook.run_all()
    notebook.page.locator(".wb svg").first.wait_for()
    name = "race-800" if source is SIX else "replay-800"
    notebook.screenshot(name, notebook.page.locator(".wb").first)
    too_wide = notebook.page.locator(".wb-scroll").evaluate_all(
        """all => all.filter(one => one.scrollWidth > one.clientWidth + 1)
            .map(one => `${one.scrollWidth} > ${one.clientWidth}`)"""
    )
    assert too_wide == []


@pytest.mark.parametrize("width", [600])
def test_a_race_fits_a_narrow_page(lab, width):
    notebook = lab.notebook([FINISHED], width=width + 140)
    notebook.run_all()
    notebook.page.locator(".wb svg").first.wait_for()
    box = notebook.page.locator(".wb svg").first.bounding_box()
    assert box["x"] + box["width"] <= width + 140
