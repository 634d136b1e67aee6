"""The ground under the other browser tests: a notebook opens, runs and shows its output."""


def test_a_notebook_runs_in_both_themes(lab):
    notebook = lab.notebook(["import workbench", "print('it', 'runs')"])
    notebook.run_all()
    assert "it runs" in notebook.cell(1).inner_text()
    assert notebook.page.locator(".jp-Dialog").count() == 0
    notebook.theme(dark=True)
    assert notebook.screenshot("jupyterlab-dark").stat().st_size > 5000


def test_a_page_that_connects_to_its_kernel_anew_can_be_used(lab):
    notebook = lab.notebook(["answer = 6 * 7\nprint(answer)"])
    assert not notebook.reconnect(), "a kernel that answers is left alone"
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.reconnect()"
    )
    lab.ready(notebook)
    notebook.run_all()
    notebook.page.get_by_text("42", exact=True).wait_for(timeout=20_000)
