"""The device's operators: its own kernels, the vendor library, and kernels that learners bring."""

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
wb = pytest.importorskip("workbench.torch_device")
from workbench.errors import InputError, UnknownNameError  # noqa: E402
from workbench.torch_device.extend import RegisteredKernelError  # noqa: E402
from workbench.torch_device.fallback import MissingOperatorError  # noqa: E402


@pytest.fixture
def own_kernels():
    before = wb.vendor_library(False)
    wb.LOG.clear()
    yield
    wb.vendor_library(before)


def close(on_device, on_cpu):
    torch.testing.assert_close(on_device.detach().cpu(), on_cpu.detach(), rtol=1e-4, atol=1e-5)


def test_a_network_trains_as_on_the_cpu_without_any_fallback(own_kernels):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 10),
    )
    nets = [net, copy.deepcopy(net).to("wb")]
    x, y = torch.randn(8, 1, 8, 8), torch.randint(0, 10, (8,))
    losses = [[], []]
    for i, (net, device) in enumerate(zip(nets, ("cpu", "wb"), strict=True)):
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for _ in range(4):
            loss = torch.nn.functional.cross_entropy(net(x.to(device)), y.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[i].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert sum(wb.LOG.values()) == 0, dict(wb.LOG)


def test_strides_broadcasts_and_mixed_dtypes_agree_with_the_cpu(own_kernels):
    x, y = torch.randn(5, 1, 7), torch.randint(-9, 9, (6, 7))
    a, b = x.to("wb"), y.to("wb")
    close(a * b + a.transpose(0, 2).sum() - 2, x * y + x.transpose(0, 2).sum() - 2)
    close(
        a.expand(5, 6, 7).transpose(0, 1) / b.unsqueeze(1),
        x.expand(5, 6, 7).transpose(0, 1) / y.unsqueeze(1),
    )
    assert (b.half() + a.bfloat16()).dtype == (y.half() + x.bfloat16()).dtype
    assert sum(wb.LOG.values()) == 0


def test_an_index_out_of_range_is_an_index_error_naming_the_index():
    table = torch.randn(4, 3, device="wb")
    with pytest.raises(IndexError, match="out of range"):
        torch.nn.functional.embedding(torch.tensor([1, 9], device="wb"), table)
    with pytest.raises(IndexError, match="index 7 is out of bounds for dimension 0 with size 4"):
        table[torch.tensor([7], device="wb")]


def test_in_place_on_an_expanded_view_is_refused():
    x = torch.zeros(1, device="wb").expand(3)
    with pytest.raises(RuntimeError, match="single memory location"):
        x.add_(1)


def test_the_vendor_library_changes_the_kernel_and_not_the_answer():
    a, b = torch.randn(9, 7), torch.randn(7, 5)
    before = wb.vendor_library(True)
    wb.reset()
    close(a.to("wb") @ b.to("wb"), a @ b)
    assert (wb.VENDOR["mm.out"], wb.NATIVE["matmul"]) == (1, 0)
    wb.vendor_library(False)
    close(a.to("wb") @ b.to("wb"), a @ b)
    assert (wb.VENDOR["mm.out"], wb.NATIVE["matmul"]) == (1, 1)
    wb.vendor_library(before)


def test_strict_mode_raises_where_the_cpu_would_have_computed():
    before = wb.strict(True)
    try:
        with pytest.raises(MissingOperatorError, match=r"wb\.stub"):
            torch.special.airy_ai(torch.ones(3, device="wb"))
    finally:
        wb.strict(before)


def test_random_numbers_follow_the_seed_and_leave_the_cpu_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = torch.rand(5, device="wb").cpu()
    assert torch.equal(torch.rand(3), expected)
    state = torch.wb.get_rng_state()
    second = torch.randn(5, device="wb").cpu()
    torch.wb.set_rng_state(state)
    assert torch.equal(torch.randn(5, device="wb").cpu(), second)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(5, device="wb").cpu(), first)
    sample = torch.randn(20_000, device="wb").cpu()
    assert abs(float(sample.mean())) < 0.03
    assert abs(float(sample.std()) - 1) < 0.03


def test_a_kernel_of_ones_own_answers_until_it_is_removed():
    def relu(x, out):
        np.maximum(x, 0, out=out)

    x = torch.randn(3, 4, device="wb")
    with wb.register("aten::relu", relu) as made:
        close(torch.relu(x.t()), torch.relu(x.cpu().t()))
        assert made.calls == 1
    torch.relu(x)
    assert made.calls == 1


def test_a_kernel_that_takes_memory_as_one_line_fails_on_broadcast_samples():
    def add(a, b, out):
        out[:] = a + b

    with wb.register("add", add, layout="memory"):
        score = wb.score("add")
    assert score.failed > 0
    assert "shape" in score.first_wrong
    assert wb.score("add", max_samples=6).failed == 0


