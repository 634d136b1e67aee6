"""What mybinder.org will do with `binder/`, without Docker: the dry run, and the steps replayed."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files as git has them, in a folder of their own."""
    folder = tmp_path_factory.mktemp("binder") / "clone"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
            place.chmod((ROOT / name).stat().st_mode)
    return folder


def test_the_dry_run_chooses_python_3_11_and_our_two_scripts(clone):
    dockerfile = run(sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(clone))
    assert "Building conda environment for python=3.11" in dockerfile
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile
    assert "requirements.txt" not in dockerfile.split("RUN ./binder/postBuild")[1]


def test_the_start_script_keeps_our_folders_from_being_importable(clone):
    code = "import importlib.util as u; print(u.find_spec('kernels'), u.find_spec('datasets'))"
    said = run(str(clone / "binder" / "start"), sys.executable, "-c", code, cwd=clone)
    assert said.split() == ["None", "None"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_steps_replayed_in_a_clean_environment_give_a_working_workbench(clone, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / "bin"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    clean["PATH"] = f"{scripts}:{clean['PATH']}"
    # Binder's base image brings these up to date before our script runs
    run("python", "-m", "pip", "install", "-q", "-U", "pip", "setuptools>=77", env=clean)
    run(str(clone / "binder" / "postBuild"), cwd=clone, env=clean)
    version = run("python", "-c", "import torch; print(torch.__version__)", env=clean, cwd=tmp_path)
    assert version.strip().endswith("+cpu"), "gigabytes of CUDA would not fit"
    table = run("workbench", "targets", "--json", env=clean, cwd=clone)
    assert '"name": "torch_cpu"' in table
