"""What the first page points at is there."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from workbench import catalog

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_links_to_is_in_the_clone(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    linked = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [one for one in linked if "://" not in one and not (ROOT / one).exists()]
    assert not missing


def quoted(word):
    """Return the one piece of Python in CONTRIBUTING.md that holds a word."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (found,) = (piece for piece in re.findall(r"```python\n(.*?)```", text, re.S) if word in piece)
    return found


def run(source, tmp_path):
    file = tmp_path / "quoted.py"  # kernels are read from their file
    file.write_text(source)
    names = {"__name__": "quoted", "__file__": str(file)}
    exec(compile(source, str(file), "exec"), names)
    return names


def test_the_kernel_that_the_page_quotes_is_right(tmp_path):
    problem = catalog.load_problem("saxpy")
    inputs = problem.inputs(1000, 1)
    outputs = problem.outputs(*inputs)
    run(quoted("saxpy_strided"), tmp_path)["launch"](*inputs, *outputs)
    problem.check(outputs, inputs)


def test_the_target_that_the_page_quotes_keeps_its_contract(tmp_path):
    problem = catalog.load_problem("saxpy")
    inputs = problem.inputs(1000, 1)
    target = run(quoted("def probe"), tmp_path)
    assert target["SUMMARY"]
    assert target["probe"](0)
    assert not target["probe"](1)
    assert target["supports"](problem)
    with target["prepare"](problem, inputs, index=0) as runner:
        runner.run()
        problem.check(runner.fetch(), inputs)


def test_the_widget_that_the_page_quotes_says_and_draws_its_state(tmp_path, monkeypatch):
    from workbench.widgets import _loader

    monkeypatch.setattr(_loader, "load_js", lambda name: f"export default {{}} // {name}")
    widget = run(quoted("class Median"), tmp_path)["Median"](np.array([1.0, 2.0, 9.0]))
    assert widget.view == {"median_ns": 2.0}
    assert "less than 2 ns" in widget.sentence()
    assert widget.sentence() in widget.picture()


def test_the_notebook_that_the_page_quotes_is_python_with_a_check_that_raises():
    last = ast.parse(quoted("# %% [markdown]")).body[-1]
    assert isinstance(last, ast.Assert)
