"""The bars of the portability room, measured side by side in one run.

    python tests/benchmarks/portability_bars.py [overhead] [placement]

``overhead``: a MatMul of about 1 ms through a `Session`, and through the runner of ``ort_cpu``,
against ``InferenceSession.run`` itself; the calls take turns, and the medians are compared.
``placement``: MLP, AlexNet and decoder of tests/models at opsets 18 to 23 on each provider whose
build is installed; the export comes before and is printed apart.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import onnx

from workbench.portability import Preview, export, open_session
from workbench.portability.workers.environments import build_availability
from workbench.targets._ort_model import ModelRunner

SIZE, CALLS = 440, 1500
NETS = Path(__file__).parents[1] / "models" / "portable_nets.py"
PLACES = (("cann", "operators"), ("cann", "subgraphs"), ("cuda", ""))
CPU = "CPUExecutionProvider"


def row(name, value, bar, good):
    """Print one bar."""
    print(f"{'ok  ' if good else 'MISS'}  {name:58s} {value:>18s}   bar {bar}")


def overhead():
    """Compare our ways to run a model with the bare one."""
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[{SIZE}, {SIZE}] x, float[{SIZE}, '
    model = onnx.parser.parse_model(text + f"{SIZE}] w) => (float[M, N] y) {{ y = MatMul(x, w) }}")
    rng = np.random.default_rng(0)
    x, w = (rng.random((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    session = open_session(model, threads=1)
    raw, feeds = session.raw, {"x": x, "w": w}
    ways = {
        "bare": lambda: raw.run(None, feeds),
        "Session.run": lambda: session.run(feeds),
        "bare again": lambda: raw.run(None, feeds),
    }
    compare("Session.run", ways)
    runner = ModelRunner(model.SerializeToString(), CPU, (x, w), {})
    own = runner._session.raw  # the same session, so that its threads are the same
    ways = {
        "bare": lambda: own.run(None, feeds),
        "the ort_cpu target's runner": runner.run,
        "bare again": lambda: own.run(None, feeds),
    }
    compare("the ort_cpu target's runner", ways)


def compare(name, ways):
    """Call the ways in turns and print the ratio of one to the bare run."""
    samples = {way: [] for way in ways}
    for turn in range(CALLS):
        for way, call in ways.items():
            started = time.perf_counter_ns()
            call()
            if turn >= CALLS // 10:
                samples[way].append(time.perf_counter_ns() - started)
    median = {way: statistics.median(taken) for way, taken in samples.items()}
    ratio = median[name] / median["bare"]
    null = median["bare again"] / median["bare"]
    said = f"{ratio:.3f}x of {median['bare'] / 1e6:.3f} ms"
    row(f"{name} over a bare run (null {null:.3f}x)", said, "< 1.05x", ratio < 1.05)


def placement():
    """Time the placement of three networks at six opsets."""
    names = {"__name__": "nets"}
    exec(NETS.read_text(), names)
    started = time.perf_counter()
    models = [
        (name, opset, export(net, inputs, opset=opset, dynamic=dynamic).model)
        for name, (net, inputs, dynamic) in names["nets"]().items()
        for opset in range(18, 24)
    ]
    exporting_s = time.perf_counter() - started
    places = [place for place in PLACES if build_availability(place[0])]
    started = time.perf_counter()
    with Preview() as preview:
        found = {
            (name, opset, place): preview(model, *place)
            for name, opset, model in models
            for place in places
        }
    seconds = time.perf_counter() - started
    for name in dict.fromkeys(name for name, *_ in models):
        for place in places:
            counts = [found[name, o, place] for n, o, _ in models if n == name]
            cells = " ".join(f"{p.opset}: {p.on_device}/{len(p.nodes)}" for p in counts)
            print(f"      {name:8} {' '.join(place):16} {cells}")
    said = f"{seconds:.1f} s"
    text = f"{len(found)} placements on {len(places)} of 3 places (export: {exporting_s:.0f} s)"
    row(text, said, "< 20 s", seconds < 20 and len(places) == 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["overhead", "placement"])
    for what in parser.parse_args().what:
        {"overhead": overhead, "placement": placement}[what]()


if __name__ == "__main__":
    main()
