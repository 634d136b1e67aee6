"""Record what Nvidia's compiler makes of the shelf: registers, shared memory and spills.

    python tests/conformance/record_registers.py conv2d matmul attention

needs the ``ptx`` extra and no GPU, takes about five seconds a kernel, and replaces the rows of
those problems in ``datasets/compiler/shelf_sm_90.json``. Without arguments it records the whole
shelf.
"""

import importlib.metadata
import json
import re
import sys
from datetime import date

from workbench import catalog
from workbench.simt.kernel import Launch
from workbench.simt.ptx import machine_code

PATH = catalog.ROOT / "datasets" / "compiler" / "shelf_sm_90.json"
# Arithmetic only: `copy_wide` moves two float32 as one float64 without computing with it.
F64 = re.compile(r"\b(?:abs|add|cvt|div|fma|max|min|mul|neg|setp|sqrt|sub)\.[\w.]*f64\b")
PACKAGES = ("numba", "numba-cuda", "nvidia-cuda-nvcc", "nvidia-nvvm")


def main(problems):
    rows = [row for name in problems for row in recorded(name)]
    kept = json.loads(PATH.read_text())["kernels"] if PATH.exists() else []
    kept = [row for row in kept if row["problem"] not in problems]
    record = {
        "architecture": "sm_90",
        "provenance": "recorded",
        "date": date.today().isoformat(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "kernels": sorted([*kept, *rows], key=lambda row: (row["problem"], row["file"])),
    }
    PATH.write_text(json.dumps(record, indent=1) + "\n")


def recorded(name):
    """Compile every kernel that the launches of one problem reach, at the least size it takes."""
    problem, rows, seen = catalog.load_problem(name), [], set()

    def compile_instead(launch, *arguments):
        if launch.kernel in seen:
            return
        seen.add(launch.kernel)
        code = machine_code(launch, *arguments, gpu="nvidia_h100")
        rows.append(
            {
                "problem": name,
                "file": file.name,
                "kernel": launch.kernel.__name__,
                "threads_per_block": launch.block.count,
                "registers_per_thread": code.registers,
                "shared_bytes": code.shared_bytes,
                "spill_store_bytes": code.spill_store_bytes,
                "spill_load_bytes": code.spill_load_bytes,
                "float64_instructions": len(F64.findall(code.ptx)),
            }
        )
        print(*rows[-1].values())

    before, Launch.__call__ = Launch.__call__, compile_instead
    try:
        for file in catalog.kernel_files(name, "cuda"):
            for size in problem.test_sizes:  # some kernels only take some sizes
                inputs = problem.inputs(size, 1)
                file.load().launch(*inputs, *problem.outputs(*inputs))
                if any(row["file"] == file.name for row in rows):
                    break
    finally:
        Launch.__call__ = before
    return rows


if __name__ == "__main__":
    main(sys.argv[1:] or catalog.problem_names())
