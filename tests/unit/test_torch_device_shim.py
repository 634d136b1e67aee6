"""The C++ tier of the wb device: its hot path gives the same answers as the Python it replaces."""

import pytest
import torch

import workbench.torch_device as wb
from workbench.torch_device.shim import quick

pytestmark = pytest.mark.skipif(wb.TIER != "shim", reason="the C++ shim is not built here")


def on_both(function, *inputs):
    """Return a function's answer on the CPU, and on the device the second time (the quick one)."""
    there = [t.to("wb") if isinstance(t, torch.Tensor) else t for t in inputs]
    copies = [t.clone() if isinstance(t, torch.Tensor) else t for t in there]
    function(*copies)
    return function(*inputs), function(*there).cpu()


CASES = {
    "two tensors": lambda a, b: a + b,
    "a whole number": lambda a, b: a * 3,
    "a float": lambda a, b: a * 0.5,
    "a scaled sum": lambda a, b: torch.add(a, b, alpha=-0.25),
    "a tensor of one element": lambda a, b: a - b[:1],
    "a row against a matrix": lambda a, b: a.view(2, 4) * b[:4],
    "in place": lambda a, b: a.clone().mul_(b).add_(1),
    "a comparison": lambda a, b: a > b,
    "a comparison with a number": lambda a, b: a <= 0.5,
    "a unary operator": lambda a, b: torch.tanh(a),
    "a transposed view": lambda a, b: a.view(2, 4).t() + b.view(2, 4).t(),
    "a power": lambda a, b: a.abs() ** 1.5,
    "a number first": lambda a, b: 2.0 - a,
    "a 0-d tensor": lambda a, b: a * b[2],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64])
@pytest.mark.parametrize("name", CASES)
def test_the_hot_path_answers_as_the_cpu(name, dtype):
    if dtype is torch.int64 and name in ("in place", "a unary operator", "a scaled sum"):
        dtype = torch.float64
    a, b = torch.arange(8).to(dtype) - 3, (torch.arange(8).to(dtype) * 2) % 5
    want, got = on_both(CASES[name], a, b)
    assert got.dtype == want.dtype
    torch.testing.assert_close(got, want, atol=2e-3 if dtype is torch.float16 else 1e-6, rtol=0)


def test_the_second_call_does_not_enter_python():
    d = torch.ones(8, device="wb", dtype=torch.float64)
    d + d
    before = quick.calls().get("add.Tensor", 0)
    d + d
    assert quick.calls()["add.Tensor"] == before + 1


def test_a_write_over_a_shifted_view_is_refused_as_on_the_cpu():
    x = torch.ones(9, device="wb")
    x[:8].clone().add_(x[1:])
    with pytest.raises(RuntimeError, match="single memory location"):
        x[1:].add_(x[:8])


def test_a_registered_kernel_answers_in_place_calls_too():
    d = torch.ones(4, device="wb")
    d.clone().exp_()
    with wb.register("exp", lambda x, out: out.__setitem__(..., 7)) as mine:
        assert d.clone().exp_().cpu().tolist() == [7.0] * 4
        assert mine.calls == 1
    assert d.clone().exp_().cpu()[0] == pytest.approx(2.718281828)


def test_blocks_cached_in_cpp_are_counted_as_free_and_given_back():
    torch.wb.empty_cache()
    before = torch.wb.memory_allocated()
    made = [torch.ones(1000, device="wb") for _ in range(5)]
    assert torch.wb.memory_allocated() == before + 5 * 4096
    reserved = torch.wb.memory_reserved()
    del made
    assert torch.wb.memory_allocated() == before
    assert torch.wb.memory_reserved() == reserved
    torch.wb.empty_cache()
    assert torch.wb.memory_reserved() <= reserved - 5 * 4096


def test_a_tensor_is_made_on_the_device_that_was_asked_for():
    with torch.wb.device(1):
        assert torch.empty(3, device="wb").device.index == 1
        assert (torch.ones(3, device="wb:0") + 1).device.index == 0
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.empty(3, device="wb:7")
