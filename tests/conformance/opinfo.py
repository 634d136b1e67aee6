"""PyTorch's own operator samples, run on a device and compared with the CPU: the scoreboard.

    python tests/conformance/opinfo.py --device wb --import workbench.torch_device
    python tests/conformance/opinfo.py ... --mode grad
    python tests/conformance/opinfo.py ... --mode errors       # inputs that must be rejected
    python tests/conformance/opinfo.py ... --dtypes float32,float16,bfloat16,int64,bool --samples 2

A node is one operator with one dtype; it passes when all its samples do. It is native when nothing
fell back meanwhile, by the counter ``LOG`` of the imported module. Operators run in worker
processes, so that a crash or a hang costs one. The vendor library is switched off unless --vendor
is given.
"""

import argparse
import collections
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

RANDOM = {
    "empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided",
    "bernoulli", "multinomial", "normal", "uniform", "cauchy", "exponential", "geometric",
    "log_normal", "rand_like", "randn_like", "randint", "randint_like", "randn", "pca_lowrank",
    "svd_lowrank", "geqrf", "nn.functional.dropout", "nn.functional.dropout2d",
    "nn.functional.dropout3d", "nn.functional.alpha_dropout",
    "nn.functional.feature_alpha_dropout", "nn.functional.rrelu",
    "nn.functional.scaled_dot_product_attention", "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d", "nn.functional.multi_head_attention_forward",
}  # fmt: skip
"""Operators whose values are random: only shapes and dtypes are compared."""


def load(args):
    """Import torch, the device and the samples."""
    import warnings

    warnings.filterwarnings("ignore")
    import torch

    if args.module:
        __import__(args.module)
    torch.set_num_threads(1)
    from torch.testing._internal.common_methods_invocations import op_db

    return torch, op_db


def counter(args):
    """Return the imported module's fallback counter."""
    return getattr(sys.modules.get(args.module), "LOG", collections.Counter())


