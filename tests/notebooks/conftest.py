"""Execute a notebook as a learner would, and watch the memory of everything it needs.

A JupyterLab server runs beside, so that what is counted is what Binder would count: server,
kernel and the kernel's children together, as proportional resident size (PSS), so that pages
shared between processes are counted once.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
CAP_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Execution:
    """What executing one notebook took."""

    notebook: nbformat.NotebookNode
    seconds: float
    peak_bytes: int


class MemoryWatch:
    """Sum the resident size of process trees until told to stop; end them above the cap."""

    def __init__(self, roots, cap_bytes=CAP_BYTES):
        self.roots, self.cap_bytes, self.peak_bytes = roots, cap_bytes, 0
        self.exceeded = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        while not self._done.wait(0.2):
            processes = [p for root in self.roots() for p in tree(root)]
            self.peak_bytes = max(self.peak_bytes, sum(map(resident_bytes, processes)))
            if self.peak_bytes > self.cap_bytes:
                self.exceeded = True
                for process in processes[1:]:
                    process.kill()
                return


def tree(pid):
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident_bytes(process):
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


@pytest.fixture(scope="session")
def server_pid(tmp_path_factory, start_for_session):
    """A JupyterLab server that does nothing but take its share of the memory."""
    folder = tmp_path_factory.mktemp("server")
    server = start_for_session(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"),
            *(f"--ServerApp.root_dir={folder}", "--LabApp.news_url="),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield server.pid
    server.terminate()
    server.wait(20)


@pytest.fixture
def execute(server_pid, record_property):
    """Return a function that executes a notebook under the cap and returns an `Execution`."""

    def run(path, cwd=ROOT / "notebooks", timeout_s=600):
        book = nbformat.read(path, as_version=4)
        client = NotebookClient(book, timeout=timeout_s, resources={"metadata": {"path": str(cwd)}})
        kernel = []

        def roots():
            if not kernel and client.km is not None and client.km.has_kernel:
                kernel.append(client.km.provisioner.pid)
            return [server_pid, *kernel]

        started = time.monotonic()
        with MemoryWatch(roots) as watch:
            try:
                client.execute()
            except Exception as error:
                if watch.exceeded:
                    pytest.fail(f"{path.name} needed more than {CAP_BYTES / 2**30:.0f} GB")
                raise error
        seconds = time.monotonic() - started
        _record(path.stem, seconds, watch.peak_bytes)
        return Execution(book, seconds, watch.peak_bytes)

    return run


def _record(name, seconds, peak_bytes):
    """Keep the figures as an artefact, one file for each notebook."""
    folder = ROOT / "artifacts" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    row = {"notebook": name, "seconds": round(seconds, 1), "peak_mb": round(peak_bytes / 1e6)}
    (folder / f"{name}.json").write_text(json.dumps(row) + "\n")
