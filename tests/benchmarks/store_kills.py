"""Kill the process that stores, again and again, and look whether anything stored is lost.

    python tests/benchmarks/store_kills.py --kills 100

A child saves runs in growing steps and reports each one that the store has acknowledged. It is
killed (SIGKILL) at a random moment. At the end every acknowledged sample must be there, every
checksum must hold, and SQLite's own integrity check must pass. Wanted: nothing lost.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from workbench.bench.store import Store

SAVER = """
import sys, itertools
from workbench.bench.records import LaneRecord, Run
from workbench.bench.store import Store
store = Store(sys.argv[1])
for _ in itertools.count():
    lane = LaneRecord("numpy")
    run = Run("saxpy", 9, "elements", "warm", 1, 1.0, "numpy", {"numpy": lane}, "here")
    for chunk in range(5):
        for number in range(2000):
            lane.add(number, 1000.0 + number, 0, 0, 0)
        store.save(run)
        print(run.uuid, len(lane.samples_ns), flush=True)
"""


def kill_once(path, saved, dice):
    """Let a child store for a random time, kill it, and note what it was told is stored."""
    child = subprocess.Popen(
        [sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, text=True
    )

    def listen():
        for line in child.stdout:
            uuid, _, count = line.strip().partition(" ")
            if line.endswith("\n") and count:
                saved[uuid] = int(count)

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(dice.uniform(0.0, 1.2))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    listener.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args()
    dice, saved = random.Random(), {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.sqlite"
        Store(path)
        for _ in range(options.kills):
            kill_once(path, saved, dice)
        store, lost = Store(path), []
        for uuid, count in saved.items():
            if len(store.load(uuid).lanes["numpy"].samples_ns) < count:
                lost.append(uuid)
        runs = store.uuids()
        unreadable = [uuid for uuid in runs if not _readable(store, uuid)]
        db = sqlite3.connect(path)
        verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        print(
            f"{options.kills} kills; {len(runs)} runs stored, {sum(saved.values()):,} samples "
            f"acknowledged; lost {len(lost)}, unreadable {len(unreadable)}, integrity {verdict}"
        )
    return 1 if lost or unreadable or verdict != "ok" else 0


def _readable(store, uuid):
    try:
        store.load(uuid)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
