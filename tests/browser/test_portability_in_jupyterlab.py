"""PlacementView and DivergenceView as a person meets them: choices, keyboard, both themes."""

SHOW = """
from workbench import PlacementView
from workbench.errors import UnavailableError
from workbench.portability.placement import Copy, NodePlacement, Placement

def ask(provider, mode, opset):
    if provider == "openvino":
        raise UnavailableError("The build is not installed.", "<b>openvino</b>", "add it")
    name = f"{provider.upper()}ExecutionProvider"
    nodes = tuple(
        NodePlacement(f"<b>n{i}</b>", "Conv" if i % 3 else "Gelu",
                      name if i % 3 or opset == 18 else "CPUExecutionProvider",
                      "" if i % 3 or opset == 18 else "no kernel")
        for i in range(20)
    )
    copies = () if opset == 18 else (Copy("x", "to device", 128),)
    when = "recorded on 2026-01-02 on a machine, with onnxruntime-gpu 1" * (provider == "cuda")
    return Placement(name, mode, opset, nodes, copies, (), (), True, ("a stand-in",), when)

PlacementView(ask, {"cann": ["operators", "graph"], "cuda": [""], "openvino": [""]}, [18, 20])
"""
DIVERGE = """
from workbench import DivergenceView
from workbench.portability.comparing import Comparison, Step
from workbench.portability.sources import SourceLine

line = SourceLine("net.py", 7, "forward", "return silu(x)")
steps = tuple(
    Step(f"node{i}", "Mul", f"v{i}", "float32", 1e-7 if i < 4 else 0.2, 1e-5, i < 4, line)
    for i in range(8)
)
DivergenceView(Comparison("torch", "ort_cpu", steps, steps[4], 0.2, False, ("made there",)))
"""


def test_the_placement_changes_with_the_opset_and_crossings_are_drawn(lab):
    notebook = lab.notebook([SHOW], height=1100)
    notebook.run_all()
    widget = notebook.page.get_by_role("region", name="Placement")
    widget.locator("svg").wait_for(timeout=60_000)
    assert widget.locator(".wb-crossing").count() == 0
    widget.locator("label", has_text="opset").locator("select").select_option("20")
    notebook.page.wait_for_function("() => document.querySelectorAll('.wb-crossing').length > 0")
    assert "13 of 20" in widget.locator(".wb-sentence").inner_text()
    widget.locator(".wb-node").nth(3).focus()
    assert "<b>n3</b>" in widget.inner_text()
    widget.locator("label", has_text="mode").locator("select").select_option("graph")
    notebook.page.wait_for_function(
        "() => document.querySelector('.wb-sentence').textContent.includes('(graph)')"
    )
    notebook.screenshot("placement-light", widget)
    notebook.theme(dark=True)
    notebook.screenshot("placement-dark", widget)
    assert widget.locator(".wb-badge-recorded").count() == 0
    provider = widget.locator("label", has_text="provider").locator("select")
    provider.select_option("cuda")
    widget.locator(".wb-badge-recorded").wait_for()
    assert "Recorded on 2026-01-02 on a machine" in widget.locator(".wb-sentence").inner_text()
    assert widget.locator("rect[stroke-dasharray]").count() == 20
    assert widget.locator("label", has_text="mode").count() == 0
    notebook.screenshot("placement-recorded-dark", widget)
    notebook.theme(dark=False)
    notebook.screenshot("placement-recorded-light", widget)
    provider.select_option("openvino")
    notebook.page.wait_for_function(
        "() => document.querySelector('.wb-sentence').textContent.includes('<b>openvino</b>')"
    )
    assert widget.locator(".wb-node").count() == 0
    provider.select_option("cann")
    widget.locator(".wb-node").first.wait_for()


def test_the_divergence_opens_on_the_first_one_and_walks(lab):
    notebook = lab.notebook([DIVERGE], height=900)
    notebook.run_all()
    widget = notebook.page.get_by_role("region", name="Divergence")
    widget.locator("svg").wait_for(timeout=60_000)
    assert "Value 5 of 8" in widget.inner_text()
    assert "net.py:7" in widget.inner_text()
    widget.get_by_role("button", name="Previous value").click()
    notebook.page.wait_for_function(
        "() => document.querySelector('caption').textContent.startsWith('Value 4')"
    )
    widget.get_by_role("button", name="First divergence").focus()
    notebook.page.keyboard.press("Enter")
    notebook.page.wait_for_function(
        "() => document.querySelector('caption').textContent.startsWith('Value 5')"
    )
    notebook.screenshot("divergence-light", widget)
    widget.get_by_role("button", name="Next value").click()
    notebook.page.wait_for_function(
        "() => document.querySelector('caption').textContent.startsWith('Value 6')"
    )
    notebook.theme(dark=True)
    notebook.screenshot("divergence-dark", widget)
