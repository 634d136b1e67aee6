"""Which operators a provider takes, found by asking it: ONNX's own node models, one by one.

`support_matrix` previews the node models of ONNX's backend tests on a provider and counts, for each
operator and opset, the models that it takes whole. The result is data, kept in
``datasets/operator_support/`` with the versions it was made with, by
``scripts/record_operator_support``; `load_matrix` reads it. It says what a provider claims, not
that the claim holds: running it does.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.catalog import folder
from workbench.errors import DataFileError, ExecutionError
from workbench.measurement import now
from workbench.portability.placement import Placement
from workbench.portability.previewing import opset_of
from workbench.portability.provider.grade import operator_tests


def node_models() -> list[tuple[str, Any]]:
    """Return name and model of ONNX's node tests."""
    return [(case.name, case.model) for case in operator_tests()]


def operator_of(model: Any, name: str, siblings: Mapping[str, Any]) -> str:
    """Return the row a node model belongs to.

    A model of one node belongs to its operator. An expanded one is the definition of an operator
    as a function of others, and belongs to ``"Softmax, expanded"``; the rest have several nodes.
    """
    if len(model.graph.node) == 1:
        return model.graph.node[0].op_type
    base = siblings.get(name.partition("_expanded")[0])
    if "_expanded" in name and base is not None and len(base.graph.node) == 1:
        return f"{base.graph.node[0].op_type}, expanded"
    return "several operators"


def support_matrix(
    models: Iterable[tuple[str, Any]],
    places: Iterable[tuple[str, str]],
    preview: Callable[..., Placement],
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return, for each place, operator and opset, how many of its models are taken whole.

    Parameters
    ----------
    models : iterable of (name, model)
        Such as `node_models` returns.
    places : iterable of (provider, mode)
    preview : callable
        ``preview(model, provider, mode) -> Placement``.
    say : callable
        Given a line of progress now and then.

    Returns
    -------
    dict
        ``places`` holds, for each place, operator and opset, the counts named in ``counts``: the
        models tried; those the provider takes whole; those of which its runtime makes no session
        (too new an opset, or claimed and then failed).
    """
    import onnx

    models = list(models)
    table = {
        f"{provider} {mode}".strip(): _rows(models, provider, mode, preview, say)
        for provider, mode in places
    }
    return {
        "made_at": now(),
        "onnx": onnx.__version__,
        "models": len(models),
        "counts": ["tried", "taken whole", "no session"],
        "places": table,
    }


def _rows(models, provider, mode, preview, say) -> dict[str, dict[str, list[int]]]:
    siblings = dict(models)
    rows: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for done, (name, model) in enumerate(models, 1):
        row = rows[operator_of(model, name, siblings)]
        cell = row.setdefault(str(opset_of(model)), [0, 0, 0])
        cell[0] += 1
        outcome = _outcome(preview, model, provider, mode)
        if outcome:
            cell[outcome] += 1
        if done % 200 == 0 or done == len(models):
            say(f"{provider} {mode}: {done} of {len(models)} models")
    return dict(sorted(rows.items()))


def _outcome(preview: Callable[..., Placement], model: Any, provider: str, mode: str) -> int:
    """Return 1 where a model is taken whole, 2 where there is no session, and 0 otherwise."""
    try:
        found = preview(model, provider, mode)
    except (DataFileError, ExecutionError):  # a build that is missing is no answer, and raises
        return 2
    return 1 if found.nodes and found.on_device == len(found.nodes) else 0


def matrix_path() -> Path:
    """Return where the matrix is kept."""
    return folder("datasets") / "operator_support" / "matrix.json"


def load_matrix() -> dict[str, Any]:
    """Return the matrix that is kept as data.

    Raises
    ------
    DataFileError
        Where it is not there, or cannot be read.
    """
    try:
        return json.loads(matrix_path().read_text())
    except (OSError, ValueError) as cause:
        raise DataFileError(
            "The operator support matrix cannot be read.",
            str(cause),
            "make it again: scripts/record_operator_support",
        ) from cause
