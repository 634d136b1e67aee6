"""What the wb device's vectorised kernels must get right: functions, folds, special values."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

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
        got, want = getattr(torch, name)(x.to("wb")).cpu(), getattr(torch, name)(x.double())
        assert torch.equal(torch.isnan(got), torch.isnan(want))
        assert torch.equal(torch.isinf(got), torch.isinf(want.float()))
        assert units_in_the_last_place(got, want) <= 2.5


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


DIVISIONS = {
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "fmod": torch.fmod,
    "trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "in place": lambda a, b: a.clone().floor_divide_(b),
}


@pytest.mark.parametrize("name", DIVISIONS)
def test_a_whole_number_divided_by_zero_is_an_error_as_on_the_cpu(own_kernels, name):
    a, b = torch.arange(8), torch.arange(8) + 1
    divide = DIVISIONS[name]
    assert torch.equal(divide(a.to("wb"), b.to("wb")).cpu(), divide(a, b))
    b[5] = 0
    for first, second in ((a, b), (a.to("wb"), b.to("wb"))):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            divide(first, second)
    assert (a.to("wb").float() / b.to("wb")).cpu()[5] == math.inf


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bit_products_and_norms_are_rounded_once_as_on_the_cpu(own_kernels, dtype):
    torch.manual_seed(3)
    a, b, c = (torch.randn(n).to(dtype) for n in ((6, 5), (5, 7), (6, 7)))
    there = [t.to("wb") for t in (c, a, b)]
    got = torch.addmm(*there, alpha=0.6, beta=0.2).cpu()
    assert torch.equal(got, torch.addmm(c, a, b, alpha=0.6, beta=0.2))
    x, w = torch.randn(4, 6, 5).to(dtype), torch.randn(6).to(dtype)
    norms = [
        lambda x, w: torch.nn.functional.layer_norm(x, [5], w[:5], w[1:]),
        lambda x, w: torch.nn.functional.group_norm(x, 3, w, w),
        lambda x, w: torch.nn.functional.batch_norm(x, None, None, w, w, training=True),
    ]
    for norm in norms:
        torch.testing.assert_close(
            norm(x.to("wb"), w.to("wb")).cpu(), norm(x, w), atol=1e-6, rtol=torch.finfo(dtype).eps
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.bool])
@pytest.mark.parametrize("count", [16, 17, 300])
@pytest.mark.usefixtures("own_kernels")
def test_ties_fall_where_the_cpus_unstable_sort_lets_them_fall(dtype, count):
    torch.manual_seed(count)
    x = (torch.randn(count) * 2).round().to(dtype)
    for options in ({}, {"descending": True}, {"stable": True}):
        theirs, ours = x.sort(**options), x.to("wb").sort(**options)
        assert torch.equal(ours.indices.cpu(), theirs.indices)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
@pytest.mark.usefixtures("own_kernels")
def test_the_kth_of_equal_values_is_the_one_that_the_cpu_names(dtype):
    torch.manual_seed(1)
    x = (torch.randn(3, 50, 2) * 2).round().to(dtype)
    if dtype.is_floating_point:
        x[:, ::9] = float("nan")
    for k in (1, 2, 25, 50):
        theirs, ours = x.kthvalue(k, 1), x.to("wb").kthvalue(k, 1)
        assert torch.equal(ours.indices.cpu(), theirs.indices)
        assert torch.equal(ours.values.cpu().nan_to_num(9), theirs.values.nan_to_num(9))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.usefixtures("own_kernels")
def test_16_bit_results_are_rounded_where_the_cpu_rounds(dtype):
    torch.manual_seed(2)
    x, m = torch.randn(4, 21).to(dtype), torch.randn(5, 21).to(dtype)
    plane = torch.randn(2, 6, 7, 8).to(dtype)
    for function in (
        lambda x, m, p: x.log_softmax(1), lambda x, m, p: x.log_softmax(0),
        lambda x, m, p: x[0].abs().rsqrt(), lambda x, m, p: torch.xlogy(x[0], x[1].abs()),
        lambda x, m, p: torch.addmv(m[:, 0], m, x[0], beta=0.2, alpha=0.6),
        lambda x, m, p: torch.nn.functional.adaptive_avg_pool3d(p, (5, 3, 4)),
    ):  # fmt: skip
        theirs = function(x, m, plane)
        ours = function(*(t.to("wb") for t in (x, m, plane)))
        assert torch.equal(ours.cpu(), theirs)


@pytest.mark.usefixtures("own_kernels")
def test_float16_transposed_convolutions_are_rounded_at_each_tap():
    torch.manual_seed(3)
    x, w, b = (torch.randn(s).half() for s in ((2, 3, 4, 5), (3, 2, 3, 2), (2,)))
    theirs = torch.nn.functional.conv_transpose2d(x, w, b, stride=2, padding=1)
    ours = torch.nn.functional.conv_transpose2d(*(t.to("wb") for t in (x, w, b)), 2, 1)
    assert torch.equal(ours.cpu(), theirs)


INTERPOLATIONS = [
    ("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2), ("nearest", 1),
    ("nearest", 2), ("nearest", 3), ("nearest-exact", 1), ("nearest-exact", 2),
]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    how=st.sampled_from(INTERPOLATIONS),
    sizes=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    to=st.one_of(st.integers(1, 9), st.sampled_from([0.5, 2.0, 3.0])),
    corners=st.booleans(),
)
def test_interpolation_gives_each_pixel_its_gradient_on_the_device_itself(how, sizes, to, corners):
    mode, dims = how
    wanted = {"size": [to] * dims} if isinstance(to, int) else {"scale_factor": to}
    if not isinstance(to, int):
        assume(all(int(n * to) >= 1 for n in sizes[:dims]))
    if "nearest" not in mode:
        wanted["align_corners"] = corners
    x = torch.randn(2, 2, *sizes[:dims])
    wb.reset()
    gradients = []
    for device in ("cpu", "wb"):
        given_ = x.detach().to(device).clone().requires_grad_()
        y = torch.nn.functional.interpolate(given_, mode=mode, **wanted)
        y.backward(torch.arange(y.numel()).reshape(y.shape).sin().to(device))
        gradients.append(given_.grad.cpu())
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-5, rtol=1e-5)
    assert not wb.LOG
