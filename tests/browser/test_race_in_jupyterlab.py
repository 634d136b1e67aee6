"""The Race widget as a person meets it: start, stop, dark theme, a picture."""

import re

SHOW = """
from workbench.widgets.race import Race
def mine(a, x, y):
    return a * x + y
race = Race("saxpy", ["numpy", mine], size=100_000, seconds=60, keep=False)
race
"""


def text_colour(widget):
    """Return red, green and blue of the picture's text."""
    colour = widget.evaluate("node => getComputedStyle(node.querySelector('svg text')).fill")
    return [int(value) for value in re.findall(r"\d+", colour)[:3]]


def test_a_race_starts_stops_and_is_right_in_both_themes(lab):
    notebook = lab.notebook([SHOW])
    notebook.run_all()
    widget = notebook.page.locator(".wb").first
    output = notebook.page.locator(".jp-OutputArea").first
    output.get_by_role("button", name="Start").click()
    widget.locator("svg[role=img]").wait_for(timeout=60_000)
    notebook.page.wait_for_function(
        "() => document.querySelector('.wb-sentence').textContent.includes('numpy')",
        timeout=30_000,
    )
    assert max(text_colour(widget)) < 100, "text must be dark on light"
    notebook.screenshot("race-light", output)
    output.get_by_role("button", name="Stop").click()
    start = output.get_by_role("button", name="Start")
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.wb-race-controls button')].some("
        "b => b.textContent === 'Start' && !b.disabled)",
        timeout=10_000,
    )
    assert start.is_enabled()
    assert "A/A control" in widget.locator("table").first.inner_text()
    notebook.theme(dark=True)
    assert min(text_colour(widget)) > 150, "text must be light on dark"
    notebook.screenshot("race-dark", output)
