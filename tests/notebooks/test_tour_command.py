"""`workbench tour`: one page, everything in it, hostile names as text, failures told."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from workbench import catalog, cli
from workbench.commands import tour

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def series(tmp_path, monkeypatch):
    """A series of the given cells, in place of the real one."""

    def make(**notebooks):
        for name, cells in notebooks.items():
            book = nbformat.v4.new_notebook(cells=cells)
            nbformat.write(book, tmp_path / f"{name}.ipynb")
        found = sorted(tmp_path.glob("*.ipynb"))
        monkeypatch.setattr(catalog, "notebook_paths", lambda: found)
        return tmp_path / "tour.html"

    return make


ROOT = Path(__file__).resolve().parents[2]
PICTURE = "import matplotlib.pyplot as plt; _ = plt.plot([1, 2, 3])"


def test_the_page_holds_its_pictures_and_asks_no_server(series):
    page = series(
        a=[nbformat.v4.new_markdown_cell("![map](map.svg)"), nbformat.v4.new_code_cell(PICTURE)],
    )
    shutil.copy(ROOT / "notebooks" / "pictures" / "two_stacks.svg", page.with_name("map.svg"))
    assert cli.main(["tour", "--output", str(page)]) == 0
    text = page.read_text()
    assert "data:image/png;base64," in text
    assert "map.svg" not in text
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", text)
    assert "<script" not in text


def test_names_that_are_html_are_shown_as_text(series):
    cell = nbformat.v4.new_code_cell(f"print({HOSTILE!r})\nraise ValueError({HOSTILE!r})")
    page = series(**{"x" + HOSTILE.replace("/", ""): [cell]})
    assert cli.main(["tour", "--output", str(page)]) == 1
    text = page.read_text()
    assert "<script" not in text.lower()
    assert "&lt;script&gt;" in text


def test_a_notebook_that_fails_is_named_and_the_others_go_on(series, capsys):
    page = series(
        a=[nbformat.v4.new_code_cell("1 / 0")], b=[nbformat.v4.new_code_cell("print('b' * 3)")]
    )
    assert cli.main(["tour", "--output", str(page)]) == 1
    assert "a failed: ZeroDivisionError" in capsys.readouterr().err
    assert "bbb" in page.read_text()


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(series, tmp_path, capsys):
    series(a=[nbformat.v4.new_code_cell("1")])
    assert cli.main(["tour", "--output", str(tmp_path / "no" / "such" / "page.html")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_widget_is_shown_as_its_static_picture(series):
    show = "from workbench import Race\nRace('saxpy', ['numpy'], size=100)"
    page = series(a=[nbformat.v4.new_code_cell(show)])
    assert cli.main(["tour", "--output", str(page)]) == 0
    assert 'src="data:image/svg+xml;base64,' in page.read_text()


def test_titles_read_as_words():
    assert tour.title("00_see_the_whole_path") == "00 See the whole path"
