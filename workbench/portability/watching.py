"""A session in this process with everything kept that says where its nodes ran.

For what runs here: the runtime's own provider for the processor, and ours, whose kernels are the
learner's functions. It refuses to judge what it kept (`reconciling` does).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import ExecutionError
from workbench.portability._ort import onnxruntime
from workbench.portability.feeds import shapes_of
from workbench.portability.session import CPU, open_session
from workbench.portability.workers._profile import profile_rows

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Watched:
    """What a session in this process said.

    Attributes
    ----------
    assigned : list
        ``[provider, [[name, operator, domain], ...]]`` for each part of the graph.
    graph : onnx.ModelProto or None
        As the runtime wrote it; None where the provider compiles its nodes.
    profile : list or None
        As `profile_rows` returns it; None where nothing was run.
    tried : tuple of dict
        The shapes of each run, and its error where it failed.
    """

    assigned: list[Any]
    graph: onnx.ModelProto | None
    profile: list[Any] | None
    tried: tuple[dict[str, Any], ...]


def watched(
    model: onnx.ModelProto,
    provider: str,
    runs: Sequence[Mapping[str, np.ndarray]],
    limit_s: float,
) -> Watched:
    """Open a session of a provider in this process, run it, and return what was seen."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        settings = onnxruntime().SessionOptions()
        written = Path(folder) / "optimised.onnx"
        if provider == CPU:
            settings.optimized_model_filepath = str(written)
        if runs:
            settings.enable_profiling = True
            settings.profile_file_prefix = str(Path(folder) / "profile")
        session = open_session(model, provider, session_options=settings)
        tried = tuple(_try(session, feeds, limit_s) for feeds in runs)
        profile = profile_rows(session.raw.end_profiling()) if runs else None
        graph = _read(written) if written.exists() else None
    assigned = [
        [part.ep_name, [[node.name, node.op_type, node.domain] for node in part.get_nodes()]]
        for part in session.raw.get_provider_graph_assignment_info()
    ]
    return Watched(assigned, graph, profile, tried)


def _try(session: Any, feeds: Mapping[str, np.ndarray], limit_s: float) -> dict[str, Any]:
    row: dict[str, Any] = {"shapes": shapes_of(feeds)}
    try:
        session.run(feeds, limit_s)
    except ExecutionError as error:
        row["error"] = f"{error.happened} {error.saw}"
    return row


def _read(path: Path) -> onnx.ModelProto:
    import onnx

    return onnx.load_model(str(path))