@pytest.mark.parametrize(
    ("operator", "samples"),
    [("silu", 3), ("aten::mse_loss.out", 3), ("zero_", 3), ("reflection_pad2d", 3), ("relu_", 3),
     ("silu_backward", 3), ("max_pool2d_with_indices_backward", 3), ("normal.Tensor_float", 3)],
)  # fmt: skip
def test_the_score_knows_operators_by_the_dispatchers_names(operator, samples):
    score = wb.score(operator, max_samples=samples)
    assert (score.failed, score.first_wrong) == (0, "")
    assert score.passed >= samples


def test_a_wrong_backward_kernel_is_found_by_its_gradients():
    def half(grad, x, out):
        out[:] = grad / 2

    with wb.register("silu_backward", half):
        assert wb.score("silu", max_samples=3).failed == 0
        assert wb.score("silu_backward", max_samples=3).failed > 0
    with pytest.raises(UnknownNameError, match="operator with samples called 'poisson'"):
        wb.score("poisson")


def test_a_kernel_that_raises_names_the_operator():
    with (
        wb.register("aten::relu", lambda x, out: 1 / 0),
        pytest.raises(RuntimeError, match="relu") as raised,
    ):
        torch.relu(torch.ones(3, device="wb")).cpu()
    assert isinstance(raised.value.__cause__, RegisteredKernelError)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("relux", abs), UnknownNameError),
        (("relu", 3), InputError),
        (("relu", abs, "flat"), InputError),
    ],
)
def test_a_registration_that_cannot_work_is_refused(arguments, error):
    with pytest.raises(error):
        wb.register(*arguments)


def test_a_stub_is_a_program_that_registers_and_says_what_is_missing():
    text = wb.stub("special_airy_ai")
    compile(text, "stub", "exec")
    assert "def launch(x, out):" in text


def test_coverage_counts_the_operators_that_need_a_device_kernel():
    summary = wb.summary()
    assert sum(summary.values()) == 676
    assert summary["native"] >= 280


def test_a_trace_names_the_kernel_of_every_stage():
    steps = {s.stage: s for s in wb.trace(torch.relu, torch.ones(4, device="wb"))}
    assert "VariableType" in steps["Autograd"].kernel
    assert "elementwise" in steps["device"].kernel
    assert steps["device"].duration_ns > 0
    assert not steps["Autocast"].active
    with pytest.raises(InputError, match="on the device"):
        wb.trace(torch.relu, torch.ones(4))


def test_the_memory_map_shows_a_live_tensor_and_its_view():
    x = torch.zeros(1000, device="wb")
    view = x[10:20]
    held = [r for r in wb.memory_map() if any("[1000]" in v for v in r.views)]
    assert [r.state for r in held] == ["live"]
    assert any("+ 40 bytes" in v for v in held[0].views)
    assert view.shape == (10,)


def test_autocast_lowers_products_and_keeps_losses_wide():
    x, w = torch.randn(4, 4, device="wb"), torch.randn(4, 4, device="wb")
    with torch.autocast("wb", dtype=torch.bfloat16):
        product = x @ w
        assert product.dtype is torch.bfloat16
        assert torch.softmax(product, 1).dtype is torch.float32


LEAST = -(2**63)
INTEGERS = [[-7, 7, -8, 9, LEAST, 5], [2, -2, 4, 4, 3, LEAST]]


@pytest.mark.parametrize("mode", ["floor", "trunc", None])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.float32, torch.bfloat16])
def test_division_rounds_as_asked_whatever_the_dtype(own_kernels, mode, dtype):
    small = dtype is not torch.int64
    x, y = (torch.tensor(row[:4] if small else row, dtype=dtype) for row in INTEGERS)
    a, b = x.to("wb"), y.to("wb")
    for got, want in (
        (a.div(b, rounding_mode=mode), x.div(y, rounding_mode=mode)),
        (a.div(3, rounding_mode=mode), x.div(3, rounding_mode=mode)),
        (a[:, None].div(2.5, rounding_mode=mode), x[:, None].div(2.5, rounding_mode=mode)),
    ):
        assert got.dtype == want.dtype
        assert torch.equal(got.cpu(), want)
    if mode:
        assert torch.equal(a.div_(b, rounding_mode=mode).cpu(), x.div(y, rounding_mode=mode))
    assert sum(wb.LOG.values()) == 0, dict(wb.LOG)


@pytest.mark.parametrize("mode", ["floor", "trunc"])
def test_division_of_booleans_with_a_rounding_mode_is_refused_as_on_the_cpu(own_kernels, mode):
    a = torch.tensor([True, False], device="wb")
    with pytest.raises(RuntimeError, match="not implemented for 'Bool'"):
        a.div(a, rounding_mode=mode)


