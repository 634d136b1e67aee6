"""Findings, LaunchView and AccessMap as a person meets them: every control, both themes."""

import re

KERNELS = """
import numba, numpy as np
from workbench import cuda, sanitize, watch, access_pattern, Findings, LaunchView, AccessMap
float32 = numba.float32

@cuda.jit
def reversed_too_early(a, out):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    out[t] = s[63 - t]
    out[t + 1] = 0

@cuda.jit
def transpose(a, out):
    tile = cuda.shared.array((32, 32), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]
    cuda.syncthreads()
    value = tile[x, y]
    cuda.syncthreads()
    out[y, x] = value

@cuda.jit
def long_sums(a, out):
    s = cuda.shared.array(1500, float32)
    mine = cuda.local.array(3, float32)
    t = cuda.threadIdx.x
    for k in range(3):
        mine[k] = a[t] + k
        s[500 * k + t] = mine[k]
    cuda.syncthreads()
    s[1436 + t] = mine[2] * 2
    cuda.syncthreads()
    out[t] = s[1436 + t]

a = np.arange(64, dtype=np.float32)
m = np.arange(1024, dtype=np.float32).reshape(32, 32)
"""


def sentence(widget):
    return widget.locator(".wb-sentence").inner_text()


def wait_for(notebook, text):
    notebook.page.wait_for_function(
        "text => document.querySelector('.wb-sentence')?.textContent.includes(text)",
        arg=text,
        timeout=20_000,
    )


def is_light(widget, selector):
    colour = widget.evaluate(
        "(node, s) => { const one = node.querySelector(s); const style = getComputedStyle(one);"
        " return one.ownerSVGElement ? style.fill : style.color; }",
        selector,
    )
    return min(int(v) for v in re.findall(r"\d+", colour)[:3]) > 150


def test_findings_are_walked_through_on_the_code(lab):
    show = "Findings(sanitize(reversed_too_early[1, 64], a, np.zeros_like(a)))"
    notebook = lab.notebook([KERNELS, show])
    notebook.run_all()
    widget = notebook.page.locator(".wb").first
    wait_for(notebook, "Finding 1 of")
    assert "race on the shared array s" in sentence(widget)
    assert widget.locator(".wb-code-first").count() == 1
    assert widget.locator(".wb-code-second").inner_text().find("s[") > 0
    assert widget.get_by_role("button", name="Previous").is_disabled()
    notebook.screenshot("findings-light", widget)
    widget.get_by_role("button", name="Next").click()
    wait_for(notebook, "Finding 2 of")
    widget.get_by_role("button", name="Next").click()
    wait_for(notebook, "Finding 3 of")
    assert "cuda.syncthreads()" in widget.locator("p.wb-warning").inner_text()
    widget.locator("select").select_option("0")
    wait_for(notebook, "Finding 1 of")
    notebook.theme(dark=True)
    assert is_light(widget, ".wb-code-text")
    notebook.screenshot("findings-dark", widget)


def test_a_launch_is_scrubbed_by_barrier_thread_and_block(lab):
    show = "LaunchView(watch(transpose[2, (32, 32)], m, np.zeros_like(m)))"
    notebook = lab.notebook([KERNELS, show])
    notebook.run_all()
    widget = notebook.page.locator(".wb").first
    wait_for(notebook, "At meeting 1 (syncthreads")
    assert widget.locator("svg.wb-threads rect").count() == 1024
    assert not re.search(r"\nvalue\s", widget.locator("table").first.inner_text())
    widget.get_by_role("button", name="Later").click()
    wait_for(notebook, "At meeting 2")
    widget.locator("svg.wb-threads rect").nth(35).click()
    wait_for(notebook, "thread (3, 1, 0)")
    locals_table = widget.locator("table").first.inner_text()
    assert re.search(r"value\s+97", locals_table)
    notebook.screenshot("launch-view-light", widget)
    widget.locator("label", has_text="thread").locator("input").focus()
    notebook.page.keyboard.press("ArrowRight")
    wait_for(notebook, "thread (4, 1, 0)")
    widget.locator("select").select_option("1")
    wait_for(notebook, "block (1, 0, 0)")
    widget.locator("svg.wb-grid rect").first.click()
    wait_for(notebook, "block (0, 0, 0)")
    widget.get_by_role("button", name="Later").click()
    wait_for(notebook, "At the end")
    assert widget.get_by_role("button", name="Later").is_disabled()
    widget.get_by_role("button", name="Earlier").click()
    wait_for(notebook, "At meeting 2")
    widget.locator("label", has_text="moment").locator("input").focus()
    notebook.page.keyboard.press("ArrowLeft")
    wait_for(notebook, "At meeting 1")
    assert widget.locator("td.wb-changed").count() == 1024, "all of the tile is new"
    notebook.page.keyboard.press("ArrowRight")
    wait_for(notebook, "At meeting 2")
    assert widget.locator("td.wb-changed").count() == 0
    notebook.theme(dark=True)
    assert is_light(widget, "svg text")
    notebook.screenshot("launch-view-dark", widget)


def test_a_long_shared_array_is_scrolled_and_shows_what_is_new(lab):
    show = "LaunchView(watch(long_sums[1, 64], a, np.zeros_like(a)))"
    notebook = lab.notebook([KERNELS, show])
    notebook.run_all()
    widget = notebook.page.locator(".wb").first
    wait_for(notebook, "At meeting 1")
    assert re.search(r"mine\s+0, 1, 2", widget.locator("table").first.inner_text())
    assert widget.locator("td.wb-changed").count() == 64 + 64 + 24, "more is further down"
    widget.get_by_role("button", name="Later").click()
    wait_for(notebook, "At meeting 2")
    assert widget.locator("td.wb-changed").count() == 0
    rows = widget.locator("label", has_text="shared from row").locator("input")
    rows.focus()
    notebook.page.keyboard.press("End")
    notebook.page.wait_for_function("() => document.querySelectorAll('td.wb-changed').length == 64")
    notebook.screenshot("launch-view-long", widget)


def test_what_ifs_move_the_lanes_between_banks(lab):
    show = (
        "AccessMap(access_pattern(transpose[1, (32, 32)], m, np.zeros_like(m), "
        "access='tile[x, y]'))"
    )
    notebook = lab.notebook([KERNELS, show])
    notebook.run_all()
    widget = notebook.page.locator(".wb").first
    wait_for(notebook, "the banks need 32 turns")
    notebook.screenshot("access-map-light", widget)
    padding = widget.locator("label", has_text="padding").locator("input")
    padding.focus()
    notebook.page.keyboard.press("ArrowRight")
    wait_for(notebook, "1 turn (as written: 32)")
    notebook.screenshot("access-map-padded", widget)
    widget.locator("label", has_text="stride").locator("input").focus()
    notebook.page.keyboard.press("ArrowRight")
    wait_for(notebook, "2 turns")
    width = widget.locator("label", has_text="block width").locator("input")
    width.focus()
    notebook.page.keyboard.press("ArrowLeft")
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.wb label output')[3].textContent === '16'"
    )
    widget.get_by_role("button", name="As written").click()
    wait_for(notebook, "the banks need 32 turns.")
    widget.locator("label", has_text="request").locator("input").focus()
    notebook.page.keyboard.press("ArrowRight")
    wait_for(notebook, "request 2")
    notebook.theme(dark=True)
    assert is_light(widget, "svg text")
    notebook.screenshot("access-map-dark", widget)
