"""Which operators a provider takes, found by asking it: ONNX's own node models, one by one.

`support_matrix` previews the node models of ONNX's backend tests on a provider and counts, for each
operator and opset, the models that it takes whole. The result is data, kept in
``datasets/operator_support/`` with the versions it was made with; `load_matrix` reads it. It says
what a provider claims, not that the claim holds: running it does.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from workbench.catalog import folder
from workbench.errors import DataFileError, WorkbenchError
from workbench.measurement import now
from workbench.portability.placement import Placement
from workbench.portability.previewing import opset_of


def node_models() -> list[tuple[str, Any]]:
    """Return name and model of ONNX's node tests."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test data divides by zero on purpose
        return [(case.name, case.model) for case in load_model_tests(kind="node")]


def support_matrix(
    models: Iterable[tuple[str, Any]], places: Iterable[tuple[str, str]], preview: Callable
) -> dict[str, Any]:
    """Return, for each place and operator, how many of its models are taken whole.

    Parameters
    ----------
    models : iterable of (name, model)
        Models of one operator each count; the expanded ones, of many nodes, are left out.
    places : iterable of (provider, mode)
    preview : callable
        ``preview(model, provider, mode) -> Placement``.
    """
    import onnx

    table: dict[str, dict[str, dict[str, list[int]]]] = {}
    single = [(name, model) for name, model in models if len(model.graph.node) == 1]
    for provider, mode in places:
        rows: dict[str, dict[str, list[int]]] = defaultdict(dict)
        for _, model in single:
            cell = rows[model.graph.node[0].op_type].setdefault(str(opset_of(model)), [0, 0])
            cell[1] += 1
            cell[0] += _taken(preview, model, provider, mode)
        table[f"{provider} {mode}".strip()] = dict(sorted(rows.items()))
    return {"made_at": now(), "onnx": onnx.__version__, "models": len(single), "places": table}


def _taken(preview: Callable[..., Placement], model: Any, provider: str, mode: str) -> bool:
    try:
        found = preview(model, provider, mode)
    except WorkbenchError:
        return False  # the runtime refused the model: nobody takes it
    return bool(found.nodes) and found.on_device == len(found.nodes)


def load_matrix() -> dict[str, Any]:
    """Return the matrix that is kept as data.

    Raises
    ------
    DataFileError
        Where it is not there, or cannot be read.
    """
    path = folder("datasets") / "operator_support" / "matrix.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as cause:
        raise DataFileError(
            "The operator support matrix cannot be read.", str(cause), "make it again"
        ) from cause
