import pytest

from workbench import catalog
from workbench.errors import InputError, InstallationError, UnknownNameError
from workbench.problem import Problem


@pytest.mark.parametrize("name", catalog.problem_names())
def test_every_problem_is_called_like_its_folder(name):
    problem = catalog.load_problem(name)
    assert isinstance(problem, Problem)
    assert problem.name == name


@pytest.mark.parametrize("name", ["saxpyy", "", "../saxpy", "<script>", "saxpy\n", None])
def test_an_unknown_problem_names_the_near_misses(name):
    with pytest.raises(UnknownNameError) as raised:
        catalog.load_problem(name)
    assert raised.value.advice
    if name == "saxpyy":
        assert "did you mean saxpy" in raised.value.advice


def test_a_problem_file_that_raises_is_named_with_its_folder(monkeypatch):
    def broken(name):
        raise SyntaxError("'(' was never closed")

    monkeypatch.setattr(catalog, "import_module", broken)
    with pytest.raises(InputError, match=r"never closed.*saxpy.problem\.py"):
        catalog.load_problem("saxpy")


def test_adding_a_file_is_registering_it(tmp_path, monkeypatch):
    shelf = tmp_path / "kernels"
    (shelf / "one").mkdir(parents=True)
    (shelf / "empty").mkdir()
    for name in ("problem.py", "cuda_2_tiled.py", "cuda_1_naive.py", "ascend_1_naive.py", "x.py"):
        (shelf / "one" / name).write_text("raise RuntimeError('listed, never imported')")
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    assert catalog.problem_names() == ["one"]
    names = [file.name for file in catalog.kernel_files("one", "cuda")]
    assert names == ["cuda_1_naive", "cuda_2_tiled"]
    assert [file.dialect for file in catalog.kernel_files()] == ["ascend", "cuda", "cuda"]
    assert catalog.kernel_files("two") == []


def test_a_package_without_its_clone_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "ROOT", tmp_path)
    with pytest.raises(InstallationError, match="pip install --editable"):
        catalog.folder("kernels")


def test_helpers_are_not_targets():
    names = catalog.target_names()
    assert "numpy" in names
    assert not [name for name in names if name.startswith("_")]
