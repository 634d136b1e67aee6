"""What the wb device's vectorised kernels must get right: functions, folds, special values."""

import math

import numpy as np
import pytest
import torch

import workbench.torch_device as wb

SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 88.7, 88.8, -87.4, -104.5, 1e-40, 1e-30, 3e38]


@pytest.fixture
def own_kernels():
    was = wb.vendor_library(False)
    yield
    wb.vendor_library(was)


def units_in_the_last_place(got, want):
    spacing = torch.from_numpy(np.spacing(want.float().abs().numpy())).double()
    ordinary = torch.isfinite(want.float()) & (want.abs() > 1e-37)
    return ((got.double() - want).abs() / spacing)[ordinary].max().item()


FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "erf")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_vectorised_function_is_within_its_stated_error(own_kernels, name):
    torch.manual_seed(0)
    bits = torch.randint(-(2**31), 2**31 - 1, (100_000,)).to(torch.int32).view(torch.float32)
    for x in (torch.randn(100_000) * 3, bits, torch.tensor(SPECIAL)):
        if name == "erf":
            x = x[x.abs() > 1e-30] if x.numel() > 20 else x
        got, want = getattr(torch, name)(x.to("wb")).cpu(), getattr(torch, name)(x.double())
        assert torch.equal(torch.isnan(got), torch.isnan(want))
        assert torch.equal(torch.isinf(got), torch.isinf(want.float()))
        assert units_in_the_last_place(got, want) <= (6 if name == "erf" else 2.5)


def test_a_sine_of_a_huge_angle_is_not_a_guess(own_kernels):
    x = torch.tensor([1e6, 2e6, 1e15, 3e38, 0.5])
    torch.testing.assert_close(torch.sin(x.to("wb")).cpu(), torch.sin(x.double()).float())


FOLDS = ("sum", "mean", "amax", "amin", "argmax", "argmin", "prod", "any", "all", "nansum", "var")


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("dim", [0, 1, 2, (0, 1)])
def test_a_reduction_agrees_with_the_cpu_along_any_dimension(own_kernels, name, dim):
    if isinstance(dim, tuple) and (name.startswith("arg") or name == "prod"):
        dim = 0
    x = torch.linspace(-2, 2, 6 * 5 * 21).reshape(6, 5, 21).roll(17, 1)
    x[3, 2, 5] = math.nan
    x[0, 0, :3] = torch.tensor([-0.0, 0.0, -math.inf])
    want, got = getattr(torch, name)(x, dim=dim), getattr(torch, name)(x.to("wb"), dim=dim)
    torch.testing.assert_close(got.cpu(), want, equal_nan=True)


@pytest.mark.parametrize("name", ["sum", "amax", "amin", "argmax", "prod", "any"])
def test_a_long_row_whose_length_no_core_divides_is_reduced_whole(own_kernels, name):
    x = torch.ones(131_072 + 37)
    x[-1] = -3.0
    x[70_000] = 2.0
    want, got = getattr(torch, name)(x), getattr(torch, name)(x.to("wb"))
    torch.testing.assert_close(got.cpu(), want)


def test_the_index_of_the_largest_is_that_of_the_first_nan_or_zero(own_kernels):
    x = torch.tensor([[-0.0, 0.0, -1.0], [1.0, math.nan, math.nan]], device="wb")
    assert x.argmax(1).cpu().tolist() == [0, 1]
    assert x.argmin(1).cpu().tolist() == [2, 1]


def test_a_transposed_operand_is_walked_in_tiles_and_lands_in_place(own_kernels):
    x = torch.randn(3, 70, 130)
    d = x.to("wb")
    assert torch.equal(d.transpose(1, 2).contiguous().cpu(), x.transpose(1, 2))
    torch.testing.assert_close(
        (d + d.permute(0, 2, 1)[:, :70, :70].sum()).cpu(), x + x.permute(0, 2, 1)[:, :70, :70].sum()
    )
