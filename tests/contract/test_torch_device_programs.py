"""Small programs that an engineer would try on another device than CUDA, each with its CPU twin."""

import copy
import io
import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch
from torch import nn

import workbench.torch_device as wb
from workbench.errors import UnavailableError
from workbench.torch_device import tier
from workbench.torch_device.core.streams import StreamError
from workbench.torch_device.driver.queue import BOARD
from workbench.torch_device.pure_python import NeedsShimError


def close(mine, theirs, tolerance=1e-4):
    """Assert equal values, wherever they lie."""
    torch.testing.assert_close(mine.detach().cpu(), theirs.detach(), atol=tolerance, rtol=tolerance)


def pure_python(code, **environment):
    """Run a program on the tier without the shim and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, "WORKBENCH_SHIM": "0", **environment},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("more", [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False}])
def test_a_recurrent_network_trains_as_on_the_cpu(kind, more):
    theirs = kind(4, 6, **more)
    mine, x = copy.deepcopy(theirs).to("wb"), torch.randn(3, 5, 4)
    expected, got = theirs(x)[0], mine(x.to("wb"))[0]
    close(got, expected)
    (expected**2).sum().backward()
    (got**2).sum().backward()
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        close(a.grad, b.grad, 1e-3)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpointed_dropout_sees_the_same_mask_twice(reentrant):
    from torch.utils.checkpoint import checkpoint

    net = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 8)).to("wb")
    x = torch.randn(3, 8, device="wb", requires_grad=True)
    gradients = []
    for run in (lambda: checkpoint(net, x, use_reentrant=reentrant), lambda: net(x)):
        torch.manual_seed(1)
        run().sum().backward()
        gradients.append(x.grad.cpu())
        x.grad = None
    assert torch.equal(*gradients)


def test_an_encoder_with_padding_answers_in_inference_as_on_the_cpu():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
    theirs = nn.TransformerEncoder(layer, 1).eval()
    mine, x = copy.deepcopy(theirs).to("wb"), torch.randn(2, 5, 16)
    padding = torch.tensor([[False, False, False, True, True], [False] * 5])
    theirs.use_nested_tensor = False  # or the CPU's answer has zeros where the padding is
    with torch.inference_mode():
        expected = theirs(x, src_key_padding_mask=padding)
        got = mine(x.to("wb"), src_key_padding_mask=padding.to("wb"))
    close(got[1], expected[1])
    close(got[0, :3], expected[0, :3])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_default_compiler_says_which_backend_to_take():
    compiled = torch.compile(lambda t: t * 2 + 1)
    with pytest.raises(Exception, match=r"backend=wb\.compile_backend"):
        compiled(torch.ones(3, device="wb"))
    torch._dynamo.reset()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse().to("wb"),
        lambda: torch.eye(3, device="wb").to_sparse_csr(),
        lambda: torch.sparse_coo_tensor([[0], [0]], [1.0], (2, 2), device="wb"),
    ],
)
def test_sparse_tensors_are_refused_with_the_way_out(make):
    with pytest.raises(UnavailableError, match="move dense tensors"):
        make()


def test_out_of_memory_is_explained_beside_a_compilers_fake_tensors():
    torch.export.export(nn.Linear(2, 2).to("wb"), (torch.ones(1, 2, device="wb"),))
    with pytest.raises(torch.OutOfMemoryError, match="Held by: "):
        torch.empty(1 << 40, device="wb")


def test_an_optimizers_state_crosses_devices():
    net = nn.Linear(3, 3).to("wb")
    first = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3, device="wb")).sum().backward()
    first.step()
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = torch.optim.Adam(net.parameters())
    second.load_state_dict(torch.load(buffer, map_location="cpu"))
    assert next(iter(second.state.values()))["exp_avg"].device.type == "wb"


def test_large_work_returns_before_it_is_done_and_an_event_tells_the_time():
    x = torch.randn(700, 700, device="wb")
    x @ x
    torch.wb.synchronize()
    begin, end, gate = torch.wb.Event(True), torch.wb.Event(True), threading.Event()
    begin.record()
    torch.wb.current_stream().put("a long piece of work", lambda: gate.wait(5))
    y = x @ x
    end.record()
    assert not end.query()
    threading.Timer(0.02, gate.set).start()
    torch.wb.synchronize()
    assert end.query()
    assert begin.elapsed_time(end) >= 20
    close(y, x.cpu() @ x.cpu(), 1e-2)


def test_small_work_behind_queued_work_waits_for_it():
    gate = threading.Event()
    x = torch.ones(8, device="wb")
    torch.wb.current_stream().put("a long piece of work", lambda: gate.wait(5) and x.fill_(3))
    small = x + 1
    assert BOARD[0] > 0
    gate.set()
    assert small.tolist() == [4.0] * 8
    torch.wb.synchronize()
    assert BOARD[0] == 0


def test_a_stream_that_failed_works_again_after_it_was_told():
    stream = torch.wb.current_stream()
    stream.put("aten::broken", lambda: 1 / 0)
    dropped = []
    stream.put("aten::next", lambda: dropped.append(1))
    with pytest.raises(StreamError, match="aten::broken"):
        torch.ones(3, device="wb").tolist()
    assert not dropped
    assert torch.ones(3, device="wb").sum().item() == 3


def test_freed_memory_under_queued_work_is_not_handed_to_another_stream():
    gate = threading.Event()
    stream = torch.wb.current_stream()
    for _ in range(20):
        stream.put("hold", lambda: gate.wait(5))
        x = torch.full((4096,), 3.0, device="wb")
        y = x * 2
        del x
        with torch.wb.Stream() as other:
            z = torch.full((4096,), 7.0, device="wb")
            other.synchronize()
        gate.set()
        assert y.eq(6).all().item()
        assert z.eq(7).all().item()
        gate.clear()


def test_a_process_that_used_a_side_stream_returns_to_the_short_way():
    if wb.TIER != "shim":
        pytest.skip("the C++ shim is not built here")
    from workbench.torch_device.shim import quick

    d = torch.ones(8, device="wb")
    with torch.wb.Stream() as stream:
        d + d
    stream.synchronize()
    before = quick.calls().get("add.Tensor", 0)
    d + d
    assert quick.calls()["add.Tensor"] == before + 1


def test_launch_blocking_raises_at_the_line_itself():
    before = wb.launch_blocking(True)
    try:
        with wb.register("aten::relu", lambda x, out: 1 / 0), pytest.raises(RuntimeError) as told:
            torch.relu(torch.ones(3, device="wb"))
    finally:
        wb.launch_blocking(before)
    assert not isinstance(told.value, StreamError)


def test_the_current_device_is_a_threads_own_and_backward_leaves_it_alone():
    if wb.TIER == "shim":
        x = torch.ones(3, device="wb:1", requires_grad=True)
        (x * 2).sum().backward()
        assert torch.wb.current_device() == 0
    seen = []

    def other():
        torch.wb.set_device(1)
        seen.append(torch.ones(1, device="wb").device.index)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [1]
    assert torch.ones(1, device="wb").device.index == 0


def test_a_stream_is_pytorchs_and_makes_its_device_current_as_on_cuda():
    side = torch.wb.Stream(device=1)
    assert isinstance(side, torch.Stream)
    with torch.wb.stream(side):
        x = torch.ones(3, device="wb")
        assert torch.wb.current_stream() == side
    x.record_stream(torch.wb.Stream())
    assert (x.device, torch.wb.current_device()) == (torch.device("wb:1"), 0)
    torch.wb.synchronize(1)


@pytest.mark.parametrize("device", ["cpu", 9, -1, "wb:7"])
def test_a_stream_of_a_device_that_is_not_ours_or_not_there_is_refused(device):
    with pytest.raises((ValueError, RuntimeError), match=r"Expected a wb device|invalid device"):
        torch.wb.Stream(device=device)


def test_more_streams_than_the_pool_share_its_queues():
    streams = [torch.wb.Stream() for _ in range(100)]
    assert len({s.stream_id for s in streams}) == 32


def test_the_accelerators_questions_are_answered_in_pure_python():
    printed = pure_python("""
        import torch, workbench.torch_device
        x = torch.ones(1000, device="wb")
        A = torch.accelerator
        print(A.memory_allocated(), A.get_memory_info()[1], A.max_memory_reserved() >= 4096)
        A.synchronize(); A.empty_cache(); A.empty_host_cache(); A.reset_peak_memory_stats()
        A.set_device_index(1)
        print(torch.ones(1, device="wb").device, A.current_device_index())
        side = torch.Stream(device="wb:1")
        A.set_stream(side)
        print(A.current_stream() == side == torch.wb.current_stream())
        """)
    assert printed.split() == ["4096", "1073741824", "True", "wb:1", "1", "True"]


def test_emptying_the_cache_of_pinned_memory_does_not_crash():
    torch.accelerator.empty_host_cache()
    assert torch.float32 in torch.accelerator.get_device_capability()["supported_dtypes"]


def test_what_pure_python_lacks_is_named_with_the_way_out():
    printed = pure_python("""
        import torch, workbench.torch_device
        def second():
            x = torch.ones(2, device="wb:1", requires_grad=True)
            (x * 2).sum().backward()
        for what in (torch.ones(3).pin_memory, second, lambda: torch.Event(device="wb")):
            try:
                what()
            except RuntimeError as error:
                print(type(error).__name__, "install g++" in str(error))
        """)
    assert printed.split() == ["NeedsShimError", "True"] * 3
    assert issubclass(NeedsShimError, UnavailableError)
    assert tier.WHY


def test_a_grad_scaler_shrinks_and_grows_as_on_the_cpu_without_leaving_the_device():
    scales = {}
    for device in ("cpu", "wb"):
        weight = torch.nn.Parameter(torch.ones(4, device=device))
        optimiser = torch.optim.SGD([weight], lr=0.1)
        scaler = torch.amp.GradScaler(device, init_scale=8.0, growth_interval=2)
        wb.reset()
        scales[device] = []
        for factor in (1.0, 1.0, float("inf"), 1.0, 1.0, 1.0):
            optimiser.zero_grad()
            scaler.scale((weight * factor).sum()).backward()
            scaler.unscale_(optimiser)
            scaler.step(optimiser)
            scaler.update()
            scales[device] += [scaler.get_scale(), weight.sum().item()]
    assert scales["wb"] == pytest.approx(scales["cpu"])
    assert not [name for name in wb.LOG if "_amp_" in name]


def test_what_is_queued_in_inference_mode_may_write_to_that_modes_tensors():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
    images = torch.randn(8, 3, 64, 64)
    with torch.inference_mode():
        expected = net(images)
        there, given = net.to("wb"), images.to("wb")
        for _ in range(3):  # the first call teaches the results' layouts; the next are queued
            found = there(given)
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
