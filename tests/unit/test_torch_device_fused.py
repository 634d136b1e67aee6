"""Attention and layer norm as one operator each, and work shared out between cores."""

import pytest
import torch

import workbench.torch_device as wb
from workbench.torch_device.codegen import elementwise
from workbench.torch_device.codegen.launch import SPLIT_FROM
from workbench.torch_device.driver import team

F = torch.nn.functional


@pytest.fixture(params=[True, False], ids=["vendor library", "own kernels"])
def library(request):
    before = wb.vendor_library(request.param)
    wb.reset()
    yield request.param
    wb.vendor_library(before)


def both(function, *inputs):
    """Return results and gradients on the CPU and on the device."""
    found = []
    for device in ("cpu", "wb"):
        given = [t.detach().to(device).requires_grad_(t.is_floating_point()) for t in inputs]
        made = function(*given)
        made.square().sum().backward()
        found.append([made.detach().cpu(), *(t.grad.cpu() for t in given if t.grad is not None)])
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": "bool"}, {"attn_mask": "float"}],
    ids=str,
)
def test_attention_and_its_gradients_equal_the_cpus(library, options):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8) for n in (5, 7, 7))
    mask = torch.rand(5, 7) > 0.3
    mask[:, 0] = True
    masks = {"bool": mask, "float": torch.randn(5, 7)}

    def attend(q, k, v):
        given = dict(options)
        if "attn_mask" in given:
            given["attn_mask"] = masks[options["attn_mask"]].to(q.device)
        return F.scaled_dot_product_attention(q, k, v, **given)

    theirs, ours = both(attend, q, k, v)
    torch.testing.assert_close(ours, theirs)
    assert (wb.VENDOR["_scaled_dot_product_fused_attention_overrideable"] > 0) is library
    assert not wb.LOG


def test_attention_that_the_fused_kernel_lacks_stays_the_composite():
    q = torch.randn(2, 3, 5, 8, device="wb")
    wb.reset()
    F.scaled_dot_product_attention(q, q, q, dropout_p=0.5)
    F.scaled_dot_product_attention(q, q[:, :1], q[:, :1], enable_gqa=True)
    mask = torch.zeros(5, 5, device="wb", requires_grad=True)
    F.scaled_dot_product_attention(q, q, q, mask).sum().backward()
    assert mask.grad is not None
    assert not wb.VENDOR["_scaled_dot_product_fused_attention_overrideable"]
    with pytest.raises(RuntimeError, match="is_causal"):
        F.scaled_dot_product_attention(q, q, q, mask, is_causal=True)


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 7, 3), (1, 3), (90, 3)])
def test_layer_norms_gradients_equal_the_cpus(shape):
    torch.manual_seed(0)
    x, w, b = torch.randn(shape) * 3 + 1, torch.randn(shape[1:]), torch.randn(shape[1:])
    theirs, ours = both(lambda x, w, b: F.layer_norm(x, w.shape, w, b), x, w, b)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    theirs, ours = both(lambda x: F.layer_norm(x, shape[1:]), x)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert "aten::native_layer_norm_backward" not in wb.LOG


def test_a_frozen_layer_norm_has_the_gradients_that_are_asked_for():
    x, w = torch.randn(4, 3, device="wb"), torch.randn(3, device="wb")
    for asked in (x, w):
        asked.requires_grad_()
        F.layer_norm(x, (3,), w).sum().backward()
        assert asked.grad is not None
        asked.requires_grad_(False)
    assert x.grad.shape == (4, 3)
    assert w.grad.shape == (3,)


@pytest.mark.parametrize("entry", ["OpenMP", "pool"])
def test_shared_work_covers_every_element_once_and_keeps_each_status(monkeypatch, entry):
    if entry == "pool":
        monkeypatch.setattr(team, "PARALLEL", None)
    elif team.PARALLEL is None:
        pytest.skip(team.WHY_POOL)
    count = 3 * SPLIT_FROM + 17
    kernel = elementwise.loop("neg_out", "-self", "i8", torch.int64, (("self", torch.int64),))
    source, out = torch.arange(count), torch.zeros(count, dtype=torch.int64)
    words = (out.data_ptr(), 1, source.data_ptr(), 1)
    for threads in (1, 2, 5):
        out.zero_()
        assert team.run(team.share_out(kernel, count, words, threads)) == 0
        assert torch.equal(out, -source)
    pair = (("self", torch.int64), ("other", torch.int64))
    divided = elementwise.loop("floor_divide_out", "self // other", "i8", torch.int64, pair)
    source += 1
    words = (out.data_ptr(), 1, source.data_ptr(), 1, source.data_ptr(), 1)
    assert team.run(team.share_out(divided, count, words, 2)) == 0
    source[count - 5] = 0
    assert team.run(team.share_out(divided, count, words, 2)) == 1


def test_large_work_done_in_place_or_over_permuted_memory_is_right():
    x = torch.randn(7, 90, 5, 40)
    for order in ((0, 1, 2, 3), (3, 1, 0, 2), (1, 0, 3, 2), (2, 3, 1, 0)):
        here, there = x.permute(order), x.to("wb").permute(order)
        assert torch.equal(there.contiguous().cpu(), here.contiguous())
        assert torch.equal((there + there[:1]).cpu(), here + here[:1])
        assert torch.equal(there.clone().add_(there).mul_(3).cpu(), here.clone().add_(here).mul_(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_clamping_and_sums_without_nan_equal_the_cpus(dtype):
    x = (torch.randn(30, 20) * 5).to(dtype)
    if dtype.is_floating_point:
        x[::3, ::7] = float("nan")
    for function in (
        lambda t: t.clamp(-1, 2), lambda t: t.clamp(-1.5), lambda t: t.clamp(max=1.5),
        lambda t: t.clamp(2, 1), lambda t: t.clamp(t * 0, t * 0 + 1),
        lambda t: t.clone().clamp_(0, 1), lambda t: t.nansum(),
        lambda t: t.nansum(0, keepdim=True), lambda t: t.nansum(1, dtype=torch.float64),
    ):  # fmt: skip
        theirs, ours = function(x), function(x.to("wb")).cpu()
        assert theirs.dtype == ours.dtype
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_outputs_that_the_cpu_refuses_are_refused():
    x, index = torch.randn(6, device="wb"), torch.tensor([1, 2], device="wb")
    one_place, whole = torch.empty(1, device="wb").expand(6), torch.empty(6, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="dtype for input and out to match"):
        torch.amax(x, 0, out=whole[0].to("wb"))
    with pytest.raises(RuntimeError, match="have dtype float, but got double"):
        torch.gather(x, 0, index, out=torch.empty(2, dtype=torch.float64, device="wb"))
    for refused in (
        lambda: torch.bernoulli(x.sigmoid(), out=one_place),
        lambda: torch.index_select(x, 0, index, out=one_place[:2]),
        lambda: torch.take(x, index, out=one_place[:2]),
        lambda: torch.kthvalue(x, 2, out=(x, torch.empty((), dtype=torch.int64, device="wb"))),
    ):
        with pytest.raises(RuntimeError, match="single memory location"):
            refused()
    with pytest.raises(ValueError, match="step must be nonzero"):
        torch.arange(0, 64, 0.5, out=torch.empty(0, dtype=torch.int64, device="wb"))
    with pytest.raises(IndexError, match="has no dimensions"):
        x[0].roll(0, 0)


def test_softmax_of_a_single_number_is_that_of_one_element(library):
    x = torch.tensor(3.0, device="wb")
    assert x.softmax(0).item() == 1
    assert x.log_softmax(0).item() == 0
