"""What holds for every test."""

from pathlib import Path

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
