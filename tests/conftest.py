"""What holds for every test."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).resolve().parent
# They drive other programs (JupyterLab, Chromium, kernels, terminals) or hold code against the
# clock, on machines whose load nobody here controls. A fault fails twice; what needed a second try
# is listed.
TWICE = (
    HERE / "browser",
    HERE / "notebooks",
    HERE / "contract" / "test_command_line.py",
    HERE / "contract" / "test_cheats.py",
)


def pytest_collection_modifyitems(items):
    for item in items:
        if any(place == item.path or place in item.path.parents for place in TWICE):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


@pytest.fixture
def start():
    """Return what starts a child as `subprocess.Popen` does; a test that fails leaves none behind.

    When the test is over, whichever way, the child and all that it started are ended and our ends
    of its pipes are closed.
    """
    with _children() as start_child:
        yield start_child


@pytest.fixture(scope="session")
def start_for_session():
    """Return what starts a child that all tests share, as `start` does for one test."""
    with _children() as start_child:
        yield start_child


@contextmanager
def _children():
    started = []

    def start_child(command, **options):
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    try:
        yield start_child
    finally:
        for process in reversed(started):
            _end(process)


def _end(process):
    with process:  # closes the pipes and takes the exit status
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for one in family:
                try:
                    one.kill()
                except psutil.NoSuchProcess:
                    continue  # it ended with its parent
