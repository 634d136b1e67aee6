"""torch_npu on machines where it is half there: looked at in a child, and refused in words."""

import pytest

from workbench import catalog, targets
from workbench.errors import UnavailableError

# What the real package does on import, as far as a machine without an NPU lets it.
NO_DEVICE = """
import types
import torch
torch.utils.rename_privateuse1_backend("npu")
torch._register_device_module("npu", types.SimpleNamespace(device_count=lambda: 0))
"""
NO_CANN = 'raise ImportError("libascendcl.so: cannot open shared object file")'


@pytest.fixture
def half_there(tmp_path, monkeypatch):
    """Return a function that plants a package of that name, for this process and its children."""

    def plant(source):
        (tmp_path / "torch_npu.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        targets.forget()
        return targets.find("torch_npu")

    yield plant
    targets.forget()


@pytest.mark.parametrize(
    ("source", "reason"),
    [(NO_DEVICE, "finds no NPU"), (NO_CANN, "libascendcl.so")],
    ids=["no device", "no CANN"],
)
def test_a_package_without_its_device_is_refused_with_what_it_said(half_there, source, reason):
    target = half_there(source)
    answer = target.probe()
    assert not answer
    assert reason in answer.reason
    assert answer.remedy
    problem = catalog.load_problem("saxpy")
    with pytest.raises(UnavailableError, match="cannot run on torch_npu"):
        target.prepare(problem, problem.inputs(3, 0))


def test_looking_for_an_npu_leaves_this_process_without_one(half_there):
    import sys

    half_there(NO_DEVICE).probe()
    assert "torch_npu" not in sys.modules


def test_problems_that_a_child_cannot_load_by_name_are_refused():
    import dataclasses

    own = dataclasses.replace(catalog.load_problem("saxpy"), name="mine")
    answer = targets.find("torch_npu").supports(own)
    assert not answer
    assert "kernels/mine/problem.py" in answer.remedy
