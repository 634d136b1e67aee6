"""Setting up on a fresh machine: each way it can go wrong is told in three parts."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment():
    spec = importlib.util.spec_from_file_location("env", ROOT / "scripts" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("said", "happened", "advice"),
    [
        ("ERROR: [Errno 28] No space left on device", "disk is full", "free some room"),
        ("WARNING: Retrying: Temporary failure in name resolution", "not be reached", "network"),
        ("ERROR: no version fits (from versions: none)", "could not be reached", "network"),
        ("ERROR: No matching distribution found for torch==9", "not to be had", "Python 3.11"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "written to", "folder of your own"),
        ("Segmentation fault", "pip failed", "run this again"),
    ],
)
def test_what_pip_says_is_explained(environment, said, happened, advice):
    error = str(environment._explain(f"Collecting torch\n{said}\n"))
    assert happened in error
    assert said in error
    assert advice in error.split("Try:")[1]


def test_another_python_of_the_right_version_is_looked_for(environment, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 0))
    monkeypatch.setattr(
        environment.shutil, "which", lambda name: "/x/python3.12" if name == "python3.12" else None
    )
    assert environment._find_python() == "/x/python3.12"


def test_a_python_of_the_wrong_version_is_refused_by_name(environment, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 0))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(environment.SetupError, match=r"install Python 3\.11"):
        environment._find_python()


@pytest.mark.parametrize("script", ["lab", "test"])
def test_a_python_too_old_for_the_scripts_gets_a_sentence(script):
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 13); "
        f"runpy.run_path({str(ROOT / 'scripts' / script)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "too old" in ran.stderr
    assert "Try: install Python 3.11" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_too_little_room_is_said_with_both_figures(environment, monkeypatch):
    monkeypatch.setattr(environment, "ROOM_BYTES", 10**18)
    with pytest.raises(environment.SetupError, match=r"GB free .*, 1000000000 GB needed"):
        environment._check_room()


def test_a_clone_that_cannot_be_written_to_is_refused(environment, monkeypatch):
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    with pytest.raises(environment.SetupError, match="cannot be written to"):
        environment._check_room()


def test_a_complete_environment_is_used_without_asking_pip(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    marks = [f"{name}:{environment._digest()}" for name in ("base", "test")]
    (tmp_path / ".complete").write_text("\n".join(marks))
    monkeypatch.setattr(environment, "_pip", lambda *words: pytest.fail("pip was asked"))
    assert environment.ensure(("test",)) == tmp_path / "bin" / "python"


def test_an_environment_half_made_is_completed(environment, monkeypatch, tmp_path):
    """Without its stamp, nothing that lies there is trusted."""
    monkeypatch.setattr(environment, "VENV", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    asked = []
    monkeypatch.setattr(environment, "_has_pip", lambda python: True)
    monkeypatch.setattr(environment, "_pip", lambda python, *words: asked.append(words[-1]))
    monkeypatch.setattr(environment, "_install_torch", lambda python: asked.append("torch"))
    environment.ensure(("openvino",))
    assert asked == ["setuptools>=77", "torch", f"{ROOT}[openvino]"]
    assert f"openvino:{environment._digest()}" in (tmp_path / ".complete").read_text()


def test_a_virtual_environment_that_ctrl_c_cut_short_is_made_anew(
    environment, monkeypatch, tmp_path
):
    monkeypatch.setattr(environment, "VENV", tmp_path / "cut")
    python = tmp_path / "cut" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")  # it has no pip yet
    python.chmod(0o755)
    monkeypatch.setattr(environment, "_pip", lambda *words: None)
    monkeypatch.setattr(environment, "_install_torch", lambda python: None)
    environment.ensure()
    assert environment._has_pip(python)


def test_an_environment_made_for_another_folder_is_not_taken_for_this_one(
    environment, monkeypatch, tmp_path
):
    here = environment._digest()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    assert environment._digest() != here


def test_a_system_without_apt_get_gets_a_sentence(tmp_path):
    words = [sys.executable, str(ROOT / "scripts" / "test"), "--install-system"]
    nothing = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(words, env=nothing, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "apt-get" in done.stderr.split("Try:")[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("script", ["lab", "test"])
def test_help_answers_without_setting_anything_up(script):
    words = [sys.executable, str(ROOT / "scripts" / script), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert "Set everything up" in done.stdout
