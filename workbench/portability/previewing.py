"""Will it run there? Answered with the vendor's own code and no hardware.

`preview` opens a session of the provider that was asked for, in a worker process: of this
environment's runtime where that has it, else of the vendor's build, over a stand-in for the
vendor's libraries where the hardware is missing. Which nodes it takes, which copies are inserted
and how often it compiles are the provider's own doing. It gives no times: over a stand-in they
would mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import ExecutionError, UnknownNameError, WorkerError
from workbench.portability.ascend.device import MODES as ASCEND_MODES
from workbench.portability.feeds import shapes_of
from workbench.portability.load import load_model
from workbench.portability.names import with_names
from workbench.portability.opening import IN_PROCESS, Workplace, open_workplace
from workbench.portability.own_operators import WAYS_ROUND, own_operators, without
from workbench.portability.placement import (
    NodePlacement,
    Placement,
    last_line,
    logged_reasons,
    memory_copies,
)
from workbench.portability.provider import library
from workbench.portability.provider.engine import asked_provider
from workbench.portability.reconciling import reconcile
from workbench.portability.session import provider_names
from workbench.portability.watching import watched
from workbench.portability.workers import environments
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

if TYPE_CHECKING:
    import onnx

SHORT = {build.name: build.provider for build in environments.BUILDS.values()}

# provider -> its modes and the options that make them; the first is what is previewed by default
MODES: dict[str, dict[str, dict[str, str]]] = {"CANNExecutionProvider": ASCEND_MODES}
_COMPILING = ("graph", "subgraphs")
_NOT_LISTED = "the provider's list of operators for its graph engine does not have it"


class Preview:
    """Keeps one worker for each build, so that many previews cost one start.

    Use it as a context, or call `close`.

    Parameters
    ----------
    limit_s : float
        Seconds that one request may take: opening a session, or a run.
    limit_bytes : int, optional
        Memory that a worker may use; three quarters of what there is by default.
    """

    def __init__(self, *, limit_s: float = 120.0, limit_bytes: int | None = None):
        self._limit_s, self._limit_bytes = limit_s, limit_bytes
        self._places: dict[str, Workplace] = {}

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for place in self._places.values():
            place.close()
        self._places.clear()

    def __call__(
        self,
        model: Any,
        provider: str = "cann",
        mode: str = "",
        *,
        runs: Sequence[Mapping[str, np.ndarray]] = (),
    ) -> Placement:
        """Preview one model on one provider; see `preview`."""
        provider = _known(provider)
        mode = mode_of(provider, mode)
        loaded = with_names(load_model(model, own_operators=True))
        if own := own_operators(loaded):
            return self._around(loaded, own, provider, mode)
        return self._ask(loaded, provider, mode, runs)

    def _ask(self, model, provider, mode, runs=()) -> Placement:
        if provider in IN_PROCESS:
            return _in_process(model, provider, runs, self._limit_s)
        options = MODES.get(provider, {}).get(mode, {})
        return self._in_worker(model, provider, mode, options, runs)

    def _around(self, model, own: Mapping[str, str], provider, mode) -> Placement:
        """Preview what is left of a model once the nodes that no provider has are cut out."""
        rest, assumed = without(model, set(own))
        notes = [f"No provider has {len(own)} of the nodes: {WAYS_ROUND}."]
        if assumed:
            notes.append(f"Taken for float, as nothing says their type: {', '.join(assumed[:5])}.")
        found = Placement(provider, mode, opset_of(model), (), (), (), (), False)
        try:
            if rest.graph.node:
                found = self._ask(rest, provider, mode)
        except ExecutionError as error:
            words = last_line(error.saw or error.happened)
            notes.append(f"Where the rest runs could not be seen without them: {words}")
        rows = [NodePlacement(n.name, n.op_type, "", own.get(n.name, "")) for n in model.graph.node]
        nodes = in_order(model, [*(row for row in rows if row.name in own), *found.nodes])
        return replace(found, nodes=nodes, notes=(*found.notes, *notes))

    def worker(self, provider: str) -> Worker:
        """Return the worker that has a provider's build, started where it is not.

        Raises
        ------
        UnavailableError
            Where no build brings the provider, or it is not installed.
        """
        return self._place(provider).worker

    def _place(self, provider: str) -> Workplace:
        place = self._places.get(provider)
        if place is None or not place.worker.alive:
            place = self._places[provider] = open_workplace(
                provider, limit_s=self._limit_s, limit_bytes=self._limit_bytes
            )
        return place

    def _in_worker(self, model, provider, mode, options, runs) -> Placement:
        place = self._place(provider)
        worker = place.worker
        start = worker.log_size()
        session = open_worker_session(
            worker,
            model,
            provider,
            options=options,
            optimised=mode not in _COMPILING and not place.compiles,
            profile=bool(runs),
            severity=1,
        )
        reasons = logged_reasons(worker.words_since(start))
        default = _NOT_LISTED if mode in _COMPILING else "the provider left it, and logged nothing"
        nodes = _nodes(model, session.assigned or [], provider, reasons, default)
        tried = tuple(_try(worker, session, feeds) for feeds in runs)
        profile = session.profile() if runs and worker.alive else None
        graph, copies = None, ()
        if session.optimised:
            import onnx

            graph = onnx.load_model_from_string(session.optimised)
            copies = memory_copies(graph, tried[0]["shapes"] if tried else None)
        if worker.alive:  # a run may have ended it: what was seen before still holds
            session.close()
        failed = any("error" in run for run in tried)
        together = reconcile(model, nodes, graph, profile, provider, failed=failed)
        return Placement(
            provider,
            mode,
            opset_of(model),
            nodes,
            copies,
            tried,
            together.disagreements,
            worker.standin != "",
            (place.note,) if place.note else (),
            changes=together.changes,
            sources=together.sources,
        )


def _known(name: str) -> str:
    """Return the full name of a provider; one that nobody knows raises with the near misses."""
    if name not in SHORT and name not in (known := provider_names()):
        raise UnknownNameError("provider", name, [*SHORT, *known])
    return SHORT.get(name, name)


def mode_of(provider: str, mode: str) -> str:
    """Return the mode that is meant, the provider's first by default; an unknown one raises."""
    modes = MODES.get(provider, {"": {}})
    mode = mode or next(iter(modes))
    if mode not in modes:
        raise UnknownNameError(f"mode of {provider}", mode, modes)
    return mode


