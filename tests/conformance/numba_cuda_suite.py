"""Score an engine with numba.cuda's interface by numba-cuda's own tests.

The tests ship inside the numba-cuda wheel (`numba.cuda.tests`). They are loaded in simulator
mode; the engine's public names are put in place of the simulator's; and the tests that only
Numba's own simulator cannot run (warp operations, syncwarp, structured arrays) are un-skipped.

The wheel never goes into the project's own environment: give this script a Python of another one.

    python -m venv --system-site-packages /tmp/numba-cuda
    /tmp/numba-cuda/bin/pip install numba-cuda==0.30.4 cuda-bindings pytest-benchmark
    /tmp/numba-cuda/bin/pip install pytest-timeout filecheck ml_dtypes cffi
    /tmp/numba-cuda/bin/python tests/conformance/numba_cuda_suite.py --engine workbench.cuda

Without --engine it scores Numba's simulator itself: the baseline.
Anything after `--` goes to pytest (for instance `-- -k atomics -x`).
"""

import argparse
import importlib
import os
import sys
import tempfile
import unittest

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

import pytest

# Kernel-level behaviour. Left out: code generation, linking, debug information, caching on disk,
# inter-process memory and the driver, which a CPU engine has no business imitating.
MODULES = """
cudapy.test_array cudapy.test_array_args cudapy.test_array_methods cudapy.test_atomics
cudapy.test_blackscholes cudapy.test_boolean cudapy.test_casting cudapy.test_complex
cudapy.test_complex_kernel cudapy.test_const_string cudapy.test_constmem
cudapy.test_cooperative_groups cudapy.test_cuda_array_interface cudapy.test_cuda_jit_no_types
cudapy.test_datetime cudapy.test_device_func cudapy.test_enums cudapy.test_exception
cudapy.test_forall cudapy.test_freevar cudapy.test_frexp_ldexp cudapy.test_globals
cudapy.test_gufunc cudapy.test_gufunc_scalar cudapy.test_idiv cudapy.test_intrinsics
cudapy.test_iterators cudapy.test_lang cudapy.test_laplace cudapy.test_localmem
cudapy.test_mandel cudapy.test_math cudapy.test_matmul cudapy.test_minmax
cudapy.test_montecarlo cudapy.test_multithreads cudapy.test_nondet cudapy.test_operator
cudapy.test_overload cudapy.test_powi cudapy.test_print cudapy.test_py2_div_issue
cudapy.test_random cudapy.test_record_dtype cudapy.test_recursion cudapy.test_reduction
cudapy.test_retrieve_autoconverted_arrays cudapy.test_slicing cudapy.test_sm
cudapy.test_sm_creation cudapy.test_sync cudapy.test_transpose cudapy.test_tuple
cudapy.test_ufuncs cudapy.test_userexc cudapy.test_vector_type cudapy.test_vectorize
cudapy.test_vectorize_complex cudapy.test_vectorize_decor cudapy.test_vectorize_device
cudapy.test_vectorize_scalar_arg cudapy.test_warp_ops
cudadrv.test_array_attr cudadrv.test_cuda_array_slicing cudadrv.test_cuda_ndarray
cudadrv.test_events cudadrv.test_host_alloc cudadrv.test_pinned cudadrv.test_select_device
doc_examples.test_cg doc_examples.test_cpu_gpu_compat doc_examples.test_laplace
doc_examples.test_matmul doc_examples.test_montecarlo doc_examples.test_random
doc_examples.test_reduction doc_examples.test_sessionize doc_examples.test_ufunc
doc_examples.test_vecadd
""".split()  # noqa: SIM905 - one name a word reads better

UNSKIP = ("warp", "syncwarp", "structured array attr")


class Suite:
    """The pytest plugin: supplies what numba-cuda's own conftest would, and counts."""

    def __init__(self):
        self.outcomes = {}

    @pytest.fixture(scope="class")
    def initialize_from_pytest_config(self, request):
        request.cls._dump_failed_filechecks = False

    def pytest_runtest_logreport(self, report):
        test = f"{os.path.basename(report.location[0])}::{report.location[2]}"
        if self.outcomes.get(test) == "failed":  # a failed subtest fails its test
            return
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[test] = report.outcome


def install(engine_name):
    import numba.cuda as cuda

    try:
        engine = importlib.import_module(engine_name)
    except ModuleNotFoundError:  # an attribute of a package rather than a module of its own
        package, _, attribute = engine_name.rpartition(".")
        engine = getattr(importlib.import_module(package), attribute)
    public = getattr(engine, "__all__", None) or [n for n in dir(engine) if not n.startswith("_")]
    for name in public:
        setattr(cuda, name, getattr(engine, name))


def widen():
    import numba.cuda.testing as testing

    def skip_on_cudasim(reason=""):
        if any(word in reason.lower() for word in UNSKIP):
            return lambda test: test
        return unittest.skip(reason)

    testing.skip_on_cudasim = skip_on_cudasim


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", help="module with numba.cuda's public names")
    parser.add_argument("--timeout", default="60", help="seconds for one test")
    parser.add_argument("--json", help="write the outcome of every test here")
    parser.add_argument("pytest_args", nargs="*")
    args = parser.parse_args()

    if args.engine:
        install(args.engine)
    widen()
    found = []
    for module in MODULES:
        dotted = f"numba.cuda.tests.{module}"
        if importlib.util.find_spec(dotted):
            found.append(dotted)
        else:
            print(f"not in this numba-cuda: {dotted}", file=sys.stderr)

    suite = Suite()
    with tempfile.TemporaryDirectory() as scratch:
        config = os.path.join(scratch, "pytest.ini")
        with open(config, "w") as ini:
            ini.write("[pytest]\nconsider_namespace_packages = true\n")
        pytest.main(
            [
                "-c",
                config,
                "--rootdir",
                scratch,
                "-p",
                "no:cacheprovider",
                "-q",
                "--no-header",
                "--benchmark-disable",
                f"--timeout={args.timeout}",
                "--tb=line",
                *args.pytest_args,
                "--pyargs",
                *found,
            ],
            plugins=[suite],
        )
    counts = {}
    for outcome in suite.outcomes.values():
        counts[outcome] = counts.get(outcome, 0) + 1
    passed, failed = counts.get("passed", 0), counts.get("failed", 0)
    if args.json:
        import json

        with open(args.json, "w") as out:
            json.dump(suite.outcomes, out, indent=1, sort_keys=True)
    print(
        f"engine={args.engine or 'Numba simulator'}: {passed} passed, {failed} failed, "
        f"{counts.get('skipped', 0)} skipped; "
        f"of those that ran {passed / max(passed + failed, 1):.1%} pass"
    )


if __name__ == "__main__":
    main()
