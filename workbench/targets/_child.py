"""A target in a child process of its own, for libraries that cannot share one.

PyTorch has one spare device slot (PrivateUse1) and so one owner of it per process: torch_npu and
the workbench's own device never live in the same one. Another build of ONNX Runtime lives in an
environment of its own, under that environment's Python. A `ChildRunner` looks like any other
runner; latencies are taken by the child's clock, so that the pipe between the two is not in them.

The child ends when it is closed, when the pipe closes, and when its parent disappears; Ctrl-C is
the parent's to handle. It refuses to pass problems by value: a child loads them by name.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from workbench import catalog
from workbench.errors import WorkerError
from workbench.problem import Arrays
from workbench.targets import Runner

_WATCH_S = 0.5  # how soon an orphan notices


class Child:
    """One child process that answers calls.

    Parameters
    ----------
    name : str
        The target it works for, to be named in errors.
    environment : dict, optional
        Variables on top of ours.
    python : path, optional
        The interpreter of another environment, where that is what the child is for. It has NumPy;
        the workbench itself comes from this clone.
    """

    def __init__(
        self,
        name: str,
        environment: dict[str, str] | None = None,
        python: str | Path | None = None,
    ):
        self._name = name
        self._pipe, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        try:
            self._process = subprocess.Popen(
                [
                    *(python or sys.executable, "-m", __name__),
                    *(str(theirs.fileno()), str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                env={
                    **os.environ,
                    **({"PYTHONPATH": str(catalog.ROOT)} if python else {}),
                    "PYTHONSAFEPATH": "1",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
            )
        finally:
            theirs.close()

    def ask(self, verb: str, *details: Any, timeout_s: float = 600.0) -> Any:
        """Ask the child for something and return its answer, or raise what it raised.

        Raises
        ------
        WorkerError
            Where it died, or did not answer in `timeout_s` seconds.
        """
        try:
            self._pipe.send((verb, details))
            if not self._pipe.poll(timeout_s):
                self.close()
                raise WorkerError(
                    f"The child process of {self._name} stopped answering.",
                    f"no answer to {verb!r} in {timeout_s:g} s; it was ended",
                    "try a smaller size",
                )
            worked, answer = self._pipe.recv()
        except (EOFError, OSError) as cause:
            raise self._obituary() from cause
        except BaseException:  # Ctrl-C between question and answer would leave them out of step
            self.close()
            raise
        if not worked:
            raise answer
        return answer

    def close(self) -> None:
        """End the child now; safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._errors.close()

    def _obituary(self) -> WorkerError:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        how = "it was closed"
        if code is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last_words = ""
        if not self._errors.closed:
            self._errors.seek(0)
            last_words = self._errors.read().decode(errors="replace").strip()[-400:]
        self.close()
        return WorkerError(
            f"The child process of {self._name} died.",
            f"{how}; {last_words or 'it printed nothing'}",
            "run it again at a smaller size; see whether the library works by itself",
        )


class ChildRunner(Runner):
    """A runner that lives in a child process.

    Parameters
    ----------
    name : str
        The target.
    factory : str
        ``"module:function"`` that returns the runner in there.
    arguments : tuple
        For the factory; picklable.
    environment, python
        As `Child`.
    """

    def __init__(
        self,
        name: str,
        factory: str,
        arguments: tuple[Any, ...],
        environment: dict[str, str] | None = None,
        python: str | Path | None = None,
    ):
        self._child = Child(name, environment, python)
        try:
            self.notes, self.device = self._child.ask("prepare", factory, arguments)
        except BaseException:
            self._child.close()
            raise

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Send other inputs."""
        self._child.ask("load", inputs)

    def run(self) -> float:
        """Run once and return the latency in nanoseconds by the child's clock."""
        return self._child.ask("run")

    def fetch(self) -> Arrays:
        """Bring the outputs back."""
        return self._child.ask("fetch")

    def close(self) -> None:
        """End the child."""
        self._child.close()


def ask_once(
    name: str,
    function: str,
    arguments: tuple[Any, ...] = (),
    python: str | Path | None = None,
    timeout_s: float = 120.0,
) -> Any:
    """Call ``"module:function"`` in a fresh child and return what it returns."""
    child = Child(name, python=python)
    try:
        return child.ask("call", function, arguments, timeout_s=timeout_s)
    finally:
        child.close()


def _named(path: str) -> Any:
    module, _, function = path.partition(":")
    return getattr(import_module(module), function)


class _Servant:
    """The child's side: one method for each verb."""

    runner: Runner

    def call(self, function: str, arguments: tuple[Any, ...]) -> Any:
        return _named(function)(*arguments)

    def prepare(self, factory: str, arguments: tuple[Any, ...]) -> tuple[tuple[str, ...], str]:
        self.runner = _named(factory)(*arguments)
        return self.runner.notes, self.runner.device

    def load(self, inputs: tuple[Any, ...]) -> None:
        self.runner.load(inputs)

    def run(self) -> float:
        start = time.perf_counter_ns()
        own = self.runner.run()
        return time.perf_counter_ns() - start if own is None else own

    def fetch(self) -> Arrays:
        return self.runner.fetch()


def _serve(pipe: Connection) -> None:
    servant = _Servant()
    while True:
        try:
            verb, details = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, getattr(servant, verb)(*details))
        except Exception as error:
            answer = (False, _portable(error))
        pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """Return the error itself where it survives the journey, else one that quotes it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return WorkerError("The child process failed.", f"{type(error).__name__}: {error}")
    return error


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    _serve(Connection(int(sys.argv[1])))
