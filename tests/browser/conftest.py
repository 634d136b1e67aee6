"""A real JupyterLab and a real Chromium, for the tests of what people see.

``lab.notebook([cell, ...])`` writes a notebook, opens it in JupyterLab and hands back a
`NotebookPage`; ``page.run_all()`` runs it, ``page.screenshot(name)`` keeps a picture under
``artifacts/``. One server and one browser serve the whole session; each test has a page and a
kernel of its own.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token-for-tests-only"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


class NotebookPage:
    """One notebook open in JupyterLab."""

    def __init__(self, page, path, url):
        self.page, self.path, self.url = page, path, url

    def command(self, name, **arguments):
        """Execute one of JupyterLab's own commands."""
        return self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => true)",
            [name, arguments],
        )

    def run_all(self, timeout_s=120, wait=True):
        """Run every cell; with `wait`, return when the kernel is idle again."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        if wait:
            self.wait_idle(timeout_s)

    def wait_idle(self, timeout_s=120):
        """Wait until every cell that was asked to run has run."""
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.widgets.filter(w => w.model.type === 'code');
                return cells.length && cells.every(w => w.model.executionCount
                    || !w.model.sharedModel.getSource().trim())
                    && cells.every(w => !w.hasClass('jp-mod-pending')
                    && (w.inputArea?.promptNode?.textContent ?? '').indexOf('*') < 0);
            }""",
            timeout=timeout_s * 1000,
        )

    def reconnect(self):
        """Connect the page to its kernel anew; return whether there is one that never answered."""
        return self.page.evaluate(
            """() => {
                const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext
                    ?.session?.kernel;
                if (kernel?.status !== 'unknown') return false;
                kernel.reconnect();
                return true;
            }"""
        )

    def cell(self, index):
        """Return a locator of one cell, counted from 0, Markdown cells included."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def show_cell(self, text):
        """Scroll to the first cell that holds `text`; JupyterLab draws only what is seen."""
        self.page.evaluate(
            """async text => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                const index = notebook.widgets.findIndex(
                    w => w.model.sharedModel.getSource().includes(text));
                if (index < 0) throw new Error(`no cell holds ${text}`);
                notebook.activeCellIndex = index;
                await notebook.scrollToItem(index, 'center');
            }""",
            text,
        )

    def theme(self, dark):
        """Switch JupyterLab's theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "dark => document.body.dataset.jpThemeLight === (dark ? 'false' : 'true')", arg=dark
        )

    def save(self):
        """Save the notebook and return it as it lies on disk."""
        self.command("docmanager:save")
        return nbformat.read(self.path, as_version=4)

    def screenshot(self, name, locator=None):
        """Keep a picture of the page, or of one part of it, under ``artifacts/``."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        (locator or self.page).screenshot(path=str(path))
        return path


class Lab:
    """A running JupyterLab."""

    def __init__(self, base, folder, browser):
        self.base, self.folder, self.browser = base, folder, browser
        self.pages = []

    def notebook(self, cells, name="test.ipynb", width=1280, height=900, dark=False):
        """Write a notebook of these code cells (or copy one, given its path) and open it."""
        path = self.folder / name
        if isinstance(cells, (str, Path)):
            shutil.copy(cells, path)
        else:
            book = nbformat.v4.new_notebook(
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
                cells=[nbformat.v4.new_code_cell(source) for source in cells],
            )
            nbformat.write(book, path)
        return self.open(name, width, height, dark)

    def open(self, name, width=1280, height=900, dark=False):
        """Open a notebook that is there, in a page of its own."""
        context = self.browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        workspace = f"w{time.monotonic_ns()}"
        url = f"{self.base}/lab/workspaces/{workspace}/tree/{name}?token={TOKEN}"
        opened = NotebookPage(page, self.folder / name, url)
        self.pages.append(context)
        page.goto(url)
        self.ready(opened)
        opened.theme(dark)  # always: the server remembers the theme of the test before
        return opened

    def ready(self, opened, timeout_s=90):
        """Wait until the notebook's kernel can be used (after opening or reloading).

        One kernel in about a hundred misses the first message of a fresh connection and reads it
        only when the next connection is made (https://github.com/ipython/ipykernel/issues/1554):
        the page shows "Unknown" for ever. A person chooses Kernel > Reconnect, and so do we.
        """
        from playwright.sync_api import TimeoutError as TookTooLongError

        for attempt in range(3):
            try:
                opened.page.wait_for_function(
                    """() => {
                        const panel = window.jupyterapp?.shell?.currentWidget;
                        return panel?.sessionContext?.session?.kernel?.status === 'idle';
                    }""",
                    timeout=timeout_s * 1000 / 3,
                )
                break
            except TookTooLongError:
                if attempt == 2 or not opened.reconnect():
                    raise
        opened.command("application:toggle-left-area") if opened.page.locator(
            "#jp-left-stack"
        ).is_visible() else None

    def close(self):
        for context in self.pages:
            context.close()
        self.pages.clear()
        request = urllib.request.Request(f"{self.base}/api/kernels?token={TOKEN}")
        for kernel in json.load(urllib.request.urlopen(request)):
            url = f"{self.base}/api/kernels/{kernel['id']}?token={TOKEN}"
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"))


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory, start_for_session):
    """Start JupyterLab over an empty folder; yield its address and the folder."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder.parent / "jupyterlab.log"
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "JUPYTER_CONFIG_PATH": str(ROOT / "scripts" / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(folder.parent / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder.parent / "workspaces"),
        "IPYTHONDIR": str(folder.parent / "ipython"),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"),
        *("--allow-root", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"),
        "--ServerApp.terminals_enabled=False",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with log.open("w") as said:
        server = start_for_session(
            command, stdout=said, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, f"{base}/api/status?token={TOKEN}", log)
        yield base, folder
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(server, url, log, timeout_s=60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def chromium():
    """Start Chromium; skipped, saying what is missing, where there is none (never in CI)."""
    if CHROMIUM is None:
        message = "Chromium is missing: run scripts/test --install-system, or install it yourself"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    quiet = [
        *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed_in_browser = report.when == "call" and report.failed
    return report


@pytest.fixture
def lab(jupyterlab, chromium, request):
    """A running JupyterLab in which a test opens notebooks."""
    base, folder = jupyterlab
    opened = Lab(base, folder, chromium)
    yield opened
    if getattr(request.node, "failed_in_browser", False):
        ARTIFACTS.mkdir(exist_ok=True)
        for index, context in enumerate(opened.pages):
            place = ARTIFACTS / f"failed-{request.node.name}-{index}.png"
            context.pages[0].screenshot(path=str(place))
    opened.close()
