"""What users of CUDA expect of a device, asked of wb: optimizers, export, DDP, bad input."""

import copy
import os
import subprocess
import sys
import textwrap

import pytest
import torch

import workbench.torch_device as wb


def child(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=240, env={**os.environ, **environment},
    )  # fmt: skip


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.Tanh(), torch.nn.Linear(9, 3))


def trained(device, optimiser, steps=4, **options):
    net = network().to(device)
    chosen = optimiser(net.parameters(), **options)
    x = torch.linspace(-1, 1, 30).view(5, 6).to(device)
    for _ in range(steps):
        chosen.zero_grad()
        net(x).square().mean().backward()
        chosen.step()
    return [p.detach().cpu() for p in net.parameters()]


OPTIMISERS = {
    "AdamW": (torch.optim.AdamW, {"lr": 0.01}),
    "AdamW with amsgrad": (torch.optim.AdamW, {"lr": 0.01, "amsgrad": True}),
    "Adam with decay": (torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    "Adam, maximising": (torch.optim.Adam, {"lr": 0.01, "maximize": True}),
    "Adam with a tensor's rate": (torch.optim.Adam, {"lr": torch.tensor(0.01)}),
    "SGD": (torch.optim.SGD, {"lr": 0.1}),
    "SGD with momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "SGD, Nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_fused_optimizer_steps_as_on_the_cpu_and_on_the_device(name):
    optimiser, options = OPTIMISERS[name]
    want = trained("cpu", optimiser, foreach=False, **options)
    wb.reset()
    got = trained("wb", optimiser, fused=True, **options)
    assert not [op for op in wb.LOG if "fused" in op]
    for one, expected in zip(got, want, strict=True):
        torch.testing.assert_close(one, expected, atol=2e-5, rtol=2e-5)


def test_foreach_optimizers_step_as_on_the_cpu_without_a_fallback():
    want = trained("cpu", torch.optim.AdamW, lr=0.01, foreach=True)
    wb.reset()
    got = trained("wb", torch.optim.AdamW, lr=0.01, foreach=True)
    assert not wb.LOG
    for one, expected in zip(got, want, strict=True):
        torch.testing.assert_close(one, expected, atol=2e-5, rtol=2e-5)


def test_an_overflow_makes_a_fused_step_do_nothing():
    net = network().to("wb")
    before = copy.deepcopy(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("wb", init_scale=2.0**16)
    loss = net(torch.full((2, 6), float("inf"), device="wb")).sum()
    scaler.scale(loss).backward()
    scaler.step(optimiser)
    scaler.update()
    assert scaler.get_scale() == 2.0**15
    for name, value in net.state_dict().items():
        assert torch.equal(value.cpu(), before[name].cpu())


def test_a_network_is_exported_and_the_program_runs_on_the_device():
    net, x = network().to("wb"), torch.randn(5, 6, device="wb")
    program = torch.export.export(net, (x,))
    assert any("linear" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x).cpu(), net(x).cpu())


def test_our_compiler_backend_trains_as_eager_does():
    x = torch.randn(5, 6, device="wb")
    eager, compiled = network().to("wb"), network().to("wb")
    quick = torch.compile(compiled, backend=wb.compile_backend)
    eager(x).square().sum().backward()
    quick(x).square().sum().backward()
    for a, b in zip(eager.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(a.grad.cpu(), b.grad.cpu())


def test_dlpack_hands_a_tensor_over_without_copying():
    x = torch.arange(6.0, device="wb").view(2, 3)
    y = torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x.t()))
    assert (y.device, y.shape, y.stride()) == (x.device, (3, 2), (1, 3))
    assert y.data_ptr() == x.data_ptr()
    y[0, 1] = 9
    assert x[1, 0].item() == 9


def test_the_profiler_names_the_operators_that_ran_on_the_device():
    x = torch.ones(4, 4, device="wb")
    with torch.profiler.profile() as run:
        torch.softmax(x @ x, 0).sum().item()
    seen = {event.key for event in run.key_averages()}
    assert {"aten::mm", "aten::softmax", "aten::sum"} <= seen


DDP = """
import torch, torch.distributed as dist, torch.multiprocessing as mp
def work(rank, store, queue):
    import workbench.torch_device
    dist.init_process_group("wbccl", init_method="file://" + store, rank=rank, world_size=2)
    torch.manual_seed(0)
    net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2).to("wb"))
    x = torch.arange(16.0).view(4, 4)[rank * 2 : rank * 2 + 2].to("wb")
    net(x).square().mean().backward()
    queue.put([p.grad.cpu().tolist() for p in net.parameters()])
    dist.barrier(); dist.destroy_process_group()
if __name__ == "__main__":
    import tempfile, os
    spawn = mp.get_context("spawn"); queue = spawn.SimpleQueue()
    store = os.path.join(tempfile.mkdtemp(), "store")
    both = [spawn.Process(target=work, args=(r, store, queue)) for r in range(2)]
    [p.start() for p in both]
    first, second = queue.get(), queue.get()
    [p.join() for p in both]
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 2)
    net(torch.arange(16.0).view(4, 4)).square().mean().backward()
    for a, b, p in zip(first, second, net.parameters()):
        torch.testing.assert_close(torch.tensor(a), p.grad)
        assert a == b
    print("equal to one process")
"""


@pytest.mark.slow
def test_two_processes_agree_on_gradients_with_one(tmp_path):
    script = tmp_path / "ddp.py"
    script.write_text(DDP)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, timeout=240
    )
    assert "equal to one process" in done.stdout, done.stderr[-2000:]


@pytest.mark.parametrize("tier", ["0", "1"])
def test_a_kernel_that_raises_half_way_through_a_stream_is_told_at_the_synchronisation(
    tier, tmp_path
):
    if tier == "1" and wb.TIER != "shim":
        pytest.skip("the C++ shim is not built here")
    script = tmp_path / "broken.py"
    script.write_text(
        textwrap.dedent("""
        import torch, workbench.torch_device as wb
        def broken(x, out):
            raise ValueError("half way")
        wb.register("exp", broken)
        x = torch.ones(8, device="wb")
        with torch.wb.Stream() as stream:
            y = x + 1
            z = y.exp()
            z = z + 1
        try:
            stream.synchronize()
        except RuntimeError as error:
            print(error)
        with stream:
            print((x + 1).sum().item())
        """)
    )
    done = child(f"import runpy; runpy.run_path({str(script)!r})", WORKBENCH_SHIM=tier)
    assert "aten::exp" in done.stdout, done.stderr
    assert "half way" in done.stdout
    assert "broken.py:9" in done.stdout
    assert done.stdout.strip().endswith("16.0")


def test_without_a_compiler_the_device_works_and_says_what_is_missing(tmp_path):
    code = """
        import torch, workbench.torch_device as wb
        from workbench.torch_device import tier
        print(wb.TIER, "|", tier.WHY, "|", (torch.ones(3, device="wb") + 1).sum().item())
        try:
            torch.Event(device="wb")
        except RuntimeError as error:
            print(error)
        """
    done = child(code, CXX="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert "python | there is no C++ compiler | 6.0" in done.stdout, done.stderr
    assert "install g++" in done.stdout
    forced = child(code, CXX="no-such-compiler", XDG_CACHE_HOME=str(tmp_path), WORKBENCH_SHIM="1")
    assert "ShimError" in forced.stderr
    assert "no C++ compiler" in forced.stderr


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_dtype_that_the_device_lacks_is_refused_by_name():
    with pytest.raises((RuntimeError, NotImplementedError), match=r"(?i)quantized|qint8"):
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8).to("wb")