class Checker:
    """Runs one operator with one dtype."""

    def __init__(self, torch, op, dtype, args):
        from torch.utils import _pytree

        self.torch, self.op, self.dtype, self.args, self.tree = torch, op, dtype, args, _pytree
        self.grad = (
            args.mode == "grad"
            and op.supports_autograd
            and dtype.is_floating_point
            and dtype in op.supported_backward_dtypes("cpu")
        )
        self.loose = "random" in op.name or op.name in RANDOM

    def samples(self, device, grad):
        """Return the operator's samples, always the same ones."""
        self.torch.manual_seed(0)
        found = list(self.op.sample_inputs(device, self.dtype, requires_grad=grad))
        return found[: self.args.samples] if self.args.samples else found

    def stays(self, count):
        """Return which tensors OpInfo leaves on the CPU: made for ``meta``, their devices tell."""
        try:
            made = self.samples("meta", False)
        except Exception:  # some samples cannot be made without data: then all tensors move
            return None
        if len(made) != count:
            return None
        return [
            [t.device.type == "cpu" for t in self.tensors((s.input, s.args, s.kwargs))]
            for s in made
        ]

    def tensors(self, tree):
        """Return the tensors in a tree."""
        return [t for t in self.tree.tree_leaves(tree) if isinstance(t, self.torch.Tensor)]

    def moved(self, tree, stay):
        """Return a copy of a sample's arguments on the device."""
        leaves, spec = self.tree.tree_flatten(tree)
        if stay is not None and len(stay) != len(self.tensors(tree)):
            stay = None
        at, storages = iter(stay or ()), {}

        def shared(value):
            """Copy a tensor's storage once, so that what shares memory shares it there, too."""
            storage = value.untyped_storage()
            key = storage.data_ptr(), value.dtype
            if key not in storages:
                flat = self.torch.empty(0, dtype=value.dtype).set_(storage)
                storages[key] = flat.to(self.args.device)
            made = storages[key]
            return made.as_strided(value.size(), value.stride(), value.storage_offset())

        def move(value):
            if isinstance(value, self.torch.Tensor):
                where = "cpu" if stay and next(at) else self.args.device
                if self.args.mode == "errors" and value.device.type == "cpu" and value.numel():
                    return shared(value)
                return value.detach().clone().to(where).requires_grad_(value.requires_grad)
            if isinstance(value, self.torch.device) or value == "cpu":
                return self.args.device
            return value

        return self.tree.tree_unflatten([move(v) for v in leaves], spec)

    def compare(self, got, want, scale=1):
        """Raise AssertionError where results differ."""
        got, want = self.tree.tree_leaves(got), self.tree.tree_leaves(want)
        assert len(got) == len(want), "another number of results"
        for one, expected in zip(got, want, strict=True):
            if not isinstance(expected, self.torch.Tensor):
                continue
            assert (one.shape, one.dtype) == (expected.shape, expected.dtype), "shape or dtype"
            if self.loose:
                continue
            pair = [t.detach().cpu() for t in (one, expected)]
            pair = [t if t.layout is self.torch.strided else t.to_dense() for t in pair]
            limit = self.args.tolerance * scale
            self.torch.testing.assert_close(*pair, equal_nan=True, atol=limit, rtol=limit)

    def gradients(self, sample, result, arguments):
        """Return the gradients of a result's sum with respect to its leaf arguments."""
        outs = [t for t in self.tensors(sample.output_process_fn_grad(result)) if t.requires_grad]
        ins = [t for t in self.tensors(arguments) if t.requires_grad and t.is_leaf]
        if not outs or not ins:
            return []
        total = sum((t.abs() if t.is_complex() else t).sum() for t in outs)
        return self.torch.autograd.grad(total, ins, allow_unused=True)

    def run_sample(self, sample, stay):
        """Run one sample on both devices and compare."""
        tree = (sample.input, sample.args, sample.kwargs)
        here, there = self.moved(tree, stay), self.tree.tree_map(
            lambda t: t.detach().clone().requires_grad_(t.requires_grad)
            if isinstance(t, self.torch.Tensor) else t, tree,
        )  # fmt: skip
        self.torch.manual_seed(7)
        want = self.op(there[0], *there[1], **there[2])
        self.torch.manual_seed(7)
        got = self.op(here[0], *here[1], **here[2])
        self.compare(got, want)
        if self.grad:
            ours, theirs = self.gradients(sample, got, here), self.gradients(sample, want, there)
            for one, expected in zip(ours, theirs, strict=True):
                assert (one is None) == (expected is None), "a gradient is missing"
                if expected is not None:
                    self.compare(one, expected, 10)

    def run(self):
        """Return the verdict on all samples."""
        try:
            samples = self.samples("cpu", self.grad)
        except Exception as error:
            return {"verdict": "nosample", "why": repr(error)[:150]}
        if not samples:
            return {"verdict": "nosample"}
        stay = self.stays(len(samples))
        counts, why = collections.Counter(), None
        for i, sample in enumerate(samples):
            try:
                self.run_sample(sample, stay[i] if stay else None)
                counts["pass"] += 1
                continue
            except NotImplementedError as error:
                kind, said = "absent", repr(error)
            except AssertionError as error:
                kind, said = "fail", "value: " + " ".join(str(error).split())
            except Exception as error:
                kind, said = "error", repr(error)
            counts[kind] += 1
            why = why or said[:200]
        worst = next((k for k in ("fail", "error", "absent") if counts[k]), "pass")
        return {"verdict": worst, "samples": len(samples), "right": counts["pass"], "why": why}

    def run_errors(self):
        """Return whether inputs that the CPU rejects are rejected here, with the same type."""
        if self.op.error_inputs_func is None or self.dtype is not self.torch.float32:
            return {"verdict": "nosample"}
        counts, why = collections.Counter(), None
        for wrong in self.op.error_inputs("cpu"):
            sample = wrong.sample_input
            tree = (sample.input, sample.args, sample.kwargs)
            try:
                self.op(sample.input, *sample.args, **sample.kwargs)
                continue  # the CPU itself accepts it
            except Exception as error:
                expected = type(error)
            try:
                here = self.moved(tree, None)
                self.op(here[0], *here[1], **here[2])
                said = f"accepted, the CPU raises {expected.__name__}"
            except Exception as error:
                if isinstance(error, expected):
                    counts["pass"] += 1
                    continue
                said = f"{error!r:.120}, the CPU raises {expected.__name__}"
            counts["fail"] += 1
            why = why or said
        total = counts["pass"] + counts["fail"]
        if not total:
            return {"verdict": "nosample"}
        verdict = "fail" if counts["fail"] else "pass"
        return {"verdict": verdict, "samples": total, "right": counts["pass"], "why": why}


