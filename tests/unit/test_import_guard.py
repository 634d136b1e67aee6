"""`import workbench` is light, and our folders never pose as Hugging Face's packages."""

import json
import os
import subprocess
import sys

import pytest

from workbench import catalog

HEAVY = {
    "IPython",
    "anywidget",
    "ipywidgets",
    "matplotlib",
    "numba",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "rich",
    "scipy",
    "sklearn",
    "torch",
    "typer",
}


def ask(code, cwd, **environment):
    ran = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}"],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", ["kernels", "datasets"])
def test_our_folders_cannot_be_imported_under_names_of_others(name, tmp_path):
    code = (
        "from importlib.util import find_spec\n"
        f"import workbench; found = find_spec({name!r})\n"
        "print(json.dumps([] if found is None else list(found.submodule_search_locations or [])))"
    )
    ours = str(catalog.folder(name))
    assert ours not in ask(code, tmp_path)
    assert ours not in ask(code, catalog.ROOT, PYTHONSAFEPATH="1")


def test_our_folders_hold_no_package():
    assert not (catalog.folder("kernels") / "__init__.py").exists()
    assert not list(catalog.folder("datasets").rglob("*.py"))


def test_the_door_onto_the_shelf_leads_to_the_real_file():
    import inspect

    from workbench.kernels.saxpy import problem

    assert inspect.getsourcefile(problem) == str(catalog.folder("kernels") / "saxpy" / "problem.py")


def test_import_workbench_imports_nothing_heavy(tmp_path):
    loaded = ask("import workbench; print(json.dumps(sorted(sys.modules)))", tmp_path)
    assert not HEAVY & set(loaded)


def test_the_command_line_starts_without_the_heavy_libraries(tmp_path):
    code = (
        "from workbench import cli; sys.stdout = sys.stderr; cli.main(['--help'])\n"
        "sys.stdout = sys.__stdout__; print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(ask(code, tmp_path))
    assert "typer" in loaded
    assert not loaded & HEAVY - {"typer", "rich"}


def test_listing_targets_imports_none_of_their_libraries(tmp_path):
    code = (
        "from workbench import targets; [target.summary for target in targets.everything()]\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not set(ask(code, tmp_path)) & {"torch", "numba", "onnxruntime", "onnx"}


def test_every_name_on_the_door_can_be_had_and_others_are_refused():
    import workbench

    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        workbench.Nothing  # noqa: B018 - the access is what is tested
