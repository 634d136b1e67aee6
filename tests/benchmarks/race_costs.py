"""What the harness and the widget cost.

    python tests/benchmarks/race_costs.py overhead   # on a 100 µs function; wanted: under 2 %
    python tests/benchmarks/race_costs.py updates    # six targets; wanted: 5 a second, under 2 %
    python tests/benchmarks/race_costs.py memory     # six targets on one core; wanted: under 2 GB
    python tests/benchmarks/race_costs.py notebook   # six finished races; wanted: under 500 kB

Every figure is a ratio taken side by side, or a count; the load is printed beside it.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = {"overhead": overhead, "updates": updates, "memory": memory, "notebook": notebook}
    parser.add_argument("bar", choices=known)
    known[parser.parse_args().bar]()
    print(f"load {os.getloadavg()[0]:.1f}")
