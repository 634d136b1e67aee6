"""Claim, compile, run: a provider whose kernels are Python functions.

ONNX Runtime asks which nodes we take; `Provider.claims` answers from a table of kernels. It then
hands each group of neighbouring nodes over to be compiled; `Program` resolves the kernels and the
order once. Then it runs the group, many times. A kernel is ``kernel(node, *inputs)`` and returns an
array, or a tuple of them. Nothing here computes, and nothing falls back: what a kernel cannot do
must not be claimed, and a kernel that raises fails the run with its own words.
"""

# ctypes arrays are buffers, and NumPy's types do not know it.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import ctypes
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.portability.kernel_calls import call_kernel, require_shape
from workbench.portability.provider import library
from workbench.portability.provider.graph import DTYPES, Node, Unreadable, parse_node, parse_nodes

Array = np.ndarray


@dataclass(frozen=True)
class Kernel:
    """One row of the table.

    Attributes
    ----------
    operator : str
    function : callable
        ``function(node, *inputs)``; None for an optional input that is left out.
    since : int
        The first opset whose form of the operator the function understands.
    until : int
        The last one.
    accepts : callable
        ``accepts(node) -> bool``: a further condition on types or attributes.
    """

    operator: str
    function: Callable[..., Any]
    since: int = 1
    until: int = 10_000
    accepts: Callable[[Node], bool] = lambda node: True


@dataclass
class Record:
    """What the runtime asked of a provider so far.

    Attributes
    ----------
    claimed, refused : list of Node
        In the order asked; graph optimisation may ask more than once.
    compiled : list of tuple of str
        The operators of each group that was compiled.
    runs : Counter
        How often each operator's kernel ran.
    """

    claimed: list[Node] = field(default_factory=list)
    refused: list[tuple[Node, str]] = field(default_factory=list)
    compiled: list[tuple[str, ...]] = field(default_factory=list)
    runs: Counter = field(default_factory=Counter)


class Provider:
    """A table of kernels that ONNX Runtime can run.

    Parameters
    ----------
    kernels : mapping, optional
        Operator to `Kernel`; all of the package's by default. Give ``{}`` to begin from nothing.
    fuse : bool
        Whether neighbouring nodes that we take become one group.

    Attributes
    ----------
    record : Record
    listener : callable
        Told the runtime's words as they come, ``listener(kind, *texts)``: for a recorder.
    """

    def __init__(self, kernels: Mapping[str, Kernel] | None = None, *, fuse: bool = True):
        if kernels is None:
            from workbench.portability.provider.table import KERNELS

            kernels = KERNELS
        self.kernels, self.fuse = dict(kernels), fuse
        self.record = Record()
        self.listener: Callable[..., None] = lambda kind, *texts: None

    def kernel(self, operator: str, **conditions: Any) -> Callable:
        """Add a kernel, as a decorator: ``@provider.kernel("Relu")``."""

        def add(function):
            self.kernels[operator] = Kernel(operator, function, **conditions)
            return function

        return add

    def refusal(self, node: Node) -> str:
        """Return why a node is not taken; empty where it is."""
        kernel = self.kernels.get(node.operator)
        if kernel is None or node.domain not in ("", "ai.onnx"):
            return "no kernel for this operator"
        if not kernel.since <= node.version <= kernel.until:
            return f"the kernel knows opset {kernel.since} on, the node is of {node.version}"
        if node.nested:
            # onnxruntime 1.31 refuses a model where a group was made in the body of a loop of a
            # function (SequenceMap): the group's domain is not among the function's imports.
            return "the node stands in the body of an If, Loop or Scan"
        if node.subgraphs:
            return "the node holds a graph of its own"
        if any(v is not None and v.dtype is None for v in (*node.inputs, *node.outputs)):
            return "an input or output is not a tensor of a NumPy type"
        if any(isinstance(v, Unreadable) for v in node.attributes.values()):
            return "an attribute is not plain data"
        return "" if kernel.accepts(node) else "the kernel does not cover this form"

    def claims(self, nodes: list[Node]) -> list[bool]:
        """Answer the runtime, for each node, whether we take it."""
        answers = []
        for node in nodes:
            reason = self.refusal(node)
            answers.append(not reason)
            if reason:
                self.record.refused.append((node, reason))
            else:
                self.record.claimed.append(node)
        return answers

    def open_session(self, model: Any, **arguments: Any) -> Any:
        """Open a session with this provider in front and the CPU behind it.

        See `workbench.portability.session.open_session` for the arguments.
        """
        from workbench.portability.session import open_session

        with _asking(self):
            return open_session(model, library.NAME, **arguments)


