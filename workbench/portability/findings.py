"""What to know and to change, drawn from a report: the most pressing first.

It refuses to know anything of a model: it reads the report's sections, and `advice` for what to
write instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.portability.advice import change_for
from workbench.portability.own_operators import WAYS_ROUND

CLAIMED = "it claims the model and then fails: export at an opset before, or without what it names"


def findings(report: dict[str, Any]) -> list[str]:
    """Return the findings of a report, each once."""
    found = [line for read in _READERS for line in read(report)]
    return list(dict.fromkeys(found))


def _failures(report: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {section['error']} {section['reason']} {section['advice']}".strip()
        for name in ("export", "summary", "parity", "latency", "memory", "sweep")
        if "error" in (section := report.get(name, {}))
    ]


def _nobodys(report: dict[str, Any]) -> list[str]:
    own = report.get("summary", {}).get("operators_nobody_has")
    return [f"It runs nowhere yet: {'; '.join(own)}. Try: {WAYS_ROUND}."] if own else []


def _parity(report: dict[str, Any]) -> list[str]:
    parity = report.get("parity", {})
    return [f"Parity: {parity['sentence']}"] if parity.get("outputs_agree") is False else []


def _notes(report: dict[str, Any]) -> list[str]:
    return list(report.get("export", {}).get("notes", []))


def _placements(report: dict[str, Any]) -> list[str]:
    on_cpu = "outputs_agree" in report.get("parity", {})
    return [line for row in report.get("placement", []) for line in _placement(row, on_cpu)]


def _placement(row: dict[str, Any], on_cpu: bool) -> list[str]:
    name = row["asked"]
    if "unavailable" in row:
        return [f"{name}: not looked at, {row['reason']}. {row['advice']}"]
    if "error" in row:
        # what the CPU does not run either is no fault of the provider's
        claimed = f" ({CLAIMED})" if on_cpu else ""
        return [f"{name}: {row['error']} {row['reason'].strip()[-300:]}{claimed}"]
    off = sorted(
        {n["operator"] for n in row["nodes"] if n["provider"] not in (row["provider"], "")}
    )
    hints = [change_for(operator, row["provider"], row["mode"], row["opset"]) for operator in off]
    changes = [f"{name}: {hint}" for hint in hints if hint]
    failed = [
        f"{name}: running it: {run['error'].strip()[-300:]}"
        for run in row["runs"]
        if run.get("error")
    ]
    return [f"{name}: {row['sentence']}", *failed, *changes, *row["disagreements"]]


def _divergence(report: dict[str, Any]) -> list[str]:
    rows = report.get("divergence", [])
    rows = rows if isinstance(rows, list) else []
    found = [f"{r['asked']}: {r['sentence']}" for r in rows if r.get("outputs_agree") is False]
    return found + [f"{r['asked']}: {r['error']} {r['reason']}" for r in rows if "error" in r]


def _cliffs(report: dict[str, Any]) -> list[str]:
    sweep = report.get("sweep", {})
    found = [cliff["sentence"] for cliff in sweep.get("cliffs", [])]
    return [*found, *filter(None, [sweep.get("serves")])]


def _open_dimensions(report: dict[str, Any]) -> list[str]:
    dims = report.get("summary", {}).get("open_dimensions")
    if not dims:
        return []
    return [
        f"Open dimensions ({', '.join(dims[:4])}): Ascend's graph mode compiles once for each "
        "shape that comes; fix them, or pad to a few sizes."
    ]


_READERS: tuple[Callable[[dict[str, Any]], list[str]], ...] = (
    _failures,
    _nobodys,
    _parity,
    _notes,
    _placements,
    _divergence,
    _cliffs,
    _open_dimensions,
)
