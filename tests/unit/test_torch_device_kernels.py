"""The device's operators: its own kernels, the vendor library, and kernels that learners bring."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
wb = pytest.importorskip("workbench.torch_device")
from workbench.errors import InputError, UnknownNameError  # noqa: E402
from workbench.torch_device.core.fallback import MissingOperatorError  # noqa: E402
from workbench.torch_device.extend import RegisteredKernelError  # noqa: E402


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


def test_a_kernel_that_raises_names_the_operator():
    with (
        wb.register("aten::relu", lambda x, out: 1 / 0),
        pytest.raises(RegisteredKernelError, match="relu"),
    ):
        torch.relu(torch.ones(3, device="wb"))


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
