"""A session in a worker process, with the same face as one in this process.

Strict in the same way: the provider that was asked for must be the one that is active, and its
options are checked by name before anything is sent. It refuses to say how long a run took: with a
stand-in below, time means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.portability.options import checked_options
from workbench.portability.session import ProviderError
from workbench.portability.workers.process import Worker

RECORD = {"session.record_ep_graph_assignment_info": "1"}


@dataclass
class WorkerSession:
    """A session that lives in a worker.

    Attributes
    ----------
    worker : Worker
    key : int
        Its number there.
    provider : str
    input_names, output_names : tuple of str
    assigned : list or None
        ``[provider, [[name, operator, domain], ...]]`` for each part of the graph, where the
        runtime records it.
    optimised : bytes
        The graph as the runtime rewrote it, where that was asked for.
    """

    worker: Worker
    key: int
    provider: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    assigned: list[Any] | None
    optimised: bytes

    def run(self, inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run once; inputs by name or in the model's order."""
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self.input_names):
                raise InputError(
                    f"The model takes {len(self.input_names)} inputs.",
                    f"{len(inputs)} were given",
                    f"in this order: {', '.join(self.input_names)}",
                )
            inputs = dict(zip(self.input_names, inputs, strict=True))
        return self.worker.request("run", {"key": self.key, "feeds": dict(inputs)})

    def nodes_by_provider(self) -> dict[str, list[str]]:
        """Return the names of the nodes under the provider each was assigned to."""
        placed: dict[str, list[str]] = {}
        for provider, nodes in self.assigned or []:
            placed.setdefault(provider, []).extend(name or kind for name, kind, _ in nodes)
        return placed

    def profile(self) -> list[tuple[str, str, str, int]]:
        """End profiling; return provider, operator, event and count of the nodes that ran."""
        return [tuple(row) for row in self.worker.request("profile", {"key": self.key})]

    def close(self) -> None:
        """Forget the session in the worker."""
        self.worker.request("close", {"key": self.key})


def open_worker_session(
    worker: Worker,
    model: Any,
    provider: str,
    *,
    options: Mapping[str, object] | None = None,
    config: Mapping[str, str] | None = None,
    optimised: bool = False,
    profile: bool = False,
    level: int | None = None,
    severity: int = 3,
) -> WorkerSession:
    """Open a session in a worker.

    Parameters
    ----------
    worker : Worker
    model : bytes, path or onnx.ModelProto
    provider : str
    options : mapping, optional
        The provider's; unknown names raise before anything is sent.
    config : mapping, optional
        Session configuration entries.
    optimised, profile : bool
        Whether to keep the rewritten graph, and to record events.
    level : int, optional
        Graph optimisation level of ONNX Runtime; its default otherwise.
    severity : int
        From which level on the runtime logs; 1 is information, 3 is errors.

    Raises
    ------
    ProviderError
        Where the worker's build does not have the provider, or another one is active.
    """
    checked = checked_options(provider, options)
    if provider not in worker.providers:
        raise ProviderError(
            f"{provider} was asked for and the worker's build has it not.",
            f"onnxruntime {worker.version} with {', '.join(worker.providers)}",
            "add the build that has it: `workbench providers list`",
        )
    if isinstance(model, (str, Path)):
        model = Path(model).read_bytes()
    data = model if isinstance(model, bytes) else model.SerializeToString()
    body = {
        "model": data,
        "provider": provider,
        "options": checked,
        "config": {**RECORD, **(config or {})},
        "optimised": optimised,
        "profile": profile,
        "level": level,
        "severity": severity,
    }
    about = worker.request("open", body)
    if provider not in about["providers"]:
        raise ProviderError(
            f"{provider} was asked for and {about['providers'][0]} is what runs.",
            worker.last_words()[-400:] or f"active providers: {', '.join(about['providers'])}",
            "install the driver and libraries that the provider needs",
        )
    return WorkerSession(
        worker,
        about["key"],
        provider,
        tuple(name for name, *_ in about["inputs"]),
        tuple(name for name, *_ in about["outputs"]),
        about["assigned"],
        about["optimised"],
    )
