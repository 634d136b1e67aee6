"""What would write rubbish, hang or crash is refused, in words that PyTorch's users know."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

import workbench.torch_device as wb
from workbench.torch_device import tier

SEVERAL = "more than one element of the written-to tensor"
SHARED = "some elements of the input tensor and the written-to tensor"


def child(code, **environment):
    """Run a program and return what it printed and what it complained of."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


ON_EXPANDED = {
    "copy_": lambda x: x.copy_(torch.ones(4, 3)),
    "copy_ on the device": lambda x: x.copy_(torch.ones_like(x)),
    "relu_": torch.relu_,
    "uniform_": lambda x: x.uniform_(),
    "normal_": lambda x: x.normal_(),
    "bernoulli_": lambda x: x.bernoulli_(0.5),
    "bernoulli_ of a tensor": lambda x: x.bernoulli_(torch.full((4, 3), 0.5, device="wb")),
    "add_": lambda x: x.add_(1),
    "index_put_": lambda x: x.index_put_((torch.tensor([0], device="wb"),), torch.ones(3).wb()),
    "index_fill_": lambda x: x.index_fill_(0, torch.tensor([0], device="wb"), 1),
    "setitem": lambda x: x.__setitem__(torch.tensor([0], device="wb"), 1.0),
}


@pytest.mark.parametrize("name", ON_EXPANDED)
def test_nothing_writes_to_an_expanded_view(name):
    base = torch.zeros(1, 3, device="wb")
    with pytest.raises(RuntimeError, match=SEVERAL):
        ON_EXPANDED[name](base.expand(4, 3))
    assert base.cpu().tolist() == [[0, 0, 0]]


OVERLAPPING = {
    "a shifted copy": lambda x: x[1:].copy_(x[:-1]),
    "a transposed copy": lambda x: x.view(4, 4).copy_(x.view(4, 4).t()),
    "a result over its operand": lambda x: torch.mul(x[:-1], 2, out=x[1:]),
    "a result over its second operand": lambda x: torch.add(
        torch.ones(15, device=x.device), x[:-1], out=x[1:]
    ),
    "in place with itself, shifted": lambda x: x[1:].add_(x[:-1]),
}


@pytest.mark.parametrize("name", OVERLAPPING)
@pytest.mark.parametrize("device", ["cpu", "wb"])
def test_a_result_may_not_lie_on_a_part_of_an_operand(name, device):
    x = torch.arange(16.0, device=device)
    for _ in range(2):  # the second call would take the way through C++
        with pytest.raises(RuntimeError, match=SHARED):
            OVERLAPPING[name](x)
    assert x.tolist() == list(range(16))


def test_what_may_lie_on_its_operand_still_does():
    x = torch.arange(16.0, device="wb")
    torch.mul(x, 2, out=x)
    x.copy_(x)
    x[:8].copy_(x[8:])
    assert x.tolist() == [2.0 * i for i in (*range(8, 16), *range(8, 16))]
    pairs = x.view(8, 2)
    pairs[:, 0].copy_(pairs[:, 1])  # interleaved, no element in common
    assert pairs[:, 0].tolist() == pairs[:, 1].tolist()


def test_an_index_below_zero_is_named():
    x, index = torch.zeros(3, device="wb"), torch.tensor([-1], device="wb")
    with pytest.raises(RuntimeError, match="index -1 is out of bounds"):
        x.gather(0, index)
    with pytest.raises(RuntimeError, match="index -1 is out of bounds"):
        x.scatter_(0, index, 1.0)


@pytest.mark.skipif(wb.TIER != "shim", reason=f"needs the shim: {tier.WHY}")
def test_a_generator_of_the_device_fills_no_host_tensor():
    generator = torch.Generator("wb")
    for draw in (torch.rand, torch.randn, torch.randperm):
        with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
            draw(3, generator=generator)
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        torch.multinomial(torch.ones(3), 2, generator=generator)


def test_pure_python_refuses_a_generator_of_the_device_and_no_other():
    seen = child(
        """
        import torch, workbench.torch_device
        print(torch.Generator().device, isinstance(torch.Generator("cpu"), torch.Generator))
        try:
            torch.Generator("wb")
        except RuntimeError as error:
            print(error)
        """,
        WORKBENCH_SHIM="0",
    )
    assert seen.startswith("cpu True\ntorch.Generator needs the device's C++ shim")
    assert "torch.manual_seed" in seen


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_out_of_memory_is_explained_beside_nested_tensors():
    kept = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], device="wb")
    with pytest.raises(torch.OutOfMemoryError, match="wb:0 is out of memory"):
        torch.empty(1 << 40, device="wb")
    del kept


def test_a_forked_child_does_not_wait_for_a_compilation_that_its_parent_began():
    seen = child(
        """
        import os, threading, torch, workbench.torch_device
        from workbench.torch_device.codegen import compiler
        x = torch.ones(3, device="wb")
        compiler._lock.acquire()  # as a stream's thread does while it compiles
        pid = os.fork()
        if pid == 0:
            try:
                torch.logcumsumexp(x * 2, 0)
            except RuntimeError as error:
                print(type(error).__name__, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        """
    )
    assert "ForkedProcessError" in seen


@pytest.mark.parametrize("room", [0, 600])
def test_a_full_disk_under_the_cache_costs_a_compilation_and_a_warning(room):
    seen = child(
        f"""
        import os, resource, signal, struct, torch, workbench.torch_device
        from workbench.torch_device.codegen.compiler import compile_kernel
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
        body = f"def kernel(w):\\n    return w[2] + 1  # {{os.getpid()}} {{os.urandom(8).hex()}}\\n"
        kernel = compile_kernel("probe", body)
        print("gives", kernel.run(struct.pack("3q", 0, 1, 41)))
        left = list(kernel.source.parent.glob(kernel.source.stem + "*"))
        print("left", [one.suffix for one in left])
        for one in left:
            one.unlink()
        """
    )
    assert "gives 42" in seen
    assert seen.count("CacheRefusedWarning: The cache is not used") == 1
    assert "File too large" in seen
    assert "tmp" not in seen.partition("left")[2].partition("\n")[0]


def test_the_memory_of_a_device_that_is_not_there_is_refused():
    assert wb.memory_map("wb:1")
    with pytest.raises(RuntimeError, match="invalid device ordinal 7"):
        wb.memory_map(7)


@pytest.mark.parametrize("shim", ["0", "1"])
def test_a_tensor_becomes_an_instance_of_a_subclass_on_both_tiers(shim):
    seen = child(
        """
        import torch, workbench.torch_device
        class Image(torch.Tensor):
            pass
        image = torch.ones(2, 3, device="wb").as_subclass(Image)
        print(type(image + 1).__name__, (image[0] + 1).device, type(Image(image)).__name__)
        """,
        WORKBENCH_SHIM=shim,
    )
    assert seen == "Image wb:0 Image\n"
