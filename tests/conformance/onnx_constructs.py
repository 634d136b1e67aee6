"""The constructs that people ask an exporter for: which export, and agree at three sizes.

    python tests/conformance/onnx_constructs.py [--only text] [--json out.json]

Each is exported at two fixed sizes, and once with an open dimension and then run at a third size
that it was not exported with. A construct passes where all three agree with PyTorch. Random
numbers are compared by shape. Recorded on 2026-11-22: 34 of 38; see `onnx_constructs.json`.
"""

import argparse
import json
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import flex_attention

from workbench.portability.comparing import difference
from workbench.portability.exporting import export
from workbench.portability.session import open_session


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Cache(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("k", torch.zeros(1, 8, 4))

    def forward(self, x, p):
        self.k[:, p] = x
        return self.k.sum(1) + x


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x)[0]


@torch.library.custom_op("constructs::silu2", mutates_args=())
def silu2(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(2 * x)


@silu2.register_fake
def _(x):
    return torch.empty_like(x)


def branch(x):
    return x * 2 if x.sum() > 0 else x - 1


def over_shape(x):
    for i in range(x.shape[1]):
        x = x + i
    return x


def rope(x):
    pairs = torch.view_as_complex(x.reshape(-1, 2, 2))
    turned = pairs * torch.polar(torch.ones(2, 2), torch.ones(2, 2))[:1]
    return torch.view_as_real(turned)


def square(x):
    return x @ x.mT + torch.eye(4)


def rows(n):
    return (torch.randn(n, 4),)


def images(n):
    return (torch.randn(n, 3, 8, 8),)


def matrices(n):
    return (torch.randn(n, 4, 4),)


def steps(n):
    return (torch.randn(n, 5, 4),)


def call(function, make=rows):
    return lambda: Calls(function), make


# name -> (module, inputs of a size); the first dimension of the first input is the one left open
CONSTRUCTS = {
    "if on data": call(branch),
    "torch.cond": call(lambda x: torch.cond(x.sum() > 0, lambda t: t * 2, lambda t: t - 1, (x,))),
    "python loop on shape": call(over_shape),
    "nonzero": call(lambda x: torch.nonzero(x > 0)),
    "unique": call(torch.unique),
    "masked_select": call(lambda x: x[x > 0]),
    "fft.rfft": call(lambda x: torch.fft.rfft(x).abs()),
    "complex mul (rope)": call(rope),
    "linalg.inv": call(lambda x: torch.linalg.inv(square(x)), matrices),
    "svd": call(lambda x: torch.linalg.svd(x)[1], matrices),
    "cholesky": call(lambda x: torch.linalg.cholesky(square(x)), matrices),
    "einsum": call(lambda x: torch.einsum("ij,kj->ik", x, x)),
    "grid_sample": call(
        lambda x: F.grid_sample(x, torch.zeros(1, 4, 4, 2).expand(x.shape[0], 4, 4, 2)), images
    ),
    "interpolate bicubic aa": call(
        lambda x: F.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True), images
    ),
    "LSTM": (lambda: nn.LSTM(4, 8, batch_first=True), steps),
    "GRU": (lambda: nn.GRU(4, 8, batch_first=True), steps),
    "MHA": (Attends, steps),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 16, batch_first=True),
        steps,
    ),
    "bf16 linear": (lambda: nn.Linear(4, 4).bfloat16(), lambda n: (torch.randn(n, 4).bfloat16(),)),
    "fp16 conv": (lambda: nn.Conv2d(3, 4, 3).half(), lambda n: (torch.randn(n, 3, 8, 8).half(),)),
    "buffer mutation KV": (Cache, lambda n: (torch.randn(1, 4), torch.tensor(n))),
    "custom op (no translation)": call(lambda x: torch.ops.constructs.silu2(x)),
    "adaptive_avg_pool 7": (
        lambda: nn.AdaptiveAvgPool2d(7),
        lambda n: (torch.randn(n, 3, 10, 10),),
    ),
    "sort+topk": call(lambda x: (torch.sort(x)[0], torch.topk(x, 2)[1])),
    "scatter_reduce amax": call(
        lambda x: torch.zeros_like(x).scatter_reduce(
            1, torch.zeros_like(x, dtype=torch.long), x, "amax"
        )
    ),
    "cdist": call(lambda x: torch.cdist(x, x + 1)),
    "searchsorted": call(lambda x: torch.searchsorted(torch.arange(4.0), x)),
    "randn": call(lambda x: x + torch.randn_like(x)),
    "cumprod": call(lambda x: torch.cumprod(x, 1)),
    "histc": call(lambda x: torch.histc(x, 4)),
    "kthvalue": call(lambda x: torch.kthvalue(x, 2)[0]),
    "linalg.lstsq": call(lambda x: torch.linalg.lstsq(square(x), x)[0], matrices),
    "fold": (lambda: nn.Fold((4, 4), 2), lambda n: (torch.randn(n, 12, 9),)),
    "unfold": (lambda: nn.Unfold(2), images),
    "embedding_bag": (
        lambda: nn.EmbeddingBag(10, 4),
        lambda n: (torch.arange(2 * n).reshape(n, 2) % 10,),
    ),
    "roll": call(lambda x: torch.roll(x, 1, 1)),
    "max_unpool": call(
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), images
    ),
    "flex_attention": call(
        lambda q: flex_attention(q, q, q), lambda n: (torch.randn(n, 1, 8, 16),)
    ),
}
BY_SHAPE = {"randn"}


def agrees(name, module, exported, inputs):
    with torch.no_grad():
        want = torch.utils._pytree.tree_leaves(module(*inputs))
    got = open_session(exported.model).run(exported.feeds(inputs))
    for one, other in zip(got, want, strict=True):
        other = (other.float() if other.dtype == torch.bfloat16 else other).numpy()
        if name in BY_SHAPE:
            if one.shape != other.shape:
                return False
        elif not difference(np.asarray(one, other.dtype), other)[2]:
            return False
    return True


def verdict(name):
    """Return ``"pass"``, or the sentence that says why not."""
    make, inputs_of = CONSTRUCTS[name]
    torch.manual_seed(0)
    module, exported = make().eval(), None
    try:
        for size in (2, 3):
            exported = export(module, inputs_of(size))
            if not agrees(name, module, exported, inputs_of(size)):
                return f"differs at size {size}"
        open_first = ({0: "n"}, *({} for _ in inputs_of(2)[1:]))
        if name == "buffer mutation KV":  # its open quantity is the position, which is data
            exported = export(module, inputs_of(2))
        elif isinstance(module, Calls):
            exported = export(module, inputs_of(2), dynamic=(open_first,))
        else:
            exported = export(module, inputs_of(2), dynamic=open_first)
        return "pass" if agrees(name, module, exported, inputs_of(5)) else "differs when open"
    except Exception as error:
        said = f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
        notes = exported.notes if exported else ()
        return said + "".join(f" Noted by export(): {note}." for note in notes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    args = parser.parse_args()
    started, verdicts = time.time(), {}
    for name in CONSTRUCTS:
        if args.only in name:
            verdicts[name] = verdict(name)
            if verdicts[name] != "pass":
                print(f"{name}: {verdicts[name]}", flush=True)
    passed = sum(said == "pass" for said in verdicts.values())
    print(f"{passed} of {len(verdicts)} agree at three sizes, {time.time() - started:.0f} s")
    if args.json:
        with open(args.json, "w") as out:
            json.dump(verdicts, out, indent=1)


if __name__ == "__main__":
    main()