class Program:
    """One compiled group of nodes."""

    def __init__(self, provider: Provider, nodes: list[Node], fused: Node):
        self.provider = provider
        self.steps = [(provider.kernels[node.operator].function, node) for node in nodes]
        self.inputs = [value.name if value else None for value in fused.inputs]
        self.outputs = [value for value in fused.outputs]
        provider.record.compiled.append(tuple(node.operator for node in nodes))

    def run(self, arrays: list[Array | None]) -> list[Array]:
        """Run the kernels in order; inputs and outputs are those of the fused node."""
        values: dict[str | None, Any] = dict(zip(self.inputs, arrays, strict=True))
        for function, node in self.steps:
            given = [values[value.name] if value else None for value in node.inputs]
            results = call_kernel(node.operator, function, node, *given)
            for value, result in zip(node.outputs, results, strict=False):
                if value is not None:
                    if value.shape:  # an empty one: a scalar, or a rank that is not known
                        require_shape(node.operator, result, value.shape)
                    values[value.name] = np.asarray(result, value.dtype)
            self.provider.record.runs[node.operator] += 1
        return [values[value.name] for value in self.outputs if value is not None]


_programs: dict[int, Program] = {}
_present = threading.local()
_default: list[Provider] = []
_messages: dict[int, Any] = {}


class _asking:
    """While active in a thread, the runtime's questions go to one provider."""

    def __init__(self, provider: Provider):
        self.provider = provider

    def __enter__(self):
        self.before = getattr(_present, "provider", None)
        _present.provider = self.provider

    def __exit__(self, *_):
        _present.provider = self.before


def asked_provider() -> Provider:
    """Return whom the runtime asks in this thread."""
    provider = getattr(_present, "provider", None)
    if provider is not None:
        return provider
    if not _default:
        _default.append(Provider())
    return _default[0]


def _claim(text, taken):
    provider = asked_provider()
    answers = provider.claims(parse_nodes(text))
    provider.listener("claim", text, answers)
    for index, answer in enumerate(answers):
        taken[index] = 0 if not answer else 1 if provider.fuse else 2


def _build(program, nodes, fused):
    asked_provider().listener("build", nodes, fused)
    _programs[program] = Program(asked_provider(), parse_nodes(nodes), parse_node(fused))


def _run(program, context, count, inputs, allocate):
    arrays = [_view(inputs[index]) for index in range(count)]
    for index, result in enumerate(_programs[program].run(arrays)):
        result = np.ascontiguousarray(result).reshape(result.shape)
        dims = (ctypes.c_int64 * max(1, result.ndim))(*result.shape)
        address = allocate(context, index, dims, result.ndim)
        if result.nbytes:
            if not address:
                raise InputError("The runtime gave no memory for an output.", str(result.shape))
            ctypes.memmove(address, result.ctypes.data, result.nbytes)


def _forget(program):
    _programs.pop(program, None)


def _view(record: library.TensorRecord) -> Array | None:
    if record.type < 0:
        return None
    dtype, shape = DTYPES[record.type], tuple(record.dims[: record.rank])
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not size or not record.data:
        return np.empty(shape, dtype)
    memory = (ctypes.c_char * size).from_address(record.data)
    array = np.frombuffer(memory, dtype).reshape(shape)
    array.flags.writeable = False  # it may be an initialiser, or the caller's own array
    return array


def _guarded(function: Callable) -> Callable:
    """Return a callback that hands an exception to the runtime as a sentence."""

    def guarded(*arguments):
        try:
            function(*arguments)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
            buffer = ctypes.create_string_buffer(text.encode("utf-8", "replace"))
            _messages[threading.get_ident()] = buffer
            return ctypes.addressof(buffer)
        return None

    return guarded


def callbacks() -> tuple[Any, ...]:
    """Return the functions that the C++ side calls; they must be kept alive as long as it is."""
    return (
        library.Claim(_guarded(_claim)),
        library.Build(_guarded(_build)),
        library.Run(_guarded(_run)),
        library.Forget(_forget),
    )
