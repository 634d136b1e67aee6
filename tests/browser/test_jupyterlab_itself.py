"""The ground under the other browser tests: a notebook opens, runs and shows its output."""


def test_a_notebook_runs_in_both_themes(lab):
    notebook = lab.notebook(["import workbench", "print('it', 'runs')"])
    notebook.run_all()
    assert "it runs" in notebook.cell(1).inner_text()
    assert notebook.page.locator(".jp-Dialog").count() == 0
    notebook.theme(dark=True)
    assert notebook.screenshot("jupyterlab-dark").stat().st_size > 5000
