"""The labs: the release is the source with blanks, and grading tells right from lucky."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from workbench.commands import labs

ROOT = Path(__file__).resolve().parents[2]
LABS = sorted(labs.lab_sources())
PLANTED = {
    # what a student might hand in -> (cell, its code, the check that must go red)
    "wrong": (
        "map-solution",
        "@cuda.jit\ndef triple_plus_one(x, out):\n    i = cuda.grid(1)\n    out[i] = 3 * x[i]\n",
        "map-check",
    ),
    "fixed_size": (
        "guard-solution",
        "@cuda.jit\ndef square(x, out):\n    i = cuda.grid(1)\n    if i < 100:\n"
        "        out[i] = x[i] * x[i]\n\n\n"
        "def blocks_for(size, threads):\n    return 4\n",
        "guard-check",
    ),
    "uniform_input": (
        "plane-solution",
        "@cuda.jit\ndef subtract_bias(x, bias, out):\n    row, column = cuda.grid(2)\n"
        "    if row < x.shape[0] and column < x.shape[1]:\n"
        "        out[row, column] = x[row, column] - bias[0]\n",
        "plane-check",
    ),
    "single_block": (
        "sum-solution",
        "@cuda.jit\ndef sum_blocks(x, out):\n    lane = cuda.threadIdx.x\n"
        "    if lane == 0 and cuda.blockIdx.x == 0:\n        total = np.float32(0)\n"
        "        for i in range(min(x.size, 64)):\n            total += x[i]\n"
        "        out[0] = total\n",
        "sum-check",
    ),
}

each_lab = pytest.mark.parametrize("name", LABS)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    pytest.importorskip("nbgrader", reason="nbgrader is missing: pip install '.[classroom]'")
    folder = tmp_path_factory.mktemp("course")
    labs.build_course(folder)
    return folder


def read(path):
    return nbformat.reads(path.read_text(), as_version=4)


POINTS = """
import json, sys
from nbgrader.api import Gradebook
database, name, student = sys.argv[1:]
with Gradebook(database) as gradebook:
    submission = gradebook.find_submission_notebook(name, name, student)
    print(json.dumps({g.name: (g.score, g.max_score) for g in submission.grades}))
"""


def grade(course, name, student, book):
    """Hand in a notebook, autograde it, and return the points of each graded cell."""
    place = course / "submitted" / student / name
    place.mkdir(parents=True)
    nbformat.write(book, place / f"{name}.ipynb")
    labs.nbgrader(course, "autograde", name, "--student", student, "--create")
    # in a child: nbgrader leaves its database open, which our warnings-as-errors would report
    asked = [sys.executable, "-c", POINTS, f"sqlite:///{course}/gradebook.db", name, student]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


@each_lab
def test_the_released_notebook_in_the_series_is_what_the_source_gives(course, name):
    made = read(course / "release" / name / f"{name}.ipynb")
    kept = read(ROOT / "notebooks" / "labs" / f"{name}.ipynb")
    assert kept.cells == made.cells, "run: workbench labs build/labs, and copy the release"


@each_lab
def test_the_release_differs_from_the_source_only_in_the_blanks(course, name):
    source = read(course / "source" / name / f"{name}.ipynb")
    release = read(course / "release" / name / f"{name}.ipynb")
    differing = [
        one.metadata.nbgrader
        for one, other in zip(source.cells, release.cells, strict=True)
        if one.source.strip() != other.source.strip()
    ]
    assert differing
    assert all(about.solution or about.grade for about in differing)
    text = "\n".join(cell.source for cell in release.cells)
    assert "HIDDEN" not in text
    assert "BEGIN SOLUTION" not in text


@each_lab
def test_the_lab_says_how_long_it_takes(name):
    opening = read(ROOT / "notebooks" / "labs" / f"{name}.ipynb").cells[0].source
    assert "Minutes" in opening


@pytest.mark.slow
@pytest.mark.timeout(600)
@each_lab
def test_the_solution_gets_full_marks_and_the_release_none(course, name):
    full = grade(course, name, "solver", read(course / "solution" / name / f"{name}.ipynb"))
    assert full
    assert all(score == most for score, most in full.values()), full
    none = grade(course, name, "idler", read(course / "release" / name / f"{name}.ipynb"))
    assert all(score == 0 for score, _ in none.values()), none


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("planted", PLANTED)
def test_an_answer_that_is_right_by_luck_loses_its_points_and_no_others(course, planted):
    cell_id, code, check = PLANTED[planted]
    book = copy.deepcopy(read(course / "solution" / "first_kernels" / "first_kernels.ipynb"))
    next(cell for cell in book.cells if cell.id == cell_id).source = code
    points = grade(course, "first_kernels", planted, book)
    lost = {name for name, (score, most) in points.items() if score < most}
    assert lost == {check}, points


def test_without_nbgrader_the_command_says_what_to_install(monkeypatch, tmp_path):
    from workbench.errors import UnavailableError

    monkeypatch.setitem(sys.modules, "nbgrader", None)
    with pytest.raises(UnavailableError, match="classroom"):
        labs.build_course(tmp_path / "course")
    assert not (tmp_path / "course").exists()


def test_what_a_teacher_changed_is_not_overwritten_unasked(course):
    from workbench.errors import InputError

    config = course / "nbgrader_config.py"
    made = config.read_text()
    config.write_text(made + "# mine\n")
    try:
        with pytest.raises(InputError, match=r"nbgrader_config\.py[^,]*\nTry: .*--replace"):
            labs.build_course(course)
        assert config.read_text().endswith("# mine\n")
    finally:
        config.write_text(made)
