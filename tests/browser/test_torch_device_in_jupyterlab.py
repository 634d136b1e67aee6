"""The device's four widgets as a person meets them: every button, hover, keyboard, both themes."""

import re

START = """
import torch
import workbench.torch_device as wb
from workbench.widgets.coverage_map import CoverageMap
from workbench.widgets.dispatch_stepper import DispatchStepper
from workbench.widgets.memory_map import MemoryMap
from workbench.widgets.stream_timeline import StreamTimeline
x = torch.randn(64, 64, device='wb', requires_grad=True)
"""
STEP = (
    START
    + """
plain = x.detach()
DispatchStepper({'relu': wb.trace(torch.relu, x), 'airy': wb.trace(torch.special.airy_ai, plain)})
"""
)
COVER = (
    START
    + """
torch.linalg.eigvals(x.detach())
CoverageMap(wb.coverage(), score=lambda name: wb.score(name, max_samples=2))
"""
)
STREAMS = (
    START
    + """
def run():
    side = torch.wb.Stream()
    with wb.recording() as spans:
        with side:
            y = x @ x
        done = side.record_event()
        done.wait(torch.wb.current_stream())
        z = x + 1
    return list(spans)
good = run()
with wb.dropped_waits():
    bad = run()
StreamTimeline({'with the wait': good, 'wait dropped': bad})
"""
)
MEMORY = (
    START
    + """
before = wb.memory_map()
big = torch.zeros(1000, 100, device='wb'); view = big[10:20]
MemoryMap({'before': before, 'after': wb.memory_map()})
"""
)


def opened(lab, cell, label):
    notebook = lab.notebook([cell], height=1300)
    notebook.run_all(timeout_s=240)
    widget = notebook.page.get_by_role("region", name=label)
    widget.locator("svg[role=img]").wait_for(timeout=120_000)
    return notebook, widget


def said(notebook, text):
    notebook.page.wait_for_function(
        "text => document.querySelector('.wb-sentence').textContent.includes(text)", arg=text
    )


def test_the_stepper_walks_through_the_stages_of_a_call(lab):
    notebook, widget = opened(lab, STEP, "Dispatch stepper")
    notebook.screenshot("dispatch-stepper-light", widget)
    for stage in ("Autograd", "ADInplaceOrView", "device"):
        widget.get_by_role("button", name="Next stage").click()
        said(notebook, f"relu: {stage}")
    assert widget.get_by_role("button", name="Next stage").is_disabled()
    widget.get_by_role("button", name="Previous stage").focus()
    notebook.page.keyboard.press("Enter")
    said(notebook, "ADInplaceOrView")
    widget.locator("select").select_option("airy")
    said(notebook, "airy:")
    assert "fallback" in widget.locator("table").inner_text()
    notebook.theme(dark=True)
    notebook.screenshot("dispatch-stepper-dark", widget)


def test_the_coverage_map_filters_chooses_and_scores(lab):
    notebook, widget = opened(lab, COVER, "Coverage map")
    assert widget.locator("g.wb-work").count() == 676
    notebook.screenshot("coverage-map-light", widget)
    widget.locator("select").select_option("fallback")
    notebook.page.wait_for_function("() => document.querySelectorAll('g.wb-work').length < 400")
    widget.locator("select").select_option("")
    notebook.page.wait_for_function("() => document.querySelectorAll('g.wb-work').length === 676")
    widget.locator(
        "g.wb-work", has=notebook.page.locator("title", has_text="relu: native")
    ).first.click()
    widget.locator("caption", has_text=re.compile("^relu$")).wait_for()
    widget.get_by_role("button", name="Score it").click()
    widget.locator("pre.wb-score").wait_for(timeout=120_000)
    assert "samples right" in widget.locator("pre.wb-score").inner_text()
    widget.get_by_role("button", name="Next operator").click()
    widget.get_by_role("button", name="Previous operator").click()
    notebook.theme(dark=True)
    notebook.screenshot("coverage-map-dark", widget)


def test_the_timeline_shows_the_run_with_the_wait_and_without(lab):
    notebook, widget = opened(lab, STREAMS, "Stream timeline")
    notebook.screenshot("stream-timeline-light", widget)
    widget.get_by_role("button", name="wait dropped").click()
    said(notebook, "wait dropped:")
    widget.get_by_role("button", name="Next work").click()
    assert widget.locator("[data-chosen]").count() == 1
    widget.get_by_role("button", name="Previous work").click()
    widget.locator("rect.wb-work").first.hover()
    assert "in its queue (measured)" in widget.inner_text()
    notebook.theme(dark=True)
    notebook.screenshot("stream-timeline-dark", widget)


def test_the_memory_map_shows_which_tensors_lie_in_a_block(lab):
    notebook, widget = opened(lab, MEMORY, "Memory map")
    widget.get_by_role("button", name="after").click()
    said(notebook, "after:")
    notebook.screenshot("memory-map-light", widget)
    for _ in range(2):
        widget.get_by_role("button", name="Next block").click()
    widget.locator("table").wait_for()
    widget.get_by_role("button", name="Previous block").click()
    notebook.theme(dark=True)
    notebook.screenshot("memory-map-dark", widget)
