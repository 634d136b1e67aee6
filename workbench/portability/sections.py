"""The sections of a report on a model, one function each.

A section is plain JSON: its result, or ``error`` or ``unavailable`` with the reason. Whatever runs
a runtime's native code on a model runs it in a worker process, so that a crash is a sentence in the
report. It refuses to time anything over a stand-in.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import UnavailableError, WorkbenchError
from workbench.portability.comparing import compare, difference
from workbench.portability.converting import converted
from workbench.portability.exporting import Exported, export
from workbench.portability.latency import latency_row
from workbench.portability.names import with_names
from workbench.portability.own_operators import own_operators
from workbench.portability.places import worker_place
from workbench.portability.previewing import Preview, opset_of
from workbench.portability.provider.graph import DTYPES
from workbench.portability.session import CPU
from workbench.portability.sweeping import sweep, whom_it_serves
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

PLACES = (("cann", "subgraphs"), ("cann", "operators"), ("cuda", ""), ("openvino", ""))
SWEEP_OPSETS = (18, 20, 22, 23)
RUN_LIMIT_S = 60.0
NO_INPUTS = {"reason": "there are no inputs to run on"}


@dataclass
class Subject:
    """What a report is about.

    Attributes
    ----------
    spec : str
        As it was asked for.
    factory : callable or None
        Returns module, inputs and dynamic shapes; None for a file.
    exported : Exported or None
    model : onnx.ModelProto or None
        None until it is exported.
    feeds : dict or None
        None where no inputs could be made up.
    """

    spec: str
    factory: Callable[[], tuple[Any, ...]] | None = None
    exported: Exported | None = None
    model: Any = None
    feeds: Mapping[str, np.ndarray] | None = None


def section(make: Callable[..., Any], *arguments: Any) -> Any:
    """Return a section, or the error in its place: a report says why there is no result.

    An error of any kind: one fault in a section must not cost the reader the others.
    """
    try:
        return finite(make(*arguments))
    except WorkbenchError as error:
        kind = "unavailable" if isinstance(error, UnavailableError) else "error"
        reason = error.saw or error.happened
        return {kind: error.happened, "reason": reason, "advice": error.advice}
    except Exception as error:
        return {
            "error": "The workbench failed here; this is a fault in it.",
            "reason": f"{type(error).__name__}: {error}",
            "advice": "report it with the model",
        }


def export_section(subject: Subject, module: Any, inputs: Any, dynamic: Any) -> dict[str, Any]:
    """Export what the factory made."""
    subject.exported = export(module, inputs, dynamic=dynamic)
    subject.model = subject.exported.model
    return {"opset": subject.exported.opset, "notes": list(subject.exported.notes)}


def summary_section(subject: Subject, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    """Count what is in the graph."""
    model, path = subject.model, Path(subject.spec)
    operators = Counter(node.op_type for node in model.graph.node)
    open_dims = [
        f"{value.name}[{axis}]"
        for value in model.graph.input
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        if not dim.HasField("dim_value") or dim.dim_value < 0
    ]
    return {
        "opset": opset_of(model),
        "domains": sorted({node.domain or "ai.onnx" for node in model.graph.node}),
        "nodes": len(model.graph.node),
        "operators": dict(operators.most_common()),
        "file_bytes": path.stat().st_size if path.is_file() else model.ByteSize(),
        "weight_bytes": weight_bytes(model),
        "open_dimensions": open_dims,
        "operators_nobody_has": sorted(set(own_operators(with_names(model)).values())),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
    }


def weight_bytes(model: Any) -> int:
    """Return how many bytes the constants of a graph take."""
    return sum(
        int(np.prod(t.dims, dtype=np.int64)) * DTYPES.get(t.data_type, np.dtype("u1")).itemsize
        for t in model.graph.initializer
    )


def parity_section(subject: Subject, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    """Hold PyTorch against the CPU; for a file, the optimised graph against the plain one."""
    if own := report["summary"].get("operators_nobody_has"):
        return {"reason": f"it runs nowhere: {'; '.join(own)}"}
    if subject.feeds is None:
        return NO_INPUTS
    if subject.exported is not None:
        found = compare(subject.exported, "torch", CPU)
        return {"between": "PyTorch and ONNX Runtime's CPU", **found.as_json()}
    with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as worker:
        plain = worker_place(worker, CPU, "the CPU as the graph is written", level=0)
        usual = worker_place(worker, CPU, "the CPU as it optimises it")
        return _compared(subject, plain, usual)


def _compared(subject: Subject, a: Any, b: Any) -> dict[str, Any]:
    """Compare the outputs of two places, and value by value where they differ."""
    values = [place.run(subject.model, subject.feeds) for place in (a, b)]
    rows = []
    for name in (value.name for value in subject.model.graph.output):
        error, _, agrees = difference(np.asarray(values[1][name]), np.asarray(values[0][name]))
        rows.append({"output": name, "max_abs_error": error, "agrees": agrees})
    between, agree = f"{a.name} and {b.name}", all(row["agrees"] for row in rows)
    if agree:
        sentence = f"{between} agree on all {len(rows)} outputs."
        return {"between": between, "outputs_agree": True, "sentence": sentence, "outputs": rows}
    walked = compare(subject.model, a, b, inputs=subject.feeds).as_json()
    return {"between": between, "outputs": rows, **walked, "outputs_agree": False}


def latency_section(subject: Subject, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    """Time the model on this machine's CPU."""
    if "outputs_agree" not in report["parity"]:
        return {"reason": "it did not run on the CPU"}
    with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as worker:
        session = open_worker_session(worker, subject.model, CPU, threads=1)
        where = "ONNX Runtime's CPU, one thread, this machine"
        return latency_row(session, subject.feeds, "ort_cpu", where)


