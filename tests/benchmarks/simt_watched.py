"""What watching costs: the 1 M sum bare, sanitized and inspected, on the compiled tier.

Bars of the project: sanitized and inspected each at most 30 times the bare compiled launch, and at
least 500 times faster than Numba's simulator runs the kernel bare. The simulator needs minutes for
1 M elements, so it is run on 4,096, in a process of its own, and its time for each element is
taken. Nothing here is a timed unit test: it prints ratios, and the machine's load beside them.

    python tests/benchmarks/simt_watched.py
    python tests/benchmarks/simt_watched.py --one-core --cpu   # processor time, on a busy machine
"""

import argparse
import inspect as inspection
import os
import subprocess
import sys
import textwrap
import time

import numba
import numpy as np
import simt_kernels as kernels

from workbench import inspect, sanitize

BLOCK, SIZE, SMALL = 256, 1 << 20, 4096
SUM = textwrap.dedent(inspection.getsource(kernels.tree_sum.py_func)).partition("\n")[2]
SIMULATED = f"""
import os, time
os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
import numpy as np
from numba import cuda, float32
{SUM}
a, out = np.ones({SMALL}, np.float32), np.zeros(1, np.float32)
kernel = cuda.jit(tree_sum)
start = time.perf_counter()
kernel[{SMALL // BLOCK}, {BLOCK}](a, out)
print(time.perf_counter() - start)
"""


def best_s(work, clock, repeats):
    """Return the least of some times of one call, and how long the first took."""
    start = clock()
    work()
    first = clock() - start
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times), first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--no-simulator", action="store_true")
    options = parser.parse_args()
    if options.one_core:
        numba.set_num_threads(1)
    clock = time.process_time if options.cpu else time.perf_counter
    a, out = np.random.default_rng(1).random(SIZE, np.float32), np.zeros(1, np.float32)
    launch = kernels.tree_sum[SIZE // BLOCK, BLOCK]
    works = {
        "bare": lambda: launch(a, out),
        "sanitized": lambda: sanitize(launch, a, out),
        "inspected": lambda: inspect(launch, a, out),
    }
    times = {name: best_s(work, clock, options.repeats) for name, work in works.items()}
    print(f"load {os.getloadavg()[0]:.1f}, {numba.get_num_threads()} threads, 1 M sum")
    simulated = None
    if not options.no_simulator:
        run = [sys.executable, "-c", SIMULATED]
        small = float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
        simulated = small / SMALL * SIZE
        print(f"simulator: {small:.2f} s for {SMALL}, so about {simulated:.0f} s for 1 M")
    for name, (best, first) in times.items():
        against = "" if simulated is None else f", simulator / this = {simulated / best:,.0f}"
        ratio = best / times["bare"][0]
        print(f"{name:10} {1e3 * best:8.2f} ms = {ratio:5.1f} x bare, first {first:.2f} s{against}")


if __name__ == "__main__":
    main()
