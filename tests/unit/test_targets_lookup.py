import pytest

from workbench import targets
from workbench.errors import InputError, UnknownNameError
from workbench.portability.workers import environments
from workbench.targets import _driver


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


class FakeDriver:
    """A vendor's library, as far as a name goes."""

    def __init__(self, works):
        self.works = works
        self.aclrtGetSocName = lambda: b"Ascend910B2" if works else None

    def cuInit(self, flags):
        return 0 if self.works else 100

    def cuDeviceGet(self, device, index):
        return 0

    def cuDeviceGetName(self, name, length, device):
        name.value = b"NVIDIA H200"
        return 0


@pytest.mark.parametrize(
    ("memory", "works", "name"),
    [
        ("cpu", True, ""),
        ("cuda", True, "NVIDIA H200"),
        ("cann", True, "Ascend910B2"),
        ("cuda", False, "cuda device 1"),
        ("cann", False, "cann device 1"),
    ],
)
def test_a_device_is_called_as_its_driver_says_or_by_its_number(monkeypatch, memory, works, name):
    monkeypatch.setattr(_driver.ctypes, "CDLL", lambda library: FakeDriver(works))
    assert _driver.device_name(memory, 1) == name


def test_a_provider_without_its_driver_says_so_in_our_words():
    if targets.find("ort_cuda").probe():
        pytest.skip("there is a GPU: its driver is here")
    assert "libcuda.so.1 cannot be loaded" in _driver.missing_driver("CUDAExecutionProvider")
    assert _driver.missing_driver("CPUExecutionProvider") == ""
    assert _driver.device_name("cuda", 0) == "cuda device 0"
    reason = targets.find("ort_cuda").probe().reason
    if environments.build_availability("cuda"):
        assert reason.startswith("Nvidia's driver is not here")
    else:
        assert "is built without CUDAExecutionProvider" in reason