def preview(
    model: Any,
    provider: str = "cann",
    mode: str = "",
    *,
    runs: Sequence[Mapping[str, np.ndarray]] = (),
) -> Placement:
    """Say which nodes of a model a provider takes, which it refuses and why, and what is copied.

    Parameters
    ----------
    model : path, bytes or onnx.ModelProto
        Checked before anything else sees it.
    provider : str
        ``"cann"``, ``"cuda"``, ``"openvino"``, or the full name of a provider that is here.
    mode : str
        For CANN: ``"subgraphs"``, ``"graph"`` or ``"operators"``.
    runs : sequence of mappings, optional
        Inputs to run on, one after another, counting copies and compiles.

    Raises
    ------
    UnavailableError
        Where the provider's build is not installed: `workbench providers add`.
    DataFileError
        Where the model is not a sound ONNX file.
    """
    with Preview() as once:
        return once(model, provider, mode, runs=runs)


def _in_process(model, provider, runs, limit_s) -> Placement:
    """Place on the runtime's own processor provider, or on ours, whose kernels live here."""
    refused = asked_provider().record.refused if provider == library.NAME else []
    start = len(refused)
    seen = watched(model, provider, runs, limit_s)
    reasons = {node.name or node.operator: reason for node, reason in refused[start:]}
    nodes = _nodes(model, seen.assigned, provider, reasons, "the provider left it")
    failed = any("error" in run for run in seen.tried)
    together = reconcile(model, nodes, seen.graph, seen.profile, provider, failed=failed)
    return Placement(
        provider,
        "",
        opset_of(model),
        nodes,
        (),
        seen.tried,
        together.disagreements,
        False,
        changes=together.changes,
        sources=together.sources,
    )


def _nodes(model, assigned, provider, reasons, default) -> tuple[NodePlacement, ...]:
    rows = []
    for where, nodes in assigned:
        for name, operator, _ in nodes:
            reason = "" if where == provider else reasons.get(name, reasons.get(operator, default))
            rows.append(NodePlacement(name or operator, operator, where, reason))
    return in_order(model, rows)


def in_order(model: onnx.ModelProto, rows: Sequence[NodePlacement]) -> tuple[NodePlacement, ...]:
    """Return nodes in the graph's order; those that optimisation made come last."""
    order = {node.name: i for i, node in enumerate(model.graph.node)}
    return tuple(sorted(rows, key=lambda row: order.get(row.name, len(order))))


def _try(worker, session, feeds) -> dict[str, Any]:
    worker.counters(reset=True)
    row: dict[str, Any] = {"shapes": shapes_of(feeds)}
    try:
        session.run(feeds)
    except ExecutionError as error:
        died = isinstance(error, WorkerError)
        row["error"] = (f"{error.happened} {error.saw}" if died else error.saw)[:900]
    if worker.alive:
        row.update(worker.counters())
    return row


def opset_of(model: onnx.ModelProto) -> int:
    """Return the opset of the ``ai.onnx`` domain; 0 where the model imports none."""
    return next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), 0)
