"""The CUDA programming model on any CPU: unmodified Numba-CUDA kernels, fast, inspected, honest.

The pipeline, top to bottom; each folder is one stage, each module a person can read in a sitting::

    cuda.py        Numba's interface; kernel.py is what `cuda.jit` returns, tiers.py which tier
                   runs a launch, host/ the device, its memory, streams and engines
    frontend/      source.py: a Python function -> its syntax tree, with true file name and line
                   numbers, and the names it sees. resolve.py: names -> what they are, as explicit
                   nodes (resolved.py), every array access with its place in the source.
                   normalise.py: one thing per statement (normal_form.py): barriers and warp
                   operations stand alone (hoisting.py), updates become a load and a store, device
                   functions that synchronise are inlined (inlining.py)
    planning/      analysis.py: which names are uniform over a block, which live across a barrier,
                   which are cheaper to compute again than to keep (remat.py). plan.py: runs of
                   statements between barriers become loops over the threads of a block; control
                   around a barrier becomes block-level control, under a mask where threads may
                   disagree (loops.py)
    codegen/       regions.py: the plan -> source text for numba.njit (module.py), statement by
                   statement in translate.py, with indices proven inside where ranges.py can;
                   every access goes through one `Mode` object (emit.py)
    compiled/      build.py: source text -> machine code, kept on disk (cache.py); run.py launches
                   it, on threads of host/launcher.py unless pace.py knows it is short; watch.py
                   stops it; background.py compiles while the first answer is being read
    irregular/     the irregular tier: threads that wait anywhere (locks, flags, barriers over the
                   grid or in divergent code) as a state machine, compiled too
    runtime/       what the machine code calls: checked access, atomics, lanes, faults, polling
    lockstep/      the lockstep tier: all threads take each step together, as NumPy vectors
    stepping/      the step-through tier: each thread a Python generator, pdb works
    library/       libdevice, half precision, vectors, random numbers, ufuncs
    sanitizer/     faults named, by both threads and both lines; trace/ is its slow, exact path,
                   and memory_model.py what orders two accesses
    inspector/     metrics for each line, occupancy, the modelled time; ptx/ asks Nvidia's compiler

Instrumentation (the sanitizer, the inspector) is a *mode of code generation*, not another
interpreter: subclass `emit.Mode`, say what to emit around each load, store, atomic and barrier,
and the same regions run with shadow memory or counters beside them at compiled speed.

It refuses to import Numba's own CUDA simulator, and needs no GPU, driver or `numba-cuda` package.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

import sys as _sys


def install() -> None:
    """Let code that says ``from numba import cuda`` run on the CPU engine.

    Call it before that code is imported. Numba's own CUDA package is then never imported.

    Raises
    ------
    InstallationError
        Where Numba's own is loaded already.
    """
    from workbench.errors import InstallationError
    from workbench.simt import cuda

    loaded = _sys.modules.get("numba.cuda")
    if loaded is not None and loaded is not cuda:
        raise InstallationError(
            "Numba's own CUDA package is loaded already.",
            "something imported numba.cuda first",
            "call workbench.simt.install() before anything imports numba.cuda",
        )
    import numba

    numba.cuda = cuda
    _sys.modules["numba.cuda"] = cuda
    for name in ("random", "libdevice"):
        _sys.modules[f"numba.cuda.{name}"] = getattr(cuda, name)
