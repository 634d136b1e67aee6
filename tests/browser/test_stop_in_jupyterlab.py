"""JupyterLab's Stop button ends an endless kernel, in every tier, and the notebook goes on."""

import time

import pytest

CELLS = [
    """import numpy as np
from workbench import cuda

@cuda.jit
def endless(a):
    i = cuda.grid(1)
    while a[i] >= 0:
        a[i] = (a[i] + 1) % 1000

numbers = np.zeros(64, np.int64)
endless.compile(numbers, block=32)
""",
    """with cuda.tier({tier!r}):
    print("begins", flush=True)
    endless[2, 32](numbers)
""",
    """numbers[:] = -1
endless[2, 32](numbers)
print("goes on:", endless.last_tier, int(numbers.sum()))
""",
]


@pytest.mark.parametrize("tier", ["compiled", "lockstep", "step-through"])
def test_stop_ends_an_endless_kernel_and_the_notebook_goes_on(lab, tier):
    cells = [cell.replace("{tier!r}", repr(tier)) for cell in CELLS]
    notebook = lab.notebook(cells, name=f"stop_{tier.replace('-', '_')}.ipynb")
    for at in (0, 1):
        notebook.show_cell(("numbers = np", "begins")[at])
        notebook.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")
    outputs = notebook.page.locator(".jp-OutputArea-output")
    outputs.filter(has_text="begins").wait_for(timeout=60_000)
    time.sleep(0.5)
    button = notebook.page.locator('.jp-Toolbar [data-command="notebook:interrupt-kernel"]')
    started = time.perf_counter()
    button.first.click()
    stopped = outputs.filter(has_text="The kernel was stopped")
    stopped.first.wait_for(timeout=10_000)
    took_s = time.perf_counter() - started
    assert "line 7" in stopped.first.inner_text()
    notebook.screenshot(f"stop_{tier}")
    notebook.show_cell("goes on")
    notebook.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")
    outputs.filter(has_text="goes on: compiled -64").wait_for(timeout=20_000)
    assert took_s < 1.5, "a second, and the way of the messages"
