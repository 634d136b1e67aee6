import pytest

from workbench import targets
from workbench.errors import InputError, UnknownNameError


def test_an_address_names_a_device_and_a_kernel():
    found = targets.find("torch_cpu:1/cuda_2_tiled")
    assert (found.name, found.index, found.kernel) == ("torch_cpu", 1, "cuda_2_tiled")
    assert found.address == "torch_cpu:1/cuda_2_tiled"
    assert targets.find(found) is found
    assert targets.find("torch_cpu:0").address == "torch_cpu"


def test_an_unknown_target_names_the_near_misses():
    with pytest.raises(UnknownNameError, match="did you mean torch_cpu"):
        targets.find("torch_cpuu")


@pytest.mark.parametrize("name", ["_shared", "__init__", "_torch"])
def test_helper_files_are_not_targets(name):
    with pytest.raises(UnknownNameError):
        targets.find(name)


@pytest.mark.parametrize(
    "address",
    ["", "../numpy", "<script>", "numpy:-1", "numpy:1:2", "nümpy", "numpy\n", "a b", None],
)
def test_what_is_no_address_is_an_input_error(address):
    with pytest.raises(InputError):
        targets.find(address)


def test_a_probe_that_fails_is_shown_and_not_hidden(monkeypatch):
    targets.forget()
    module = targets.find("numpy").module
    monkeypatch.setattr(module, "probe", lambda index: 1 / 0)
    answer = targets.find("numpy:77").probe()
    targets.forget()
    assert not answer
    assert "ZeroDivisionError" in answer.reason
