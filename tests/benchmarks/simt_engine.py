"""The engine's bars, as ratios measured side by side in one run.

    python tests/benchmarks/simt_engine.py [--simulator SECONDS]

Everything at its defaults: bounds checked, stoppable. Times are the best of many short runs, which
is what is left of a busy machine. Numba's simulator lives in the `numba-cuda` package, which the
project does not need; its time for the 64 x 64 matmul (5.2 to 6.5 s, measured with numba-cuda
0.30.4 on the machine of reference/simt.md) is an argument.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numba
import numpy as np
import simt_kernels as k

from workbench import cuda


def best_s(call, budget_s=2.0):
    """Return the shortest of the calls that fit into the budget, in seconds."""
    call()
    call()  # the first launch runs in lockstep, the second waits for the compiler
    best, end = float("inf"), time.perf_counter() + budget_s
    while time.perf_counter() < end:
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def side_by_side(calls, rounds=3):
    """Return the best time of each call, measured in turns."""
    times = [float("inf")] * len(calls)
    for _ in range(rounds):
        for at, call in enumerate(calls):
            times[at] = min(times[at], best_s(call, 1.0))
    return times


def row(name, value, bar, good):
    """Print one bar."""
    print(f"{'ok  ' if good else 'MISS'}  {name:58s} {value:>12s}   bar {bar}")


def steady(simulator_s):
    """Measure the steady state."""
    rng = np.random.default_rng(0)
    a = rng.random((512, 512), dtype=np.float32)
    c = np.zeros_like(a)
    small = a[:64, :64].copy()
    small_c = np.zeros_like(small)
    numba.set_num_threads(1)
    launch_s = best_s(lambda: k.matmul[(4, 4), (16, 16)](small, small, small_c))
    ratio = simulator_s / launch_s
    text = f"{launch_s * 1e6:.1f} us, {ratio:,.0f}x"
    row("matmul 64x64 against Numba's simulator", text, "100,000x", ratio >= 1e5)
    ours = lambda: k.matmul[(32, 32), (16, 16)](a, a, c)  # noqa: E731
    hand = lambda: k.matmul_by_hand(a, a, c, 32, 32)  # noqa: E731
    one, by_hand = side_by_side([ours, hand])
    row(
        "matmul 512x512, one core, over hand-written",
        f"{one / by_hand:.2f}",
        "1.3",
        one <= 1.3 * by_hand,
    )
    values = rng.random(1 << 20, dtype=np.float32)
    out = np.zeros(1, np.float32)
    sum_s, sum_hand_s = side_by_side(
        [
            lambda: k.tree_sum[4096, 256](values, out),
            lambda: k.tree_sum_by_hand(values, out, 4096),
        ]
    )
    row(
        "sum of 1 M, one core, over hand-written",
        f"{sum_s / sum_hand_s:.2f}",
        "1.3",
        sum_s <= 1.3 * sum_hand_s,
    )
    print(
        f"      matmul 512 {one * 1e3:.2f} ms by hand {by_hand * 1e3:.2f} ms; "
        f"sum {sum_s * 1e3:.3f} ms by hand {sum_hand_s * 1e3:.3f} ms"
    )
    numba.set_num_threads(2)
    two, hand_two = side_by_side([ours, lambda: k.matmul_by_hand_parallel(a, a, c, 32, 32)])
    gain, hand_gain = one / two, by_hand / hand_two
    row(
        "gain from two cores, over a hand-written prange twin's",
        f"{gain / hand_gain:.2f}",
        "0.85",
        gain >= 0.85 * hand_gain,
    )


def note(name, value):
    """Print one figure that has no bar."""
    print(f"      {name:58s} {value}")


def on(tier, kernel, grid, block, *args):
    """Return the least processor time of a launch on one tier, in seconds.

    Not the time on the clock: these launches are long, and run on one core.
    """
    best = float("inf")
    with cuda.tier(tier):
        kernel[grid, block](*args)  # compiled here
        end = time.perf_counter() + 1.0
        while time.perf_counter() < end:
            started = time.process_time()
            kernel[grid, block](*args)
            best = min(best, time.process_time() - started)
    return best


def irregular():
    """Measure the state machine beside the other tiers, on one core."""
    numba.set_num_threads(1)
    rng = np.random.default_rng(0)
    for size, others in ((64, ("compiled", "lockstep")), (512, ("compiled",))):
        a = rng.random((size, size), dtype=np.float32)
        grid, args = (size // 16, size // 16), (a, a, np.zeros_like(a))
        mine = on("irregular", k.matmul, grid, (16, 16), *args)
        beside = ", ".join(
            f"{mine / on(other, k.matmul, grid, (16, 16), *args):.2f} of {other}"
            for other in others
        )
        note(f"matmul {size}x{size}, irregular tier", f"{mine * 1e3:.2f} ms, {beside}")
    values, out = rng.random(1 << 20, dtype=np.float32), np.zeros(1, np.float32)
    mine, one = (on(tier, k.tree_sum, 4096, 256, values, out) for tier in ("irregular", "compiled"))
    note("sum of 1 M, irregular tier", f"{mine * 1e3:.1f} ms, {mine / one:.0f} of compiled")
    lock, total = np.zeros(1, np.int32), np.zeros(1, np.int64)
    for kernel, state in ((k.count_under_lock, lock), (k.count_in_turns, None)):
        times = []
        for tier in ("irregular", "step-through"):
            turn = np.zeros(2, np.int32) if state is None else state
            times.append(on(tier, kernel, 4, 64, turn, total))
        name = f"{kernel.__name__}, 256 threads, irregular tier"
        note(name, f"{times[0] * 1e6:.0f} us, step-through {times[1] / times[0]:,.0f} times that")
    a = rng.random(1 << 16, dtype=np.float32)
    args = (k.jacobi_over_grid, 256, 256, a, np.zeros_like(a), 10)
    mine, together = on("irregular", *args), on("lockstep", *args)
    text = f"{mine * 1e3:.1f} ms, lockstep {together / mine:.1f} times that"
    note("20 barriers over a grid of 65,536 threads, irregular tier", text)


FIRST = """
import time, numpy as np, sys
sys.path.insert(0, {here!r})
import simt_kernels as k
a = np.random.default_rng(0).random((64, 64), dtype=np.float32); c = np.zeros_like(a)
v = np.random.default_rng(0).random(4096, dtype=np.float32); o = np.zeros(1, np.float32)
for call in (lambda: k.matmul[(4, 4), (16, 16)](a, a, c), lambda: k.tree_sum[16, 256](v, o)):
    started = time.perf_counter(); call(); print(time.perf_counter() - started)
    started = time.perf_counter(); call(); print(time.perf_counter() - started)
