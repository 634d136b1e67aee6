"""Starts workers so that none outlives this process, whichever thread asked for it.

Linux can end a child with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG). A notebook's
widgets and servers ask from threads that come and go; so one thread of our own, which lives as long
as the process, starts them all. It refuses to start anything but the worker's program.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import IO

from workbench.portability._ort import TELEMETRY_OFF

PROGRAM = Path(__file__).with_name("_main.py")

Job = tuple[Future, Callable[[], subprocess.Popen]]


def start_worker(python: Path, descriptor: int, log: IO[bytes]) -> subprocess.Popen:
    """Start the worker's program under an interpreter.

    Parameters
    ----------
    python : Path
    descriptor : int
        Its end of the socket.
    log : file
        Takes all that it and the libraries in it print.
    """
    command = [str(python), "-I", "-X", "faulthandler", str(PROGRAM), str(descriptor)]

    def start() -> subprocess.Popen:
        return subprocess.Popen(
            [*command, str(os.getpid())],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **TELEMETRY_OFF},
        )

    started: Future = Future()
    _starter(os.getpid()).put((started, start))
    return started.result()


@cache
def _starter(process: int) -> queue.SimpleQueue[Job]:
    """Return the starting thread's queue: one thread for each process, as a fork leaves it."""
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            started, start = jobs.get()
            try:
                started.set_result(start())
            except BaseException as error:  # it belongs to whoever asked
                started.set_exception(error)

    threading.Thread(target=serve, name="workbench-starts-workers", daemon=True).start()
    return jobs
