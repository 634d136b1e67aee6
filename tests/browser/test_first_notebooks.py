"""Notebook 00 as a learner meets it: it opens, runs, and the race has buttons that work."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_notebook_runs_and_its_race_starts_and_stops_by_hand(lab):
    shutil.copytree(ROOT / "notebooks" / "pictures", lab.folder / "pictures", dirs_exist_ok=True)
    path = ROOT / "notebooks" / "00_see_the_whole_path.ipynb"
    notebook = lab.notebook(path, name=path.name, height=1100)
    assert notebook.page.get_by_text("notified about official").count() == 0
    notebook.screenshot("notebook-00-top")
    notebook.run_all(180)
    notebook.show_cell('Race("alexnet"')
    race = notebook.page.locator(".wb-race-controls").first
    race.scroll_into_view_if_needed()
    race.get_by_role("button", name="Start").click()
    race.get_by_role("button", name="Stop").click(timeout=20_000)
    race.get_by_role("button", name="Start").wait_for(timeout=20_000)
    notebook.screenshot("notebook-00-race")
    assert "Traceback" not in notebook.page.inner_text(".jp-Notebook")
