"""A session in a worker process, with the same face as one in this process.

Strict in the same way: the provider that was asked for must be the one that is active, and its
options are checked by name before anything is sent. It refuses to time a run over a stand-in, where
time means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.portability.options import checked_options
from workbench.portability.plugins import is_foreign, register_in
from workbench.portability.refusals import ProviderError
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

    @classmethod
    def of(cls, worker: Worker, provider: str, about: Mapping[str, Any]) -> WorkerSession:
        """Return the session that a worker's answer is about."""
        return cls(
            worker,
            about["key"],
            provider,
            tuple(name for name, *_ in about["inputs"]),
            tuple(name for name, *_ in about["outputs"]),
            about["assigned"],
            about["optimised"],
        )

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

    def latencies(
        self, feeds: Mapping[str, np.ndarray], *, least: int, most: int, limit_s: float
    ) -> tuple[float, list[float]]:
        """Run again and again, timed in the worker; return the first call and the samples, in ns.

        Raises
        ------
        InputError
            Over a stand-in, where time means nothing.
        """
        if self.worker.standin:
            raise InputError(
                f"A run of {self.provider} over a stand-in is not timed.",
                f"stand-in: {self.worker.standin}",
                "time it on the vendor's hardware",
            )
        body = {"key": self.key, "feeds": dict(feeds)}
        body.update(least=least, most=most, limit_s=limit_s)
        first, samples = self.worker.request("latencies", body)
        return first, samples

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
    threads: int = 0,
) -> WorkerSession:
    """Open a session in a worker.

    Parameters
    ----------
    worker : Worker
    model : bytes, path or onnx.ModelProto
    provider : str
    options, config : mapping, optional
        The provider's, checked by name before anything is sent; the session's configuration.
    optimised, profile : bool
        Whether to keep the rewritten graph, and to record events.
    level, severity, threads : int
        ONNX Runtime's graph optimisation level (its default where None), the level from which on
        it logs (1 is information, 3 is errors), and its threads within an operator (0: its choice).

    Raises
    ------
    ProviderError
        Where the worker's build does not have the provider, or another one is active.
    """
    body = {
        "model": _bytes_of(model),
        "provider": provider,
        "options": checked_options(provider, options),
        "config": {**RECORD, **(config or {})},
        "optimised": optimised,
        "profile": profile,
        "level": level,
        "severity": severity,
        "threads": threads,
    }
    _register(worker, provider)
    _require(provider in worker.providers, worker, provider, worker.providers)
    about = worker.request("open", body)
    _require(provider in about["providers"], worker, provider, about["providers"])
    return WorkerSession.of(worker, provider, about)


def _register(worker: Worker, provider: str) -> None:
    plugin = worker.takes_plugins and is_foreign(provider) and provider not in worker.providers
    if plugin and register_in(worker, provider):
        worker.providers.append(provider)


def _bytes_of(model: Any) -> bytes:
    if isinstance(model, (str, Path)):
        return Path(model).read_bytes()
    return model if isinstance(model, bytes) else model.SerializeToString()


def _require(there: bool, worker: Worker, provider: str, others: Sequence[str]) -> None:
    """Raise where another provider than the one asked for would run, naming both."""
    if not there:
        raise ProviderError(
            f"{provider} was asked for and {others[0]} is what would run.",
            f"onnxruntime {worker.version} with {', '.join(others)}; {worker.last_words()[-400:]}",
            "add the build that has it (`workbench providers list`), with the driver and the "
            "libraries that it needs",
        )
