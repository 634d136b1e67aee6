"""Records ONNX Runtime's questions to a provider of one's own, and the groups it made.

A recording is kept only where playing it gives the answers of a live run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.portability.comparing import difference
from workbench.portability.provider.engine import Kernel, Provider
from workbench.portability.provider.library import NAME
from workbench.portability.recorded.book import Book, key_of
from workbench.portability.recorded.provider import RecordedProvider
from workbench.portability.recorded.record_ascend import RecordingError, values_of

Kernels = Mapping[str, Kernel]


class _Listener(Provider):
    """A provider that keeps the runtime's words."""

    def __init__(self, kernels: Kernels):
        super().__init__(kernels)
        self.turns: list[tuple[list[Any], str]] = []
        self.groups: list[tuple[list[Any], Any]] = []
        self.listener = self._hear

    def _hear(self, kind: str, *words: Any) -> None:
        if kind == "claim":
            text, answers = words
            self.turns.append((json.loads(text), "".join("01"[answer] for answer in answers)))
        else:
            members, fused = words
            self.groups.append((json.loads(members), json.loads(fused)))


def record_own(
    book: Book, model: Any, kernel_sets: Sequence[Kernels], inputs: Sequence[Sequence[np.ndarray]]
) -> None:
    """Record what the runtime asks about a model, once for each set of kernels.

    Parameters
    ----------
    book : Book
    model : onnx.ModelProto
    kernel_sets : sequence of mapping
        What the provider has; with each it takes other nodes.
    inputs : sequence of sequences of arrays
        To hold the recording against a live run.

    Raises
    ------
    RecordingError
        Where the recording does not play as it went.
    """
    nodes: list[dict[str, Any]] = []

    def index(node: dict[str, Any]) -> int:
        if node not in nodes:
            nodes.append(node)
        return nodes.index(node)

    talks = []
    for kernels in kernel_sets:
        heard = _Listener(kernels)
        session = heard.open_session(model)
        talks.append(
            {
                "turns": [[[index(node) for node in asked], said] for asked, said in heard.turns],
                "groups": [[[index(n) for n in group], index(one)] for group, one in heard.groups],
                "assigned": [list(pair) for pair in session.nodes_by_provider().items()],
            }
        )
    folded = _folded(model, nodes, inputs[0])
    key = key_of(model, "session", NAME)
    book.entries[key] = {"nodes": nodes, "folded": folded, "conversations": talks}
    if not all(_plays(book, model, kernels, given) for kernels in kernel_sets for given in inputs):
        del book.entries[key]
        raise RecordingError(
            "The recording does not play as it went.",
            ", ".join(node.op_type for node in model.graph.node)[:200],
            "look at what the runtime folds or fuses before it asks",
        )


def _folded(model: Any, nodes: list[dict[str, Any]], inputs: Sequence[np.ndarray]) -> dict:
    """Return the constants that the runtime made by folding nodes, which the model has not."""
    names = [value.name for value in model.graph.input]
    truth = values_of(model, dict(zip(names, inputs, strict=True)))
    known = {*names, *(constant.name for constant in model.graph.initializer)}
    known |= {value[0] for node in nodes for value in node["outputs"] if value}
    wanted = {value[0] for node in nodes for value in node["inputs"] if value and value[0]} - known
    found = {name: np.asarray(truth[name]) for name in sorted(wanted)}
    return {n: [v.dtype.str, list(v.shape), v.ravel().tolist()] for n, v in found.items()}


def _plays(book: Book, model: Any, kernels: Kernels, given: Sequence[np.ndarray]) -> bool:
    live, played = Provider(kernels), RecordedProvider(book, kernels)
    a, b = (provider.open_session(model).run(given) for provider in (live, played))
    same = all(difference(x, y)[2] for x, y in zip(b, a, strict=True))
    refused = [[node.name for node, _ in one.record.refused] for one in (live, played)]
    return same and refused[0] == refused[1] and live.record.runs == played.record.runs
