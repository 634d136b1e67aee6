"""One report on a model: what exports, whether it agrees, what runs where, and what to change.

`port_model` goes through the steps in order and never stops at the first that fails: each section
holds its result or the reason there is none. Whatever runs foreign native code on the model runs in
a worker process. The numbers carry their provenance: latency is measured here, on the CPU; what
stand-ins show is placement and never time. It refuses to guess: what was not tried says so.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError, UnavailableError, WorkbenchError
from workbench.measurement import now
from workbench.portability.advice import change_for
from workbench.portability.comparing import compare, difference
from workbench.portability.exporting import Exported, export
from workbench.portability.latency import latency_section
from workbench.portability.load import load_model
from workbench.portability.previewing import Preview, example_feeds, opset_of
from workbench.portability.provider.graph import DTYPES
from workbench.portability.session import CPU
from workbench.portability.sweeping import sweep
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

PLACES = (("cann", "subgraphs"), ("cann", "operators"), ("cuda", ""), ("openvino", ""))
SWEEP_OPSETS = (18, 20, 22, 23)
RUN_LIMIT_S = 60.0


def port_model(spec: str, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Return the report on a model as plain JSON.

    Parameters
    ----------
    spec : str
        The path of an ``.onnx`` file, or ``package.module:factory``: a callable that returns
        ``(module, inputs)`` or ``(module, inputs, dynamic_shapes)``.
    say : callable
        Given a line before each step.

    Raises
    ------
    InputError
        Where the factory cannot be found, or returns something else.
    DataFileError
        Where the file is not a sound ONNX model.
    """
    report: dict[str, Any] = {"model": spec, "made_at": now(), "findings": []}
    factory = None if Path(spec).suffix == ".onnx" or Path(spec).exists() else _factory(spec)
    exported: Exported | None = None
    if factory:
        say("exporting")
        report["export"] = _section(lambda: _export_section(factory))
        exported = report["export"].pop("exported", None)
        if exported is None:
            report["findings"] = _findings(report)
            return report
        model = exported.model
    else:
        say("reading")
        model = load_model(spec)
    report["summary"] = _summary(model, spec)
    try:
        feeds = exported.feeds() if exported else example_feeds(model)
        report["inputs"] = "the export's example" if exported else "made up: normal floats, zeros"
    except WorkbenchError as error:
        feeds, report["inputs"] = None, f"none could be made up: {error}"
    say("running on the CPU")
    report["parity"] = _section(lambda: _parity_section(model, exported, feeds))
    say("measuring latency")
    ran = "outputs_agree" in report["parity"]  # in a worker: only then is it safe to run here
    report["latency"] = (
        _section(lambda: latency_section(model, feeds))
        if ran
        else {"reason": "it did not run on the CPU"}
    )
    say("placing on the providers")
    with Preview() as preview:
        report["placement"] = [_placement(preview, model, feeds, *place) for place in PLACES]
        if factory:
            say("sweeping opsets")
            report["sweep"] = _section(lambda: _sweep_section(factory, report, preview))
        else:
            report["sweep"] = {"reason": "a file has one opset: give package.module:factory"}
    report["findings"] = _findings(report)
    return report


