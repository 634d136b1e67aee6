"""Score an ONNX backend by ONNX's own backend tests (1,884 node tests in onnx 1.23).

    python tests/conformance/onnx_backend_suite.py                           # ONNX Runtime's CPU
    python tests/conformance/onnx_backend_suite.py --backend workbench       # our provider in front
    python tests/conformance/onnx_backend_suite.py --every 20 --json out.json

--backend also names any `onnx.backend.base.Backend` as module:Class. Verdicts: pass, mismatch
(wrong numbers), error (refused or raised), skip. For our provider the share of nodes that our own
kernels ran is printed as well: nodes in the graphs that were claimed, over all nodes but constants.
"""

import argparse
import collections
import importlib
import json
import time
import unittest
import warnings

import numpy as np
import onnx.backend.base as base
import onnx.backend.test

WORKBENCH = "workbench.portability.provider.backend:WorkbenchBackend"


def onnxruntime_backend(provider):
    from workbench.portability._ort import onnxruntime
    from workbench.portability.session import open_session

    ort = onnxruntime()

    class Rep(base.BackendRep):
        def __init__(self, session):
            self.session = session

        def run(self, inputs, **_):
            return tuple(self.session.run(inputs))

    class OnnxRuntime(base.Backend):
        @classmethod
        def is_compatible(cls, model, device="CPU", **_):
            return True

        @classmethod
        def prepare(cls, model, device="CPU", **_):
            options = ort.SessionOptions()
            options.log_severity_level = 4
            return Rep(open_session(model, provider, session_options=options))

        @classmethod
        def supports_device(cls, device):
            return device == "CPU"

    return OnnxRuntime


def load_backend(name, provider="CPUExecutionProvider"):
    if not name:
        return onnxruntime_backend(provider)
    module, _, attribute = (WORKBENCH if name == "workbench" else name).partition(":")
    return getattr(importlib.import_module(module), attribute)


def node_cases(backend):
    """Yield (name, unittest case) of every node test on the CPU, sorted by name."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test data divides by zero on purpose
        cases = onnx.backend.test.BackendTest(backend, __name__).test_cases
    for group, case in sorted(cases.items()):
        if "Node" in group:
            for name in sorted(dir(case)):
                if name.startswith("test_") and name.endswith("_cpu"):
                    yield name, case


def verdict_of(case, name):
    result = unittest.TestResult()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case(name).run(result)
    if result.skipped:
        return "skip"
    return "error" if result.errors else "mismatch" if result.failures else "pass"


def score(backend, only="", every=1, names=None):
    """Return verdicts by test name, of the names given or of every n-th test."""
    chosen = [
        (name, case)
        for index, (name, case) in enumerate(node_cases(backend))
        if only in name and (index % every == 0 if names is None else name in names)
    ]
    return {name: verdict_of(case, name) for name, case in chosen}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", help="workbench, or module:Class")
    parser.add_argument("--provider", default="CPUExecutionProvider")
    parser.add_argument("--only", default="", help="run tests whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="run every n-th test")
    parser.add_argument("--json")
    args = parser.parse_args()
    started = time.time()
    verdicts = score(load_backend(args.backend, args.provider), args.only, args.every)
    counts = collections.Counter(verdicts.values())
    name = args.backend or args.provider
    print(
        f"backend={name}: {counts['pass']} of {len(verdicts)} pass, {dict(counts)}, "
        f"{time.time() - started:.0f} s"
    )
    if args.backend == "workbench":
        from workbench.portability.provider.backend import PROVIDER

        taken = len(PROVIDER.record.claimed)
        asked = taken + len(PROVIDER.record.refused)
        print(f"nodes claimed by our kernels: {taken} of {asked} ({taken / asked:.1%})")
        print(f"kernel runs: {sum(PROVIDER.record.runs.values())}")
    if args.json:
        with open(args.json, "w") as out:
            json.dump(verdicts, out, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
