"""Starts a worker process on one build of ONNX Runtime, and talks to it.

A provider library that crashes takes its worker with it and nothing else: the caller gets a
`WorkerError` with the signal and the last words. While the worker runs a model on the simulated
Ascend device it asks for kernels; the handler that was given answers, in this process, so that a
learner's kernel is an ordinary function of their notebook.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from workbench.errors import InstallationError, WorkbenchError, WorkerError
from workbench.portability.refusals import SessionError
from workbench.portability.workers import _wire
from workbench.portability.workers.launch import start_worker
from workbench.portability.workers.limits import (
    LOOK_S,
    in_words,
    memory_limit_bytes,
    resident_bytes,
)


class Worker:
    """A child process with one build of ONNX Runtime.

    Parameters
    ----------
    python : Path
        The interpreter of the build's environment.
    libraries : sequence of Path
        Stand-in libraries to load before the runtime; none on a machine with the real ones.
    standin : str
        ``"ascend"``, ``"nvidia"`` or empty.
    handlers : mapping, optional
        Answers what the worker asks: kind to ``function(body) -> answer``.
    limit_s : float
        Seconds after which a request that is not answered kills the worker.
    limit_bytes : int, optional
        Resident memory that kills it while it works; three quarters of what there is by default.
    """

    def __init__(
        self,
        python: Path,
        libraries: Sequence[Path] = (),
        standin: str = "",
        handlers: Mapping[str, Callable[[Any], Any]] | None = None,
        limit_s: float = 120.0,
        limit_bytes: int | None = None,
    ):
        self.handlers, self.limit_s, self.standin = dict(handlers or {}), limit_s, standin
        self.limit_bytes = memory_limit_bytes() if limit_bytes is None else limit_bytes
        # plug-ins of this environment fit its own runtime, not the one of another build
        self.takes_plugins = Path(python) == Path(sys.executable)
        self._raised: BaseException | None = None
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the worker lives)
        self._folder = tempfile.TemporaryDirectory(  # some providers write where they stand
            prefix="workbench-", ignore_cleanup_errors=True
        )
        with theirs:
            self._process = start_worker(python, theirs.fileno(), self._log)
        self._connection = Connection(ours.detach())
        try:
            paths = [str(path) for path in libraries]
            about = self.request(
                "load", {"libraries": paths, "standin": standin, "folder": self._folder.name}
            )
        except (SessionError, WorkerError) as cause:
            self.stop()
            if (self._process.returncode or 0) < 0 and isinstance(cause, WorkerError):
                raise  # a library crashed; otherwise the environment is not what it should be
            raise InstallationError(
                "The worker's ONNX Runtime does not start.",
                f"{python}: {cause.saw}",
                "`workbench providers remove NAME` and `workbench providers add NAME` for the "
                "build that this is (`workbench providers list`)",
            ) from cause
        except BaseException:
            self.stop()
            raise
        self.version: str = about["version"]
        self.providers: list[str] = about["providers"]

    def request(self, kind: str, body: Mapping[str, Any]) -> Any:
        """Send one request, answer what the worker asks meanwhile, and return its answer.

        Raises
        ------
        WorkerError
            Where the worker died or did not answer in time.
        SessionError
            Where it refused the request.
        """
        if self._connection.closed:
            raise WorkerError(
                "The worker with the provider's library is gone.",
                "it died or was stopped before",
                "open the provider again for a fresh worker",
            )
        deadline = time.monotonic() + self.limit_s
        self._raised = None
        try:
            _wire.send(self._connection, kind, dict(body))
            while True:
                self._await(kind, deadline)
                answer, content = _wire.receive(self._connection)
                if answer == "done":
                    return content
                if answer == "failed":
                    refused = self._refused(str(content[0]))
                    if refused is self._raised:
                        raise refused  # with its own cause: what the kernel raised
                    raise refused from self._raised
                self._answer(answer, content)
        except (EOFError, BrokenPipeError, ConnectionResetError) as cause:
            raise self._lost("died") from cause

    def _await(self, kind: str, deadline: float) -> None:
        """Wait for the next message, and end a worker that passes one of its limits."""
        while not self._connection.poll(min(LOOK_S, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise self._lost(
                    f"did not answer {kind!r} within its limit of {self.limit_s:g} s and was ended"
                )
            if (used := resident_bytes(self._process.pid)) > self.limit_bytes:
                raise self._lost(
                    f"used {in_words(used)} of memory for {kind!r}, over its limit of "
                    f"{in_words(self.limit_bytes)}, and was ended"
                )

    def _answer(self, kind: str, body: Any) -> None:
        try:
            _wire.send(self._connection, "answer", self.handlers[kind](body))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except BaseException as error:
            self._raised = error
            _wire.send(self._connection, "refused", f"{type(error).__name__}: {error}")

    def _refused(self, said: str) -> WorkbenchError:
        if isinstance(self._raised, WorkbenchError):
            return self._raised
        what = f"{type(self._raised).__name__}: {self._raised}" if self._raised else said
        return SessionError(
            "The worker's ONNX Runtime refused.",
            what,
            "look at the node that it names; the worker is still there",
        )

    def _lost(self, what: str) -> WorkerError:
        words = self.last_words()
        if what != "died":
            self._process.kill()  # it is not going to see its socket close
        self.stop()
        code = self._process.returncode
        name = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        return WorkerError(
            f"The worker with the provider's library {what}.",
            f"{name}; its last words: {words[-600:] or 'none'}",
            "the notebook goes on; open the provider again for a fresh worker",
        )

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return not self._connection.closed and self._process.poll() is None

    def log_size(self) -> int:
        """Return how many bytes the worker has printed so far."""
        return os.fstat(self._log.fileno()).st_size

    def words_since(self, start: int) -> str:
        """Return what the worker printed from byte `start` on."""
        size = self.log_size() - start
        return os.pread(self._log.fileno(), size, start).decode("utf-8", "replace")

    def last_words(self) -> str:
        """Return the end of what the worker and the libraries in it printed."""
        # pread: the file's position is shared with the child, which writes at it
        size = os.fstat(self._log.fileno()).st_size
        found = os.pread(self._log.fileno(), 4000, max(0, size - 4000))
        return found.decode("utf-8", "replace").strip()

    def counters(self, *, reset: bool = False) -> dict[str, int]:
        """Return the stand-in's counters; empty where the real library is used."""
        return self.request("count", {"reset": reset})

    def memory(self, *, reset: bool = False) -> dict[str, int]:
        """Return the worker's resident bytes, now and at their peak; start a new peak on request.

        Raises
        ------
        SessionError
            Where the system does not say (it is Linux that does).
        """
        return self.request("memory", {"reset": reset})

    def stop(self) -> None:
        """End the process, wait for it, and remove its folder."""
        self._connection.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
