"""The device's bars as ratios to the CPU, both measured in this process, side by side.

    python tests/benchmarks/torch_device_ratios.py [overhead] [throughput] [training] [leak]
        [--rounds N] [--only add,sum] [--json samples.json]

``WORKBENCH_SHIM`` chooses the tier. Rounds are interleaved (ours, the CPU's, ours, ...). Printed
are the best of all rounds, and in brackets the ratio of the medians; ``--json`` keeps every sample,
so that the spread can be looked at.
"""

import argparse
import copy
import json
import time
from statistics import median

import psutil
import torch

import workbench.torch_device as wb

SAMPLES: dict = {}
"""Name of a row -> the samples of ours and of the CPU's, in microseconds."""


def rounds(functions, calls, repeats=7):
    """Return each function's samples in microseconds per call, interleaved; queued work done."""
    samples = [[] for _ in functions]
    for _ in range(repeats):
        for function, kept in zip(functions, samples, strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            torch.wb.synchronize()
            kept.append((time.perf_counter() - start) / calls * 1e6)
    return samples


def settled(functions, repeats, calls=5, warm_s=0.03):
    """Return each function's samples in microseconds, in turns of some calls after a warm-up.

    A thread of an OpenMP team that has nothing to do spins for some milliseconds. The device's
    stream and the caller have teams of their own, so that either would be measured against the
    other's spinning threads if they took turns call by call.
    """
    samples = [[] for _ in functions]
    for _ in range(repeats):
        for function, kept in zip(functions, samples, strict=True):
            end = time.perf_counter() + warm_s
            while time.perf_counter() < end:
                rounds([function], 1, 1)
            kept += rounds([function], 1, calls)[0]
    return samples


def say(name, ours, theirs):
    """Print one row and keep its samples."""
    SAMPLES[name] = {"wb_us": ours, "cpu_us": theirs}
    ratio, middle = min(ours) / min(theirs), median(ours) / median(theirs)
    print(
        f"{name:22} wb {min(ours):10.2f} us   cpu {min(theirs):10.2f} us   {ratio:6.2f}x"
        f"   (medians {middle:5.2f}x)",
        flush=True,
    )


def overhead(options):
    """Eight elements: what a call costs."""
    a, d = torch.ones(8), torch.ones(8, device="wb")
    ra, rd = a.clone().requires_grad_(), d.clone().requires_grad_()
    with torch.no_grad():
        ours, theirs, fallen = rounds(
            [lambda: d + d, lambda: a + a, lambda: torch.special.airy_ai(d)], 20, 600
        )
    say("add, no_grad", ours, theirs)
    say("boxed fallback", fallen, theirs)
    say("add, autograd", *rounds([lambda: rd + d, lambda: ra + a], 20, 600))


ELEMENTWISE = {
    "add": lambda x, y, o: torch.add(x, y, out=o),
    "add number": lambda x, y, o: torch.add(x, 1.5, out=o),
    "mul": lambda x, y, o: torch.mul(x, y, out=o),
    "div": lambda x, y, o: torch.div(x, y, out=o),
    "addcmul": lambda x, y, o: torch.addcmul(x, y, y, out=o),
    "maximum": lambda x, y, o: torch.maximum(x, y, out=o),
    "clamp": lambda x, y, o: torch.clamp(x, -1.0, 1.0, out=o),
    "clamp_min": lambda x, y, o: torch.clamp_min(x, 0.0, out=o),
    "neg": lambda x, y, o: torch.neg(x, out=o),
    "abs": lambda x, y, o: torch.abs(x, out=o),
    "sqrt": lambda x, y, o: torch.sqrt(y, out=o),
    "exp": lambda x, y, o: torch.exp(x, out=o),
    "log": lambda x, y, o: torch.log(y, out=o),
    "tanh": lambda x, y, o: torch.tanh(x, out=o),
    "sigmoid": lambda x, y, o: torch.sigmoid(x, out=o),
    "gelu": lambda x, y, o: torch.ops.aten.gelu.out(x, out=o),
    "sin": lambda x, y, o: torch.sin(x, out=o),
    "leaky_relu": lambda x, y, o: torch.ops.aten.leaky_relu.out(x, 0.1, out=o),
    "add_ in place": lambda x, y, o: o.add_(y),
    "copy_": lambda x, y, o: o.copy_(x),
}
"""Operators on sixteen million float32 elements; most write into a tensor that is there already."""

REDUCTIONS = (
    "sum", "mean", "prod", "amax", "amin", "max", "min", "argmax", "argmin", "any", "all", "var",
    "std", "norm", "nansum", "count_nonzero", "logsumexp",
)  # fmt: skip


def reductions():
    """Yield each reduction over everything, over columns and over rows."""
    for name in REDUCTIONS:
        function = torch.linalg.vector_norm if name == "norm" else getattr(torch, name)
        if name != "logsumexp":
            yield name, lambda x, y, o, f=function: f(x)
        for d in (0, 1):
            yield f"{name} dim {d}", lambda x, y, o, f=function, d=d: f(x, dim=d)


def throughput(options):
    """Sixteen million elements, our own kernels."""
    wb.vendor_library(False)
    x, y = torch.randn(4096, 4096), torch.rand(4096, 4096) + 0.5
    here, there = (x.to("wb"), y.to("wb"), torch.zeros_like(x, device="wb")), (x, y, x * 0)
    for name, function in (*ELEMENTWISE.items(), *reductions()):
        if not options.only or name.split()[0] in options.only.split(","):
            both = [lambda f=function: f(*here), lambda f=function: f(*there)]
            say(name, *settled(both, options.rounds or 7))


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


def training(options):
    """Return ratios of training steps with the vendor library."""
    wb.vendor_library(True)
    for name, net, x in networks():
        y = torch.randint(0, 10, (len(x),))
        ours = step(copy.deepcopy(net).to("wb"), x.to("wb"), y.to("wb"))
        say(name, *rounds([ours, step(net, x, y)], 2, options.rounds or 15))


def leak(options, steps=10_000):
    """Ten thousand steps: allocated and resident memory must stay flat."""
    net = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    run = step(net.to("wb"), torch.randn(8, 16, device="wb"), torch.zeros(8, dtype=int).to("wb"))
    for at in range(steps + 1):
        run()
        if at % (steps // 5) == 0:
            resident = psutil.Process().memory_info().rss / 2**20
            print(f"step {at:6}  allocated {torch.wb.memory_allocated():9}  {resident:8.1f} MiB")


def main():
    """Run what is asked for."""
    everything = {f.__name__: f for f in (overhead, throughput, training, leak)}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bars", nargs="*", metavar="bar", help=", ".join(everything))
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds; 0: 15 or 60")
    parser.add_argument("--only", default="", help="rows of the throughput, with commas")
    parser.add_argument("--json", default="", help="write every sample to this file")
    options = parser.parse_args()
    print("tier", wb.TIER)
    for name in options.bars or everything:
        everything[name](options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"tier": wb.TIER, "samples_us": SAMPLES}, file, indent=1)


if __name__ == "__main__":
    main()
