"""The parent's end of the child process that measures: start, listen, notice that it hangs, stop.

A target may crash its process or never come back. `Child` names the lane that was running when
that happened, from a small file both processes map, so that a race can go on without it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import mmap
import os
import select
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from workbench.bench.worker import ACTIVE_BYTES
from workbench.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
_PREFIX = "workbench-race-"
_MOST_PRINTED = 2**20
_FORGOTTEN_S = 86_400
_START = "from workbench.bench.worker import main; main()"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Child:
    """One measuring process.

    Parameters
    ----------
    config : dict
        What `worker.Worker` reads; the folder is added here.
    threads : int
        How many threads every library in the child may use.
    """

    def __init__(self, config: dict[str, Any], threads: int):
        remove_orphans()
        prefix = f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}-"
        self.folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_memory_folder()))
        self.began_s, self.reported_ns = time.monotonic(), 0.0
        self.labels = [lane["label"] for lane in config["lanes"]]
        active = self.folder / "active"
        active.write_bytes(np.array([-1, time.monotonic_ns()]).tobytes())
        with open(active, "r+b") as file:
            self.active = np.frombuffer(mmap.mmap(file.fileno(), ACTIVE_BYTES), np.int64)
        self.errors = open(self.folder / "stderr", "ab")  # noqa: SIM115 - closed with the child
        heard, said = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, str(said)],
            stdin=subprocess.PIPE,
            stdout=self.errors,
            stderr=self.errors,
            pass_fds=(said,),
            start_new_session=True,
            env={**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONSAFEPATH": "1"},
        )
        os.close(said)
        self.heard = heard
        self.tell({**config, "folder": str(self.folder)})

    def tell(self, command: dict[str, Any]) -> None:
        """Send one command; a child that is gone does not hear it, which `events` will show."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return

    def age_s(self) -> float:
        """Return for how many seconds it has been running."""
        return time.monotonic() - self.began_s

    def running(self) -> tuple[str, float]:
        """Return the label of the lane that runs now ("" for none), and for how many seconds."""
        place, since = (int(word) for word in self.active)
        seconds = (time.monotonic_ns() - since) / 1e9
        return (self.labels[place] if 0 <= place < len(self.labels) else ""), seconds

    def events(self, wait_s: float = 0.1) -> Iterator[dict[str, Any] | None]:
        """Yield the child's events, and None whenever `wait_s` passed without one."""
        rest = b""
        while True:
            # What a target prints lies in memory; nobody reads more than its end.
            if os.fstat(self.errors.fileno()).st_size > _MOST_PRINTED:
                self.errors.truncate(0)
            if not select.select([self.heard], [], [], wait_s)[0]:
                yield None
                continue
            got = os.read(self.heard, 1 << 20)
            if not got:
                return
            *lines, rest = (rest + got).split(b"\n")
            yield from (json.loads(line) for line in lines if line)

    def last_words(self) -> str:
        """Return the end of what the child wrote to its standard error, and how it ended."""
        code = self.process.wait()
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        text = (self.folder / "stderr").read_text(errors="replace").strip().splitlines()
        return f"{name}; {text[-1]}" if text else name

    def end(self) -> None:
        """Kill the child and everything it started, and remove its folder."""
        # Where it and its children are gone already, that is what was asked for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in filter(None, (self.process.stdin, self.errors)):
            with contextlib.suppress(BrokenPipeError):  # an unsent command to a child that is gone
                pipe.close()
        os.close(self.heard)
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_orphans() -> None:
    """Remove what races left in memory whose process was killed.

    A folder's name carries its process's number and when that process started, so that a later
    process of the same number is not taken for it. Folders whose names carry no number (of earlier
    versions) go when nothing in them was written for a day.
    """
    for folder in Path(_memory_folder() or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid == os.getuid() and _orphaned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # it is gone already


def _orphaned(folder: Path) -> bool:
    """Say whether the race that made a folder is over."""
    owner, _, rest = folder.name.removeprefix(_PREFIX).partition("-")
    if not (owner.isdigit() and rest):
        written = max(one.stat().st_mtime for one in (folder, *folder.iterdir()))
        return time.time() - written > _FORGOTTEN_S
    try:
        os.kill(int(owner), 0)
    except (ProcessLookupError, PermissionError):  # over, or somebody else's process has its number
        return True
    since = rest.partition("-")[0]
    return since.isdigit() and since != _started(int(owner))


def _started(process: int) -> str:
    """Return when a process started, in ticks since the system's start; "" where it is not told.

    Source: proc(5), ``/proc/[pid]/stat``, field 22; the second one may hold spaces and brackets.
    """
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _memory_folder() -> str | None:
    """Return a folder in memory where the system has one that can be written, else the default."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def packed(thing: Any) -> str:
    """Pack a callable of this user's own for the child; nothing packed is ever stored.

    What comes from a notebook, or from a file that is not installed, travels by value: the child
    could not import it.

    Raises
    ------
    InputError
        Where it holds on to what cannot travel: a lock, an open file, a device.
    """
    import cloudpickle

    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    by_value = module is not None and module.__name__ != "__main__" and not _installed(module)
    if by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return base64.b64encode(cloudpickle.dumps(thing)).decode()
    except Exception as error:  # an object may refuse to be packed with whatever it likes
        raise InputError(
            "It cannot be sent to the process that measures.",
            f"{getattr(thing, '__name__', type(thing).__name__)}: {type(error).__name__}: {error}",
            "make inside of the function what it now takes from outside",
        ) from error
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _installed(module: ModuleType) -> bool:
    """Say whether any Python process of this installation can import the module."""
    file = getattr(module, "__file__", None)
    if file is None:
        return True
    places = {*sysconfig.get_paths().values(), *site.getsitepackages(), str(PACKAGE)}
    return any(Path(file).is_relative_to(place) for place in places)
