"""``torch.compile(backend="wb")``: runs of elementwise operators become one Numba loop.

The same backend is ``wb.compile_backend``. The graph is lowered to core operators by AOTAutograd;
here, chains of elementwise operators whose expressions the table knows are joined into one
expression and compiled as one kernel, so that what lies between them never reaches memory.
Everything else in the graph runs as it would eagerly. It refuses nothing: a graph without such
chains runs unchanged. ``report()`` says what was joined.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportPrivateImportUsage=false

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from workbench.errors import UnavailableError
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.codegen import types
from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.ops import pointwise
from workbench.torch_device.ops.pointwise import like

_FUSABLE = ("add", "sub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "sigmoid",
            "tanh", "silu", "sin", "cos", "erf", "reciprocal")  # fmt: skip
_LONGEST = 24  # operators in one kernel: beyond it, compiling costs more than memory traffic


@dataclass(frozen=True)
class Fused:
    """One kernel made of several operators."""

    operators: tuple[str, ...]
    expression: str


FUSED: list[Fused] = []


def report() -> list[Fused]:
    """Return the kernels joined since the process began."""
    return list(FUSED)


def _row(node: torch.fx.Node):
    """Return the table's row for a graph node, or None where it cannot be joined."""
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return None
    base, _, which = node.target.name().removeprefix("aten::").partition(".")
    if base not in _FUSABLE or which not in ("", "Tensor"):
        return None
    value = node.meta.get("val")
    tensors = [a.meta.get("val") for a in node.args if isinstance(a, torch.fx.Node)]
    if not isinstance(value, torch.Tensor) or value.dtype is not torch.float32:
        return None
    if any(not isinstance(t, torch.Tensor) or t.dtype is not torch.float32 for t in tensors):
        return None
    if any(t.shape != value.shape or not t.is_contiguous() for t in tensors):
        return None
    return pointwise.KERNELS[f"{base}.out"]


def _expression(row, node: torch.fx.Node, names: dict) -> str:
    """Return a node's expression over the kernel's operand names."""
    words = {}
    for position, (name, default, used, _) in enumerate(row.arguments):
        if used:
            value = (
                node.args[position]
                if position < len(node.args)
                else (node.kwargs.get(name, default))
            )
            words[name] = names[value] if isinstance(value, torch.fx.Node) else f"T({value!r})"
    text = row._expression(torch.float32, None)
    return "(" + re.sub(r"[A-Za-z_]\w*", lambda m: words.get(m.group(), m.group()), text) + ")"


class _Chain:
    """Operators that will run as one kernel."""

    def __init__(self):
        self.nodes: list[torch.fx.Node] = []
        self.names: dict[torch.fx.Node, str] = {}
        self.inputs: list[torch.fx.Node] = []

    def add(self, node: torch.fx.Node, row) -> None:
        for argument in node.args:
            if isinstance(argument, torch.fx.Node) and argument not in self.names:
                self.names[argument] = f"x{len(self.inputs)}"
                self.inputs.append(argument)
        self.names[node] = _expression(row, node, self.names)
        self.nodes.append(node)

    def accepts(self, node: torch.fx.Node) -> bool:
        """Whether a node reads the chain's last result, and only it does."""
        last = self.nodes[-1]
        same = last.meta["val"].shape == node.meta["val"].shape
        return last in node.args and list(last.users) == [node] and same

    def replace(self, graph: torch.fx.Graph, joined: dict) -> None:
        """Put one call in place of the chain; `joined` maps earlier chains' ends to theirs."""
        last = self.nodes[-1]
        expression = self.names[last]
        FUSED.append(Fused(tuple(n.target.name() for n in self.nodes), expression))
        with graph.inserting_after(last):
            inputs = tuple(joined.get(node, node) for node in self.inputs)
            call = graph.call_function(_kernel(expression, len(inputs)), inputs)
        joined[last] = call
        call.meta.update(last.meta)
        last.replace_all_uses_with(call)
        for node in reversed(self.nodes):
            graph.erase_node(node)


def _kernel(expression: str, count: int):
    names = [f"x{i}" for i in range(count)]

    def fused(*values: Any) -> torch.Tensor:
        out = like(values, torch.float32)
        compute = types.KINDS[torch.float32].compute
        engine.run("fused", expression, compute, out, dict(zip(names, values, strict=True)))
        return out

    return fused


def fuse(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Join the elementwise chains of a lowered graph, in place."""
    chain: _Chain | None = None
    chains = []
    for node in list(module.graph.nodes):
        row = _row(node)
        if row is None:
            continue
        if chain is None or len(chain.nodes) >= _LONGEST or not chain.accepts(node):
            chain = _Chain()
            chains.append(chain)
        chain.add(node, row)
    joined: dict[torch.fx.Node, torch.fx.Node] = {}
    for found in chains:
        if len(found.nodes) > 1:
            found.replace(module.graph, joined)
    module.graph.lint()
    module.recompile()
    return module


def _compile(module: torch.fx.GraphModule, inputs: list) -> Any:
    from functorch.compile import make_boxed_func

    on_device = any(isinstance(v, torch.Tensor) and v.device.type == NAME for v in inputs)
    return make_boxed_func((fuse(module) if on_device else module).forward)


_plain_inductor = torch._TorchCompileInductorWrapper.__call__


def _inductor(self, model, inputs, **kwargs):
    """Compile with PyTorch's default backend, which has no code generator for this device."""
    if any(isinstance(v, torch.Tensor) and v.device.type == NAME for v in inputs):
        raise UnavailableError(
            "torch.compile's default backend, inductor, generates no code for wb.",
            "an input lies on wb",
            'torch.compile(..., backend=wb.compile_backend), or backend="aot_eager"',
        )
    return _plain_inductor(self, model, inputs, **kwargs)


torch._TorchCompileInductorWrapper.__call__ = _inductor


def backend(module: torch.fx.GraphModule, inputs: list) -> Any:
    """Compile a graph for the device: what ``torch.compile(backend="wb")`` calls."""
    from torch._dynamo.backends.common import aot_autograd

    return aot_autograd(fw_compiler=_compile, bw_compiler=_compile)(module, inputs)