def work(args):
    """Answer operators' numbers on standard input with verdicts on standard output."""
    torch, op_db = load(args)
    log = counter(args)
    for line in sys.stdin:
        op, out = op_db[int(line)], {}
        for name in args.dtypes.split(","):
            dtype = getattr(torch, name)
            if dtype not in op.supported_dtypes("cpu"):
                continue
            signal.alarm(args.timeout)
            before = log.copy()
            checker = Checker(torch, op, dtype, args)
            verdict = checker.run_errors() if args.mode == "errors" else checker.run()
            signal.alarm(0)
            out[name] = verdict | {"fell_back": sorted(log - before)}
        print("\x01" + json.dumps([op.formatted_name, out]), flush=True)


class Board:
    """Hands operators to workers and gathers verdicts."""

    def __init__(self, args):
        self.args = args
        _, self.op_db = load(args)
        only = set(args.only.split(",")) if args.only else None
        numbers = [i for i, op in enumerate(self.op_db) if only is None or op.name in only]
        self.queue, self.verdicts = queue.Queue(), {}
        for i in numbers[:: args.every]:
            self.queue.put(i)

    def pump(self):
        """Serve one worker until the queue is empty, replacing it when it dies."""
        worker = None
        environment = os.environ | {"WORKBENCH_VENDOR_LIBRARY": str(int(self.args.vendor))}
        command = [sys.executable, __file__, "--worker", *sys.argv[1:]]
        while True:
            try:
                number = self.queue.get_nowait()
            except queue.Empty:
                break
            if worker is None or worker.poll() is not None:
                worker = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, text=True, env=environment,
                )  # fmt: skip
            worker.stdin.write(f"{number}\n")
            worker.stdin.flush()
            answer = next((s for s in worker.stdout if s.startswith("\x01")), None)
            if answer is None:
                status = worker.wait()
                verdict = "timeout" if status == -signal.SIGALRM else "crash"
                name = self.op_db[number].formatted_name
                self.verdicts[name] = {"*": {"verdict": verdict, "why": f"status {status}"}}
            else:
                name, out = json.loads(answer[1:])
                self.verdicts[name] = out
        if worker is not None and worker.poll() is None:
            worker.stdin.close()
            worker.wait()

    def run(self):
        """Run everything and return operator -> dtype -> verdict."""
        threads = [threading.Thread(target=self.pump) for _ in range(self.args.jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dict(sorted(self.verdicts.items()))


def summary(verdicts):
    """Return the counts: nodes, passes, native passes, samples."""
    nodes = [v for out in verdicts.values() for v in out.values() if v["verdict"] != "nosample"]
    counts = collections.Counter(v["verdict"] for v in nodes)
    return {
        "nodes": len(nodes),
        "pass": counts["pass"],
        "native": sum(v["verdict"] == "pass" and not v.get("fell_back") for v in nodes),
        "other": {k: n for k, n in sorted(counts.items()) if k != "pass"},
        "samples": sum(v.get("samples", 0) for v in nodes),
        "samples_right": sum(v.get("right", 0) for v in nodes),
    }


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--device", default="wb")
    add("--import", dest="module", default="workbench.torch_device")
    add("--mode", choices=("forward", "grad", "errors"), default="forward")
    add("--dtypes", default="float32")
    add("--samples", type=int, default=0, help="at most so many for each node; 0 is all")
    add("--only", default="", help="names of operators, with commas")
    add("--every", type=int, default=1, help="each n-th operator only")
    add("--jobs", type=int, default=2)
    add("--timeout", type=int, default=120, help="seconds for one node")
    add("--tolerance", type=float, default=1e-4)
    add("--vendor", action="store_true", help="leave the vendor library on")
    add("--json", default="", help="write all verdicts to this file")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main():
    """Run the scoreboard and print it."""
    args = parse()
    if args.worker:
        return work(args)
    start = time.time()
    verdicts = Board(args).run()
    found = summary(verdicts)
    print(json.dumps(found), f"{time.time() - start:.0f} s")
    for name, out in verdicts.items():
        for dtype, verdict in out.items():
            if verdict["verdict"] not in ("pass", "nosample"):
                print(f"  {name} {dtype}: {verdict['verdict']}: {verdict.get('why')}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"summary": found, "verdicts": verdicts}, file, indent=1)
    return None


if __name__ == "__main__":
    main()
