"""Notebooks 12 to 14 where the builds or the compiler cannot be had: they say so, and play."""

from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def no_wheel(monkeypatch, folder):
    """No package index within reach, as on a machine with no network."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def no_compiler(monkeypatch, folder):
    """Nothing on the path at all, and so no g++."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(folder))


ABSENT = {
    "12_see_what_runs_where": (no_wheel, "could not be downloaded"),
    "13_fill_in_an_ascend_device": (no_wheel, "could not be downloaded"),
    "14_write_a_provider": (no_compiler, "no C++ compiler"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ABSENT)
def test_it_runs_through_and_says_that_a_recording_is_played(name, execute, monkeypatch, tmp_path):
    take_away, reason = ABSENT[name]
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    take_away(monkeypatch, tmp_path)
    done = execute(NOTEBOOKS / f"{name}.ipynb")
    said = ""
    for cell in done.notebook.cells:
        for output in cell.get("outputs", ()):
            said += output.get("text", "")
            if output.output_type == "error":
                assert "raises-exception" in cell.metadata.get("tags", ()), output.ename
    assert "Not here:" in said
    assert reason in said
    assert "recorded on 20" in said
    assert "Live:" not in said