def _section(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a section, or the error in its place: a report says why there is no result."""
    try:
        return make()
    except WorkbenchError as error:
        kind = "unavailable" if isinstance(error, UnavailableError) else "error"
        return {
            kind: error.happened,
            "reason": error.saw or error.happened,
            "advice": error.advice,
        }


def _factory(spec: str) -> Callable[[], tuple[Any, ...]]:
    module, colon, name = spec.partition(":")
    if not colon:
        raise InputError(
            "There is no such model.", repr(spec), "an .onnx file, or package.module:factory"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as cause:
        raise InputError(f"The factory {spec!r} cannot be found.", str(cause)) from cause
    finally:
        sys.path.remove(str(Path.cwd()))

    def made() -> tuple[Any, ...]:
        result = found()
        if not isinstance(result, (tuple, list)) or len(result) not in (2, 3):
            raise InputError(
                f"{spec} returned no model.",
                repr(type(result)),
                "return (module, inputs) or (module, inputs, dynamic_shapes)",
            )
        return (*result, None)[:3]

    return made


def _export_section(factory: Callable[[], tuple[Any, ...]]) -> dict[str, Any]:
    module, inputs, dynamic = factory()
    exported = export(module, inputs, dynamic=dynamic)
    return {"opset": exported.opset, "notes": list(exported.notes), "exported": exported}


def _summary(model: Any, spec: str) -> dict[str, Any]:
    operators = Counter(node.op_type for node in model.graph.node)
    weights = sum(
        int(np.prod(t.dims, dtype=np.int64)) * DTYPES.get(t.data_type, np.dtype("u1")).itemsize
        for t in model.graph.initializer
    )
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
        "weight_bytes": weights,
        "file_bytes": Path(spec).stat().st_size if Path(spec).is_file() else model.ByteSize(),
        "open_dimensions": open_dims,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
    }


def _parity_section(model: Any, exported: Exported | None, feeds: Any) -> dict[str, Any]:
    if feeds is None:
        return {"reason": "there are no inputs to run on"}
    if exported is not None:
        found = compare(exported, "torch", CPU)
        return {"between": "PyTorch and ONNX Runtime's CPU", **_finite(found.as_json())}
    with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as worker:
        outputs = []
        for level in (None, 0):  # the runtime's default, and no graph optimisation at all
            session = open_worker_session(worker, model, CPU, level=level)
            outputs.append(session.run(feeds))
    rows = [
        {"output": value.name, "max_abs_error": error, "agrees": agrees}
        for value, a, b in zip(model.graph.output, *outputs, strict=True)
        for error, _, agrees in [difference(np.asarray(a), np.asarray(b))]
    ]
    agree = all(row["agrees"] for row in rows)
    return {
        "between": "the CPU with and without graph optimisation",
        "outputs_agree": agree,
        "sentence": "Both agree." if agree else "They differ: see the outputs.",
        "steps": _finite(rows),
    }


def _placement(preview: Preview, model, feeds, provider: str, mode: str) -> dict[str, Any]:
    row = _section(
        lambda: _finite(
            preview(model, provider, mode, runs=[feeds] if _runs(provider, feeds) else []).as_json()
        )
    )
    return {**row, "asked": provider, "asked_mode": mode}


def _runs(provider: str, feeds: Any) -> bool:
    """Say whether a run tells anything: over the CUDA stand-in no kernel computes."""
    return feeds is not None and provider != "cuda"


def _sweep_section(factory, report: dict[str, Any], preview: Preview) -> dict[str, Any]:
    usable = [(row["asked"], row["asked_mode"]) for row in report["placement"] if "sentence" in row]
    if not usable:
        return {"reason": "no provider's build is installed: `workbench providers list`"}
    models, failed = {}, {}
    for opset in SWEEP_OPSETS:
        module, inputs, dynamic = factory()
        try:
            models[opset] = export(module, inputs, opset=opset, dynamic=dynamic).model
        except WorkbenchError as error:
            failed[opset] = error.happened
    return {**_finite(sweep(models, usable, preview=preview).as_json()), "not_exported": failed}


def _findings(report: dict[str, Any]) -> list[str]:
    """Return what to do, the most pressing first."""
    found = []
    for name in ("export", "parity", "latency"):
        section = report.get(name, {})
        if "error" in section:
            found.append(f"{name}: {section['error']} {section['reason']} {section['advice']}")
    parity = report.get("parity", {})
    if parity.get("outputs_agree") is False:
        found.append(f"Parity: {parity['sentence']}")
    found += list(report.get("export", {}).get("notes", []))
    for row in report.get("placement", []):
        found += _placement_findings(row)
    found += [cliff["sentence"] for cliff in report.get("sweep", {}).get("cliffs", [])]
    if report.get("sweep", {}).get("recommended"):
        found.append(f"Export at opset {report['sweep']['recommended']} to serve them all.")
    if report.get("summary", {}).get("open_dimensions"):
        dims = ", ".join(report["summary"]["open_dimensions"][:4])
        found.append(
            f"Open dimensions ({dims}): Ascend's graph mode compiles once for each shape that "
            "comes; fix them, or pad to a few sizes."
        )
    return list(dict.fromkeys(found))


def _placement_findings(row: dict[str, Any]) -> list[str]:
    if "unavailable" in row:
        return [f"{row['asked']}: not looked at, {row['reason']}. {row['advice']}"]
    if "error" in row:
        return [f"{row['asked']}: {row['error']} {row['reason']}"]
    found = [f"{row['asked']}: {row['sentence']}"]
    off = {n["operator"] for n in row["nodes"] if n["provider"] != row["provider"]}
    found += [f"{row['asked']}: {hint}" for hint in map(change_for, sorted(off)) if hint]
    return found + list(row["disagreements"])


def _finite(value: Any) -> Any:
    """Return plain JSON: infinities and NaN, which JSON has none of, become words."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else "infinite"
    return value.item() if isinstance(value, np.generic) else value
