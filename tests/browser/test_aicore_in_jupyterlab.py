"""PipeTimeline and BufferMap as a person meets them: buttons, hover, keyboard, both themes."""

import re

SHOW = """
import numpy as np
from workbench import aicore, catalog
from workbench.widgets.buffer_map import BufferMap
from workbench.widgets.pipe_timeline import PipeTimeline
a = np.ones((512, 512), np.float16)
out = np.zeros((512, 512), np.float32)
runs = {}
for name in ("ascend_2_tiled", "ascend_4_l0_pipelined"):
    file = next(f for f in catalog.kernel_files("matmul", "ascend") if f.name == name)
    with aicore.observe() as found:
        file.load().launch(a, a, out, blocks=2)
    runs[name] = found[0]
PipeTimeline({"one buffer": runs["ascend_2_tiled"].timeline,
              "two buffers": runs["ascend_4_l0_pipelined"].timeline})
"""
MAP = "BufferMap(runs['ascend_4_l0_pipelined'])"


def light_text(widget):
    colour = widget.evaluate("node => getComputedStyle(node.querySelector('svg text')).fill")
    return min(int(v) for v in re.findall(r"\d+", colour)[:3])


def choice(widget, label):
    return widget.locator("label", has_text=re.compile(f"^{label}")).locator("select")


def test_the_timeline_switches_double_buffering_and_names_instruction_and_line(lab):
    notebook = lab.notebook([SHOW], height=1200)
    notebook.run_all()
    widget = notebook.page.get_by_role("region", name="Pipe timeline")
    widget.locator("svg[role=img]").wait_for(timeout=60_000)
    sentence = widget.locator(".wb-sentence")
    before = sentence.inner_text()
    assert "modelled" in before
    assert "one buffer" in before
    assert "all 2 are drawn" in before
    assert widget.get_by_text("1 AIC.FIX", exact=True).count() == 1
    assert widget.locator("rect.wb-stall").count() > 0
    notebook.screenshot("pipe-timeline-light", widget)
    widget.get_by_role("button", name="two buffers").click()
    notebook.page.wait_for_function(
        "() => document.querySelector('.wb-sentence').textContent.includes(', two buffers')"
    )
    widget.locator("rect.wb-work").nth(3).hover()
    assert re.search(r"ascend_2_tiled\.py:\d+ \(modelled\)", widget.inner_text())
    choice(widget, "enlarged").select_option("8")
    widget.get_by_role("button", name="Later").click()
    notebook.page.wait_for_function(
        "() => ![...document.querySelectorAll('.wb button')].find("
        "b => b.textContent === 'Earlier').disabled"
    )
    widget.get_by_role("button", name="Next instruction").focus()
    notebook.page.keyboard.press("Enter")
    assert widget.locator("[data-chosen]").count() == 1
    choice(widget, "core").select_option("1")
    notebook.page.wait_for_function(
        "() => document.querySelector('.wb-table caption').textContent.includes('core 1')"
    )
    choice(widget, "core").select_option("all")
    widget.get_by_text("1 AIC.FIX", exact=True).wait_for()
    notebook.theme(dark=True)
    assert light_text(widget) > 150
    notebook.screenshot("pipe-timeline-dark", widget)


def test_the_map_shows_each_buffer_and_tells_its_tiles_by_key(lab):
    notebook = lab.notebook([SHOW, MAP], height=1200)
    notebook.run_all()
    widget = notebook.page.get_by_role("region", name="Buffer map")
    widget.locator("rect.wb-stay").first.wait_for(timeout=60_000, state="attached")
    for buffer in ("L0A", "L0B", "L0C", "L1"):
        widget.get_by_role("button", name=buffer, exact=True).click()
        notebook.page.wait_for_function(
            "name => [...document.querySelectorAll('.wb-table caption')].some("
            "c => c.textContent.startsWith(`What ${name} of core`))",
            arg=buffer,
        )
        assert widget.locator("rect.wb-stay").count() > 0
    widget.get_by_role("button", name="Next tile").focus()
    notebook.page.keyboard.press("Enter")
    notebook.page.keyboard.press("Enter")
    assert re.search(r"bytes [\d,]+ to [\d,]+ of L1", widget.inner_text())
    notebook.screenshot("buffer-map-light", widget)
    notebook.theme(dark=True)
    assert light_text(widget) > 150
    notebook.screenshot("buffer-map-dark", widget)


ATTENTION = """
import numpy as np
from workbench import aicore, catalog
from workbench.widgets.buffer_map import BufferMap
from workbench.widgets.pipe_timeline import PipeTimeline
q = np.random.default_rng(0).standard_normal((2, 1024, 64)).astype(np.float16)
runs = {}
for file in catalog.kernel_files("attention", "ascend"):
    with aicore.observe() as found:
        file.load().launch(q, q, q, np.zeros_like(q), blocks=2)
    runs[file.name] = found[0]
PipeTimeline({name: run.timeline for name, run in runs.items()})
"""


def test_both_vector_cores_of_a_block_have_lanes_and_a_ub_of_their_own(lab):
    notebook = lab.notebook([ATTENTION, "BufferMap(runs['ascend_2_overlapped'])"], height=1800)
    notebook.run_all()
    widget = notebook.page.get_by_role("region", name="Pipe timeline")
    widget.locator("svg[role=img]").wait_for(timeout=60_000)
    notebook.screenshot("pipe-timeline-attention-1", widget)
    widget.get_by_role("button", name="ascend_2_overlapped").click()
    widget.get_by_text("0 AIV1.V", exact=True).wait_for()
    choice(widget, "core").select_option("0")
    widget.get_by_text("AIV1.MTE2", exact=True).first.wait_for()
    choice(widget, "enlarged").select_option("4")
    for _ in range(40):  # to a stall, by key
        widget.get_by_role("button", name="Next instruction").press("Enter")
        if widget.locator("rect.wb-stall[data-chosen]").count():
            break
    assert re.search(r"waits for .+ \(modelled\)", widget.inner_text())
    notebook.screenshot("pipe-timeline-attention-2", widget)
    places = notebook.page.get_by_role("region", name="Buffer map")
    places.get_by_role("button", name="UB1", exact=True).click()
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.wb-table caption')].some("
        "c => c.textContent.startsWith('What UB1 of core 0'))"
    )
    assert places.locator("rect.wb-stay").count() > 0
    notebook.theme(dark=True)
    notebook.screenshot("buffer-map-attention-dark", places)
