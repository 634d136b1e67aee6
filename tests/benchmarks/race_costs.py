"""What the harness and the widget cost.

    python tests/benchmarks/race_costs.py overhead   # on a 100 µs function; wanted: under 2 %
    python tests/benchmarks/race_costs.py updates    # six targets; wanted: 5 a second, under 2 %
    python tests/benchmarks/race_costs.py memory     # six targets on one core; wanted: under 2 GB
    python tests/benchmarks/race_costs.py notebook   # six finished races; wanted: under 500 kB
    python tests/benchmarks/race_costs.py show       # in JupyterLab; wanted: under 0.5 s

Every figure is a ratio taken side by side, or a count; the load is printed beside it.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager

import numpy as np
import psutil

from workbench.bench import compare
from workbench.bench.callables import CallableRunner
from workbench.bench.engine import CLOCK, Engine, Lane
from workbench.bench.feeder import Feeder
from workbench.problem import Problem

SIX = ("numpy", "torch_cpu", "ort_cpu")


def spin_problem():
    return Problem(
        name="spin",
        summary="about 100 µs of work that does not care for its data",
        inputs=lambda size, seed: (np.full(size, float(seed), np.float64),),
        reference=lambda x: x + 1,
        outputs=lambda x: (np.empty_like(x),),
        bytes_moved=lambda size: 16 * size,
        operations=lambda size: size,
        size=64,
    )


def work(x):
    sum(range(work.rounds))
    return x + 1


def overhead(blocks=120, calls=40):
    """Compare what the engine reports with a bare loop around the same function."""
    work.rounds = 1000
    x = np.zeros(64)
    best = min(_bare(x) for _ in range(50))
    work.rounds = round(1000 * 100_000 / best)
    problem = spin_problem()
    feeder = Feeder(problem, 64, random.Random(0))
    runner = CallableRunner(problem, work, feeder.next())
    lane = Lane("work", runner, trusted=False)
    engine = Engine([lane], feeder, on_error=lambda lane, error: (_ for _ in ()).throw(error))
    told, bare = [], []
    for _ in range(blocks):
        order = [0, 1]
        random.shuffle(order)
        for which in order:
            if which:
                told.append(np.median([_one(engine) for _ in range(calls)]))
            else:
                bare.append(np.median([_bare(x) for _ in range(calls)]))
    logs = np.log(np.array(told) / np.array(bare))
    centre, low, high = compare.interval(logs)
    print(
        f"a {np.median(bare) / 1e3:.0f} µs function: the harness reports {np.expm1(centre):+.2%} "
        f"({np.expm1(low):+.2%} to {np.expm1(high):+.2%}) of a bare loop"
    )


def _bare(x):
    start = CLOCK()
    work(x)
    return CLOCK() - start


def _one(engine):
    from workbench.bench.engine import Block

    block = Block(["work"])
    engine._round(block, {"work": 0})
    return block.samples[0][2]


def six_lanes():
    """Return six lanes: the targets in reach, and callables up to six."""

    def fourth(a, x, y):
        return a * x + y

    def fifth(a, x, y, out):
        np.multiply(a, x, out=out)
        out += y

    def sixth(a, x, y):
        return y + a * x

    return [*SIX, fourth, fifth, sixth]


def updates(seconds=40.0):
    """Count the widget's pictures, and compare blocks of one race with and without them.

    Whether a block's samples bring a picture is drawn anew each time: what disturbs the machine
    falls on both kinds alike. The child measures the next block while the picture is made, so that
    is the block that pays for it.
    """
    from workbench.widgets.race import Race

    steady = Race("saxpy", six_lanes(), size=30_000, seconds=seconds / 4, keep=False)
    seen = []
    steady.observe(lambda change: seen.append(time.monotonic()), "view")
    steady.start().join()
    rate = len([at for at in seen if at >= seen[-1] - seconds / 4]) / (seconds / 4)

    drawn = {}

    class Sometimes(Race):
        def _changed(self, session):
            next_span = len(session.run.conditions)  # the first one of the block to come
            if next_span not in drawn:
                drawn[next_span] = random.random() < 0.5
            if drawn[next_span] or session.done:
                super()._changed(session)

    race = Sometimes("saxpy", six_lanes(), size=30_000, seconds=seconds, keep=False)
    lanes = [lane for lane in race.start().join().session.records() if lane.samples_ns]
    logs, starts = {True: [], False: []}, np.array(sorted(drawn))
    for lane in lanes:
        times = np.log(np.array(lane.samples_ns))
        blocks = np.searchsorted(starts, np.array(lane.blocks), side="right") - 1
        middles = {block: np.median(times[blocks == block]) for block in np.unique(blocks)}
        for block, middle in middles.items():
            # against the blocks around it: the machine's slow changes drop out
            near = [middles[at] for at in range(block - 5, block + 6) if at in middles]
            if block >= 0:
                logs[drawn[starts[block]]].append(middle - np.median(near))
    cost = np.mean(logs[True]) - np.mean(logs[False])
    error = np.sqrt(sum(np.var(one, ddof=1) / len(one) for one in logs.values()))
    print(
        f"six targets and the control: {rate:.1f} pictures a second; a picture costs the lanes "
        f"{np.expm1(cost):+.2%} (standard error {error:.2%}, {len(logs[True])} and "
        f"{len(logs[False])} blocks of lanes)"
    )


def memory(seconds=10.0):
    """Race six targets on one core beside a JupyterLab server; add up what all of it holds."""
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    words = ["-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root"]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, *words, f"--ServerApp.root_dir={folder}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(8)
            import ipykernel.kernelapp  # noqa: F401 - what a kernel holds beside the race

            from workbench.widgets.race import Race

            race = Race("saxpy", six_lanes(), size=30_000, seconds=seconds, keep=False)
            peak, end = [0], threading.Event()
            watch = threading.Thread(target=_watch, args=(server.pid, peak, end))
            watch.start()
            race.start().join()
            end.set()
            watch.join()
        finally:
            server.terminate()
            server.wait(20)
    calls = {lane.label: len(lane.samples_ns) for lane in race.session.records()}
    print(f"peak resident, server, kernel and children: {peak[0] / 1e6:,.0f} MB on core {core}")
    print(f"calls: {calls}")


def _watch(server, peak, end):
    me = psutil.Process()
    while not end.wait(0.1):
        total = 0
        for process in {psutil.Process(server), me, *me.children(recursive=True)}:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak[0] = max(peak[0], total)


def notebook():
    """Execute six races in one notebook and weigh the saved file."""
    import nbformat
    from nbclient import NotebookClient

    source = (
        "from workbench import Race\n"
        "race = Race('saxpy', ['numpy', 'torch_cpu', 'ort_cpu'], size=30_000, seconds=2, "
        "keep=False)\nrace.start().join()\nrace"
    )
    cells = [nbformat.v4.new_code_cell(source) for _ in range(6)]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    size = len(nbformat.writes(book))
    pictures = sum(
        "image/svg+xml" in output.get("data", {}) for cell in cells for output in cell.outputs
    )
    print(f"a notebook with six finished races: {size / 1e3:.0f} kB, {pictures} static pictures")


SHOW = """index => {
    const notebook = window.jupyterapp.shell.currentWidget.content, begin = performance.now();
    window.shownAfter = 0;
    notebook.activeCellIndex = index;
    const seen = (what) => notebook.widgets[index].node.querySelector(what)?.offsetParent;
    const look = () => { if (seen('.wb-sentence') && seen('.wb-race-controls button'))
        window.shownAfter = performance.now() - begin; else requestAnimationFrame(look); };
    window.jupyterapp.commands.execute('notebook:run-cell');
    look();
}"""
IDLE = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"


def show(kernels=5):
    """Time from running a cell until the widget and its controls stand on the page.

    Each time in a kernel of its own. `Race` is imported in a cell before: what comes after that is
    the widget's; the import is told apart.
    """
    import nbformat
    from playwright.sync_api import sync_playwright

    cells = ["import time; begin = time.perf_counter(); from workbench import Race; "
             "print(time.perf_counter() - begin)", "Race('saxpy')", "Race('matmul')"]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    book = nbformat.v4.new_notebook(cells=made, metadata=kernel)
    seen: dict[str, list[float]] = {"the import": [], "first show": [], "second show": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        _server(folder) as base,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for number in range(kernels):
            nbformat.write(book, f"{folder}/show{number}.ipynb")
            page = browser.new_page(viewport={"width": 1280, "height": 3000})
            page.goto(f"{base}/lab/workspaces/w{number}/tree/show{number}.ipynb")
            page.wait_for_function(f"() => ({IDLE})() === 'idle'", timeout=90_000)
            page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
            said = page.locator(".jp-OutputArea-output pre").first
            seen["the import"].append(1e3 * float(said.inner_text()))
            for index, what in enumerate(("first show", "second show"), start=1):
                page.evaluate(SHOW, index)
                page.wait_for_function("() => window.shownAfter")
                seen[what].append(page.evaluate("() => window.shownAfter"))
            page.close()
        browser.close()
    for what, times in seen.items():
        print(f"{what}: {', '.join(f'{one:.0f}' for one in times)} ms")


@contextmanager
def _server(folder):
    """Run a JupyterLab over a folder, without a token and on this machine only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    words += [f"--ServerApp.root_dir={folder}", "--IdentityProvider.token="]
    words += ["--LabApp.expose_app_in_browser=True"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(words, **quiet)
    base = f"http://127.0.0.1:{port}"
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"{base}/api/status", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield base
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = {one.__name__: one for one in (overhead, updates, memory, notebook, show)}
    parser.add_argument("bar", choices=known)
    known[parser.parse_args().bar]()
    print(f"load {os.getloadavg()[0]:.1f}")