assert np.allclose(c, a @ a, rtol=1e-4) and np.isclose(o[0], 2 * v.sum(), rtol=1e-4)
"""


def first_launches():
    """Measure first launches in new processes, with a cold and a warm cache."""
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "WORKBENCH_CACHE": cache}
        code = FIRST.format(here=os.path.dirname(os.path.abspath(__file__)))
        for name in ("cold", "warm"):
            done = subprocess.run(
                [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
            )
            first, second, sum_first, sum_second = (float(t) for t in done.stdout.split())
            pairs = (("matmul", first, second), ("sum", sum_first, sum_second))
            for what, one, two in pairs:
                if name == "cold":
                    row(
                        f"{what}: first result of a small launch",
                        f"{one * 1e3:.0f} ms",
                        "50 ms",
                        one <= 0.05,
                    )
                    row(
                        f"{what}: first compiled launch",
                        f"{max(one, two):.2f} s",
                        "1.5 s",
                        max(one, two) <= 1.5,
                    )
                else:
                    row(
                        f"{what}: first launch with a warm cache",
                        f"{one * 1e3:.0f} ms",
                        "150 ms",
                        one <= 0.15,
                    )


def main():
    """Print every bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulator", type=float, default=5.2)
    parser.add_argument("--steady", action="store_true", help="no new processes")
    arguments = parser.parse_args()
    print(
        f"engine {cuda.engine()}, numba {numba.__version__}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    steady(arguments.simulator)
    irregular()
    if not arguments.steady:
        first_launches()


if __name__ == "__main__":
    main()
