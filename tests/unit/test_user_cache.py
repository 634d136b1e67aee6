"""The user's cache: one rule for where it lies, and no fallback without a word."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from workbench import cache, cuda
from workbench.errors import InputError, UnavailableError
from workbench.portability import _compile
from workbench.portability.workers import environments, installing
from workbench.torch_device.codegen import compiler


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A cache that cannot be made: a file is in its way (permissions do not stop root)."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(cache, "_said", set())
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WORKBENCH_CACHE": "/course"}, "/course"),
        ({"WORKBENCH_CACHE": "/course", "XDG_CACHE_HOME": "/xdg"}, "/course"),
        ({"WORKBENCH_CACHE": "~/course"}, "/home/me/course"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/accelerator-workbench"),
        ({"WORKBENCH_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/accelerator-workbench"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/accelerator-workbench"),
        ({}, "/home/me/.cache/accelerator-workbench"),
    ],
)
def test_one_rule_says_where_the_cache_lies(monkeypatch, variables, expected):
    for name in ("WORKBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | variables).items():
        monkeypatch.setenv(name, value)
    assert cache.place("a", "b") == Path(expected, "a", "b")


def test_a_relative_cache_is_refused_since_each_process_would_have_its_own(monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", "here")
    with pytest.raises(InputError, match="absolute") as raised:
        cache.place("simt")
    assert raised.value.advice == str(Path("here").absolute())


def test_a_user_without_a_home_is_told_how_to_have_a_cache(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in ("WORKBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UnavailableError, match="no place") as raised:
        cache.place("simt")
    assert "WORKBENCH_CACHE" in raised.value.advice


def test_every_room_keeps_its_things_below_the_one_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    assert compiler.cache_folder().parent == tmp_path / "torch_device"
    assert environments.environment_folder("cann") == tmp_path / "providers" / "cann"
    _scaled().compile(np.ones(4, np.float32), 2, block=32)
    assert list((tmp_path / "simt").glob("*.py"))


def test_what_must_have_its_folder_is_refused(nowhere):
    with pytest.raises(UnavailableError, match="There is no place to keep it") as raised:
        cache.folder("a", holds="to keep it")
    assert "WORKBENCH_CACHE" in raised.value.advice
    assert cache.place("a").as_posix() in raised.value.saw
    with pytest.raises(UnavailableError, match="There is no place to install"):
        installing.add_build("cann", lambda line: None)
    with pytest.raises(UnavailableError, match="There is no place to keep what we compile"):
        _compile.compiled(Path(compiler.__file__), ())
    assert not environments.build_availability("cann"), "asking what is installed needs no folder"


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(UnavailableError, match="cannot be written to"):
        cache.folder("a", holds="to keep it")


def _scaled():
    @cuda.jit
    def scale(a, factor):
        i = cuda.grid(1)
        if i < a.size:
            a[i] = a[i] * factor

    return scale


def test_a_kernel_runs_without_a_cache_and_says_once_what_that_costs(nowhere):
    a = np.ones(10_240, np.float32)
    with pytest.warns(cache.CacheRefusedWarning, match="compiled again in each process") as seen:
        _scaled()[40, 256](a, 2)
    _scaled()[40, 256](a, 2)  # a second warning would be an error
    assert (a == 4).all()
    assert len(seen) == 1


def test_a_disk_that_fills_up_does_not_stop_a_kernel(tmp_path, monkeypatch):
    def full(self, text):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_said", set())
    monkeypatch.setattr(Path, "write_text", full)
    a = np.ones(10_240, np.float32)
    with pytest.warns(cache.CacheRefusedWarning, match="No space left"):
        _scaled()[40, 256](a, 2)
    assert (a == 2).all()


def test_the_device_takes_a_passing_folder_and_says_so_once(nowhere):
    with pytest.warns(cache.CacheRefusedWarning, match="its shim are compiled again") as seen:
        first, second = compiler.cache_folder(), compiler.cache_folder()
    assert first == second
    assert first.is_dir()
    assert len(seen) == 1


def test_the_passing_folder_ends_with_its_process(nowhere):
    code = (
        "from workbench import cache\n"
        "print(cache.folder_or_scratch('a', holds='to keep it', costs='it is slow'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "so it is slow. Try: set WORKBENCH_CACHE" in done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_a_cache_that_works_is_silent(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = cache.folder_or_scratch("a", holds="to keep it", costs="it is slow")
    assert made == tmp_path / "a"
    assert made.is_dir()
