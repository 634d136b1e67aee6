"""The device's bars as ratios to the CPU, both measured in this process, side by side.

    python tests/benchmarks/torch_device_ratios.py [overhead] [throughput] [training] [leak]

``WORKBENCH_SHIM`` chooses the tier. Each figure is the best of several interleaved rounds.
"""

import copy
import sys
import time

import psutil
import torch

import workbench.torch_device as wb


def rounds(functions, calls, repeats=7):
    """Return the best time of each function in microseconds, interleaved; queued work done."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            torch.wb.synchronize()
            best[i] = min(best[i], (time.perf_counter() - start) / calls * 1e6)
    return best


def say(name, ours, theirs):
    """Print one ratio."""
    print(f"{name:34} wb {ours:12.2f} us   cpu {theirs:12.2f} us   {ours / theirs:6.2f}x")


def overhead():
    """Eight elements: what a call costs."""
    a, d = torch.ones(8), torch.ones(8, device="wb")
    ra, rd = a.clone().requires_grad_(), d.clone().requires_grad_()
    with torch.no_grad():
        ours, theirs, fallen = rounds(
            [lambda: d + d, lambda: a + a, lambda: torch.special.airy_ai(d)], 200, 60
        )
    say("add, no_grad", ours, theirs)
    say("boxed fallback", fallen, theirs)
    say("add, autograd", *rounds([lambda: rd + d, lambda: ra + a], 200, 60))


def throughput():
    """Sixteen million elements, our own kernels."""
    wb.vendor_library(False)
    x = torch.randn(1 << 24)
    d, out, dout = x.to("wb"), torch.empty_like(x), torch.empty(1 << 24, device="wb")
    for name, function in {
        "add": lambda t, o: torch.add(t, t, out=o),
        "mul": lambda t, o: torch.mul(t, t, out=o),
        "sum": lambda t, o: t.sum(),
        "amax": lambda t, o: t.amax(),
        "exp": lambda t, o: torch.exp(t, out=o),
    }.items():
        say(name + " 16 M", *rounds([lambda f=function: f(d, dout), lambda f=function: f(x, out)],
                                    1, 15))  # fmt: skip


def step(net, x, y):
    """Return a training step."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)

    def run():
        out = net(x)
        loss = torch.nn.functional.cross_entropy(out if out.dim() == 2 else out.mean(1), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return run


def networks():
    """Return a small convolutional network and a small transformer, with data."""
    nn = torch.nn
    convolutional = nn.Sequential(
        nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10),
    )  # fmt: skip
    transformer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True)
    yield "AlexNet-style", convolutional, torch.randn(32, 3, 64, 64)
    yield "transformer layer", transformer, torch.randn(16, 64, 128)


def training():
    """Return ratios of training steps with the vendor library."""
    wb.vendor_library(True)
    for name, net, x in networks():
        y = torch.randint(0, 10, (len(x),))
        ours = step(copy.deepcopy(net).to("wb"), x.to("wb"), y.to("wb"))
        say(name, *rounds([ours, step(net, x, y)], 2, 15))


def leak(steps=10_000):
    """Ten thousand steps: allocated and resident memory must stay flat."""
    net = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    run = step(net.to("wb"), torch.randn(8, 16, device="wb"), torch.zeros(8, dtype=int).to("wb"))
    for at in range(steps + 1):
        run()
        if at % (steps // 5) == 0:
            resident = psutil.Process().memory_info().rss / 2**20
            print(f"step {at:6}  allocated {torch.wb.memory_allocated():9}  {resident:8.1f} MiB")


if __name__ == "__main__":
    print("tier", wb.TIER)
    for name in sys.argv[1:] or ("overhead", "throughput", "training", "leak"):
        globals()[name]()