def memory_section(subject: Subject, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    """Say what the model needs of memory: its size, and the peak that a process grows by."""
    if "outputs_agree" not in report["parity"]:
        return {"reason": "it did not run on the CPU"}
    with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as worker:
        data = subject.model.SerializeToString()
        before = worker.memory(reset=True)["resident_bytes"]
        session = open_worker_session(worker, data, CPU, threads=1)
        opened = worker.memory(reset=True)
        outputs = session.run(subject.feeds or {})
        ran = worker.memory()
    peak = max(opened["peak_bytes"], ran["peak_bytes"])
    return {
        "where": "a process of its own with ONNX Runtime's CPU, one thread, this machine",
        "provenance": "measured",
        "peak_bytes": peak - before,
        "peak_opening_bytes": opened["peak_bytes"] - before,
        "open_bytes": opened["resident_bytes"] - before,
        "peak_running_bytes": ran["peak_bytes"] - before,
        "weight_bytes": weight_bytes(subject.model),
        "input_bytes": sum(np.asarray(v).nbytes for v in (subject.feeds or {}).values()),
        "output_bytes": sum(np.asarray(v).nbytes for v in outputs),
        "process_bytes": before,
    }


def placement_sections(
    subject: Subject, report: dict[str, Any], preview: Preview
) -> list[dict[str, Any]]:
    """Ask each provider what it takes."""
    rows, ran = [], "outputs_agree" in report["parity"]  # else a run would fail here as well
    for provider, mode in PLACES:
        # over the CUDA stand-in no kernel computes: a run there tells nothing
        runs = [subject.feeds] if ran and provider != "cuda" else []
        found = section(lambda p=provider, m=mode, r=runs: _placed(preview, subject, p, m, r))
        rows.append({**found, "asked": provider, "asked_mode": mode})
    return rows


def _placed(preview: Preview, subject: Subject, provider: str, mode: str, runs: list[Any]) -> Any:
    return preview(subject.model, provider, mode, runs=runs).as_json()


def divergence_section(
    subject: Subject, report: dict[str, Any], preview: Preview
) -> dict[str, Any] | list[dict[str, Any]]:
    """Hold the CPU against each provider that really runs here, and time it."""
    if report["summary"].get("operators_nobody_has"):
        return {"reason": "it runs nowhere"}
    if subject.feeds is None:
        return NO_INPUTS
    real = [row for row in report["placement"] if "sentence" in row and not row["simulated"]]
    if not real:
        return {"reason": "besides the CPU, no provider that computes for real is here"}
    return [
        {**section(_against_cpu, subject, preview, row["provider"]), "asked": row["asked"]}
        for row in real
    ]


def _against_cpu(subject: Subject, preview: Preview, provider: str) -> dict[str, Any]:
    with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as cpu:
        other = preview.worker(provider)
        usual = worker_place(cpu, CPU, "the CPU", level=0)
        found = _compared(subject, usual, worker_place(other, provider, provider))
    session = open_worker_session(other, subject.model, provider)
    where = f"{provider} in onnxruntime {other.version}, its own threads, this machine"
    latency = section(latency_row, session, subject.feeds, provider, where)
    session.close()
    return {**found, "latency": latency}


def sweep_section(subject: Subject, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    """Place the model at several opsets: exported again, or converted where it is a file."""
    usable = [(row["asked"], row["asked_mode"]) for row in report["placement"] if "sentence" in row]
    if not usable:
        return {"reason": "no provider's build is installed: `workbench providers list`"}
    models, failed = {}, {}
    for opset in sorted({*SWEEP_OPSETS, opset_of(subject.model)}):
        try:
            models[opset] = _at(subject, opset)
        except WorkbenchError as error:
            failed[opset] = f"{error.happened} {error.saw}"[:300]
    how = "exported" if subject.factory else "converted by onnx.version_converter"
    found = sweep(models, usable, preview=preview).as_json()
    serves = whom_it_serves(found, len(report["placement"]))
    return {**found, "how": how, "not_made": failed, "serves": serves}


def _at(subject: Subject, opset: int) -> Any:
    if opset == opset_of(subject.model):
        return subject.model
    if subject.factory is None:
        return converted(subject.model, opset)
    module, inputs, dynamic = subject.factory()
    return export(module, inputs, opset=opset, dynamic=dynamic).model


def finite(value: Any) -> Any:
    """Return plain JSON: infinities and NaN, which JSON has none of, become words."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else "infinite"
    return value.item() if isinstance(value, np.generic) else value