def test_integer_fmod_keeps_the_sign_of_the_dividend(own_kernels):
    x, y = map(torch.tensor, INTEGERS)
    assert torch.equal(x.to("wb").fmod(y.to("wb")).cpu(), x.fmod(y))
    assert sum(wb.LOG.values()) == 0


@pytest.mark.parametrize("alpha", [{}, {"alpha": 1}, {"alpha": True}, {"alpha": False}])
def test_booleans_add_whatever_alpha_is(own_kernels, alpha):
    x, y = torch.tensor([True, False, True, False]), torch.tensor([True, True, False, False])
    a, b = x.to("wb"), y.to("wb")
    assert torch.equal(torch.add(a, b, **alpha).cpu(), torch.add(x, y, **alpha))
    square = torch.zeros(4, 4, dtype=torch.bool)
    assert torch.equal(torch.addr(square.to("wb"), a, b).cpu(), torch.addr(square, x, y))
    assert torch.equal(a.add_(b).cpu(), x | y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_nextafter_steps_by_one_place_of_its_own_dtype(own_kernels, dtype):
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 2.0, 65504.0], dtype=dtype)
    y = x[:, None].contiguous()
    got, want = torch.nextafter(x.to("wb"), y.to("wb")).cpu(), torch.nextafter(x, y)
    torch.testing.assert_close(got, want, rtol=0, atol=0, equal_nan=True)
    assert sum(wb.LOG.values()) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64])
@pytest.mark.parametrize("descending", [False, True])
def test_a_long_row_of_equal_elements_sorts_stably(own_kernels, dtype, descending):
    x = torch.randint(0, 5, (2, 3000), generator=torch.Generator().manual_seed(1)).to(dtype)
    got = torch.sort(x.to("wb"), stable=True, descending=descending)
    want = torch.sort(x, stable=True, descending=descending)
    assert torch.equal(got.values.cpu(), want.values)
    assert torch.equal(got.indices.cpu(), want.indices)
    assert sum(wb.LOG.values()) == 0


MOVING = {
    "aten::" + name
    for name in ("detach", "set_", "clone", "copy_", "empty", "as_strided", "alias", "to", "view")
}
"""Operators that make or move CPU tensors, and compute nothing."""


def computed_by_the_cpu(call) -> set[str]:
    """Return the operators that the profiler saw computing with CPU tensors alone."""
    with torch.profiler.profile(record_shapes=True, with_stack=True, profile_memory=True) as run:
        call()
    found, left = set(), list(run.profiler.kineto_results.experimental_event_tree())
    while left:
        event = left.pop()
        left.extend(event.children)
        if not event.name.startswith("aten::") or event.name in MOVING:
            continue
        tensors = [t for t in getattr(event.extra_fields, "inputs", []) if hasattr(t, "sizes")]
        on_cpu = all(str(t.device) == "cpu" for t in tensors)
        if on_cpu and any(math.prod(t.sizes) > 1 for t in tensors):  # a number may be a CPU tensor
            found.add(event.name)
    return found


def test_what_the_log_calls_native_reaches_no_cpu_kernel_in_the_profiler(own_kernels):
    x, n = torch.randn(6, 6, device="wb"), torch.arange(6, device="wb")
    calls = {
        "mm": lambda: x @ x,
        "add": lambda: x + 2,
        "div": lambda: n.div(2, rounding_mode="floor"),
        "sum": lambda: x.sum(0),
        "amax": lambda: x.amax(1),
        "sort": lambda: x.sort(),
        "index": lambda: x[n],
        "softmax": lambda: x.softmax(-1),
        "mse_loss": lambda: torch.nn.functional.mse_loss(x, x + 1),
        "layer_norm": lambda: torch.nn.functional.layer_norm(x, (6,)),
        "conv2d": lambda: torch.conv2d(x[None, None], x[None, None, :3, :3]),
        "cumsum": lambda: x.cumsum(0),
        "bessel": lambda: torch.special.bessel_j0(x),
        "qr": lambda: torch.linalg.qr(x),
    }
    differ, fell = {}, set()
    for name, call in calls.items():
        wb.LOG.clear()
        seen = computed_by_the_cpu(call)
        if bool(seen) != bool(sum(wb.LOG.values())):
            differ[name] = (seen, dict(wb.LOG))
        fell |= {name} if seen else set()
    assert not differ, differ
    assert fell == {"bessel", "qr"}


@pytest.mark.parametrize("name", ["huber_loss", "smooth_l1_loss", "mse_loss", "l1_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_loss_has_the_gradient_it_has_on_the_cpu(own_kernels, name, reduction):
    x, y = torch.linspace(-3, 3, 12), torch.linspace(2, -2, 12)
    found = []
    for device in ("cpu", "wb"):
        a = x.clone().to(device).requires_grad_()
        getattr(torch.nn.functional, name)(a, y.to(device), reduction=reduction).sum().backward()
        found.append(a.grad.cpu())
    torch.testing.assert_close(found[1], found[0])
