"""Places where an ONNX model can be run with every value in it looked at.

A `Place` is a name and a callable from a model and inputs to the values it computed, by name.
Providers of this process and of a worker's, ONNX's reference evaluator and PyTorch's own graph are
here; targets on higher floors hand in their own. It refuses to compare (`compare` does).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import ExecutionError, InputError, UnavailableError, WorkbenchError
from workbench.portability.arguments import call_of, numbers_taken, tensors_of, with_tensors
from workbench.portability.opening import IN_PROCESS, worker_here
from workbench.portability.previewing import MODES, Preview
from workbench.portability.session import open_session
from workbench.portability.workers import environments
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

if TYPE_CHECKING:
    import onnx

    from workbench.portability.exporting import Exported

Values = dict[str, np.ndarray]
RUN_LIMIT_S = 60.0
"""Of one run on a place in this process; a worker has a limit of its own."""


@dataclass(frozen=True)
class Place:
    """Where a model is run.

    Attributes
    ----------
    name : str
    run : callable
        ``run(model, feeds) -> values by name``: at least the model's outputs.
    runs_nodes : bool
        Whether it runs any model that it is given, so that one node alone can be run as well.
    """

    name: str
    run: Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Values]
    runs_nodes: bool = True


def provider_place(provider: str, options: Mapping[str, object] | None = None) -> Place:
    """Return a provider of this environment as a place; it raises where it has none of that name.

    The runtime's own and ours run in this process; any other in a worker, which it may crash.
    """

    def run(model, feeds):
        if provider in IN_PROCESS:
            session = open_session(model, provider, options=options)
            results = session.run(feeds, RUN_LIMIT_S)
            return dict(zip(session.output_names, results, strict=True))
        with worker_here(provider) as worker:
            session = open_worker_session(worker, model, provider, options=options)
            return dict(zip(session.output_names, session.run(feeds), strict=True))

    return Place(provider, run)


def worker_place(worker: Worker, provider: str, name: str, level: int | None = None) -> Place:
    """Return a provider of a worker's build as a place called `name`.

    Parameters
    ----------
    level : int, optional
        ONNX Runtime's graph optimisation level; 0 runs the graph as it is written.
    """

    def run(model, feeds):
        session = open_worker_session(worker, model, provider, level=level)
        values = dict(zip(session.output_names, session.run(feeds), strict=True))
        session.close()
        return values

    return Place(name, run)


def build_place(name: str) -> Place:
    """Return a build of ONNX Runtime that `workbench providers add` installed, as a place.

    Raises
    ------
    UnavailableError
        When it is run: where the build is not installed, or where it stands over a stand-in that
        computes nothing (CUDA's; the Ascend one has kernels).
    """
    provider = environments.build_named(name).provider

    def run(model, feeds):
        with Preview() as preview:
            worker = preview.worker(provider)
            if worker.standin == "nvidia":
                raise UnavailableError(
                    f"Nothing can be compared with {provider} here.",
                    "it stands over a stand-in for NVIDIA's libraries, whose kernels do not run",
                    "compare on a machine with an NVIDIA GPU; `preview` shows the placement here",
                )
            options = next(iter(MODES.get(provider, {"": {}}).values()))
            session = open_worker_session(worker, model, provider, options=options)
            return dict(zip(session.output_names, session.run(feeds), strict=True))

    return Place(name, run)


def reference_place() -> Place:
    """Return ONNX's reference evaluator: slow, plain NumPy, the standard's own reading."""

    def run(model, feeds):
        from onnx.reference import ReferenceEvaluator

        names = [value.name for value in model.graph.output]
        results = ReferenceEvaluator(model).run(names, dict(feeds))
        return dict(zip(names, (np.asarray(value) for value in results), strict=True))

    return Place("onnx_reference", run)


def torch_place(exported: Exported) -> Place:
    """Return PyTorch itself: the captured graph, run value by value, named as the ONNX values are.

    The outputs are those of the module in eval mode. Graph and module are run as copies and on
    tensors of their own, so that what a ``forward`` writes in place stays in that run. A module
    that Python cannot copy is not run: its outputs are then those of the captured graph.

    Raises
    ------
    InputError
        Where the export kept no graph.
    ExecutionError
        When it is run: where PyTorch refuses the inputs.
    """
    if exported.captured is None:
        raise InputError("The export kept no PyTorch graph.", "", "export the module again")

    def run(model, feeds):
        try:
            return _run_by_torch(exported, feeds)
        except WorkbenchError:
            raise
        except Exception as cause:  # an operator or the author's own forward()
            raise ExecutionError(
                "PyTorch failed on these inputs.",
                f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}",
                "check their shapes and types against `exported.inputs`",
            ) from cause

    return Place("torch", run, runs_nodes=False)


def _run_by_torch(exported: Exported, feeds: Mapping[str, np.ndarray]) -> Values:
    import torch
    from torch.utils import _pytree

    names = [value.name for value in exported.model.graph.input]

    def arguments():
        tensors = [torch.from_numpy(np.array(feeds[name])) for name in names]
        return with_tensors(exported.inputs, tensors, numbers_taken(exported.captured))

    with torch.no_grad():
        graph_module = exported.captured.module()  # a new one, over the learner's own weights
        for part in graph_module.modules():
            for kept in (part._buffers, part._parameters):
                kept.update({k: t.clone() for k, t in kept.items() if t is not None})
        seen, result = _values_of(graph_module, _pytree.tree_leaves(arguments()))
        try:
            module = copy.deepcopy(exported.module).eval()
        except Exception:  # weights that are computed, locks, open files, ...: see torch_place
            module = None
        if module is not None:
            positional, keywords = call_of(module, arguments())
            result = module(*positional, **keywords)
    outputs = [value.name for value in exported.model.graph.output]
    flat = tensors_of((result,))
    seen.update({n: _to_numpy(t) for n, t in zip(outputs, flat, strict=False)})
    return seen


def as_place(where: Any, exported: Exported | None = None) -> Place:
    """Return `where` as a place.

    A `Place`, ``"torch"``, ``"onnx_reference"``, a build by its short name (``"cann"``), or a
    provider of this process by its full name, alone or with its options.
    """
    if isinstance(where, Place):
        return where
    if where == "onnx_reference":
        return reference_place()
    if where == "torch":
        if exported is None:
            raise InputError(
                "Only an exported module can be run by PyTorch.",
                "a plain ONNX model was given",
                "give compare() what export() returned",
            )
        return torch_place(exported)
    if isinstance(where, str) and where in environments.BUILDS:
        return build_place(where)
    if isinstance(where, tuple):
        return provider_place(*where)
    return provider_place(str(where))


def _values_of(graph_module: Any, leaves: list[Any]) -> tuple[Values, Any]:
    """Run a captured graph on all its flat arguments; return its values and its results."""
    import torch

    class Watching(torch.fx.Interpreter):
        def run_node(self, node):
            result = super().run_node(node)
            if isinstance(result, torch.Tensor):
                seen[node.name] = _to_numpy(result)
            return result

    seen: Values = {}
    result = Watching(graph_module).run(*leaves, enable_io_processing=False)
    return seen, result


def _to_numpy(tensor: Any) -> np.ndarray:
    import torch

    tensor = tensor.detach().cpu()
    # a copy: what is written in place later must not change what was seen
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy().copy()
