"""`workbench providers add`: announced, shown, cut anywhere and gone on with, checked, removed.

The index is a small one of this test's own, served on the loopback address.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workbench.errors import InstallationError
from workbench.portability.workers import downloads, environments, installing
from workbench.portability.workers.downloads import Downloads, pip_settings

ADD = (sys.executable, "-m", "workbench", "providers", "add", "cann")
SIZE = 3_000_000


def wheel(folder, name, version, size):
    """Write a wheel that holds one file of `size` bytes that do not compress."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/data.bin", os.urandom(size))
        file.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")
    return path


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Say nothing of clients that are killed: they are what is tested."""


class Index:
    """An index with two wheels, whose server can be told to misbehave."""

    def __init__(self, folder):
        self.files = [
            wheel(folder, "onnxruntime_cann", "1.24.4", SIZE),
            wheel(folder, "numpy", "1.26.4", 1000),
        ]
        self.asked: list[tuple[str, str]] = []  # file, range
        self.stop_after: int | None = None  # bytes of an answer after which it hangs
        self.breaks = 0  # how many answers end in the middle
        self.ranges, self.hashes = True, True
        self.go_on = threading.Event()
        self.server = Server(("127.0.0.1", 0), partial(Handler, self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def page(self, project):
        rows = ""
        for path in self.files:
            if path.name.partition("-")[0].replace("_", "-") == project:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                promise = f"#sha256={digest}" if self.hashes else ""
                rows += f'<a href="{self.url}/files/{path.name}{promise}">{path.name}</a>\n'
        return f"<!doctype html><html><body>{rows}</body></html>".encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, index, *arguments):
        self.index = index
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "simple":
            return self.answer(200, self.index.page(name.strip("/")), "text/html")
        data = next(path for path in self.index.files if path.name == name).read_bytes()
        asked = self.headers.get("Range", "")
        self.index.asked.append((name, asked))
        begin = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.index.ranges else 0
        return self.answer(206 if begin else 200, data[begin:], "application/zip")

    def answer(self, code, body, kind):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        large = len(body) > 100_000
        try:
            if large and self.index.stop_after is not None:
                self.wfile.write(body[: self.index.stop_after])
                self.index.go_on.wait(60)
                self.close_connection = True
            elif large and self.index.breaks:
                self.index.breaks -= 1
                self.wfile.write(body[: len(body) // 3])
                self.close_connection = True
            else:
                self.wfile.write(body)
        except OSError:  # the other side is gone: it asks for the size, or was killed
            self.close_connection = True


@pytest.fixture
def found(index):
    with Downloads(installing._made(installing.download_folder("cann"))) as made:
        yield made


@pytest.fixture
def index(tmp_path, monkeypatch):
    (tmp_path / "files").mkdir()
    made = Index(tmp_path / "files")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{made.url}/simple")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.go_on.set()
    made.server.shutdown()
    made.server.server_close()


def part_size():
    return sum(path.stat().st_size for path in installing.download_folder("cann").glob("*.part"))


def test_the_size_is_announced_first_and_the_share_that_has_come_is_shown(index):
    said, seen = [], []
    folder = installing.add_build(
        "cann", said.append, lambda here, total: seen.append((here, total))
    )
    assert said[0].startswith("cann: 3.0 MB to download, about 138 MB on disk")
    assert "onnxruntime_cann-1.24.4-py3-none-any.whl (3.0 MB)" in said[0]
    assert seen == sorted(seen)
    assert len(seen) > 5
    assert seen[-1][0] == seen[-1][1] == sum(path.stat().st_size for path in index.files)
    assert environments.build_availability("cann")
    assert next(iter(folder.rglob("onnxruntime_cann/data.bin"))).stat().st_size == SIZE
    assert not installing.download_folder("cann").exists()
    assert installing.remove("cann")
    assert not folder.exists()
    assert not installing.remove("cann")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_download_that_is_cut_in_the_middle_of_a_file_goes_on_from_there(index, end, start):
    index.stop_after = 1_500_000
    first = start(ADD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while part_size() < index.stop_after:
        assert time.monotonic() < deadline, first.communicate()[0] if first.poll() else "slow"
        time.sleep(0.02)
    first.send_signal(end)
    words = first.communicate(timeout=30)[0]
    assert first.returncode
    assert "Traceback" not in words
    assert not environments.build_availability("cann")
    listed = subprocess.run([*ADD[:4], "list"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"1\.5 MB have come, `add` goes on from there", listed), listed
    index.stop_after = None
    index.asked.clear()
    second = subprocess.run(ADD, capture_output=True, text=True, check=True).stdout
    assert "of which 1.5 MB are here already" in second
    assert index.files[0].name in second
    ranges = [asked for name, asked in index.asked if name == index.files[0].name]
    assert ranges == ["", "bytes=1500000-"]  # the first asks for the size alone
    assert environments.build_availability("cann")
    installed = next(environments.environment_folder("cann").rglob("onnxruntime_cann/data.bin"))
    with zipfile.ZipFile(index.files[0]) as whole:
        assert installed.read_bytes() == whole.read("onnxruntime_cann/data.bin")


def test_a_connection_that_breaks_is_taken_up_again_and_one_that_keeps_breaking_is_said(
    index, found
):
    index.breaks = 3
    large = found.find("onnxruntime-cann==1.24.4")  # reads the size: one answer is broken there
    assert found.fetch(large).read_bytes() == index.files[0].read_bytes()
    found.fetch(large).unlink()
    index.breaks = 99
    with pytest.raises(InstallationError, match="could not be downloaded") as cut:
        found.fetch(large)
    assert "what came is kept" in cut.value.advice
    assert part_size() > SIZE // 2


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(index, found):
    folder = installing.download_folder("cann")
    index.ranges = False
    large = found.find("onnxruntime-cann==1.24.4")
    (folder / f"{large.name}.part").write_bytes(index.files[0].read_bytes()[:1000])
    assert found.fetch(large).read_bytes() == index.files[0].read_bytes()


def test_a_piece_of_another_file_is_thrown_away_and_a_false_file_is_refused(index, found):
    folder = installing.download_folder("cann")
    large = found.find("onnxruntime-cann==1.24.4")
    (folder / f"{large.name}.part").write_bytes(b"another file" * 100)
    assert found.fetch(large).read_bytes() == index.files[0].read_bytes()
    found.fetch(large).unlink()
    index.files[0].write_bytes(os.urandom(large.size))
    with pytest.raises(InstallationError, match="not the file that the index promises"):
        found.fetch(large)
    assert not list(folder.iterdir())


def test_an_index_without_hashes_is_said_and_one_without_the_package_too(index):
    index.hashes = False
    said = []
    installing.add_build("cann", said.append)
    assert "promises no SHA-256" in said[1]
    installing.remove("cann")
    index.files.pop()
    with pytest.raises(InstallationError, match=r"numpy.* could not be downloaded") as none:
        installing.add_build("cann", said.append)
    assert "no index or folder that pip knows" in none.value.saw


def test_a_folder_that_pip_is_told_of_serves_as_well(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "files"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert pip_settings()["indexes"] == []
    assert installing.add_build("cann", lambda line: None)
    assert index.asked == []


def test_where_nothing_is_configured_the_index_is_pips_own(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (index,) = pip_settings()["indexes"]
    assert index == downloads._default_index()
    assert index.startswith("https://")


def test_a_terminal_is_shown_a_bar(index, start):
    pty = pytest.importorskip("pty", reason="a terminal to show a bar on needs Linux's pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    added = start(ADD, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux tells that the terminal has no other end any more
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert added.wait() == 0
    assert "━".encode() in shown
    assert b"/3.0 MB" in shown
    assert b"cann is ready" in shown
