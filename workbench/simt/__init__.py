"""The CUDA programming model on any CPU: unmodified Numba-CUDA kernels, fast, inspected, honest.

The pipeline, top to bottom; each stage is one module a person can read in a sitting::

    source.py      a Python function -> its syntax tree, with true file name and line numbers,
                   and the names it sees (closure, globals)
    resolve.py     names -> what they are: `cuda.threadIdx.x`, `cuda.syncthreads()`, shared arrays,
                   device functions become explicit nodes (`Index`, `Intrinsic`, `DeviceCall`, in
                   resolved.py); every array access gets a `Site` (line, column, load or store)
    normalise.py   one thing per statement (normal_form.py): barriers and warp operations stand
                   alone (hoisting.py), updates become a load and a store, device functions that
                   synchronise are inlined (inlining.py)
    analysis.py    which names are uniform over a block, which live across a barrier, which are
                   cheaper to compute again than to keep (remat.py)
    plan.py        the compiled tier's plan (plan_nodes.py): runs of statements between barriers
                   become loops over the threads of a block; control around a barrier becomes
                   block-level control, under a mask where threads may disagree (plan_loops.py)
    regions.py     the plan -> source text for numba.njit (module.py), statement by statement in
                   translate.py, with indices proven inside where ranges.py can; every access goes
                   through one `Mode` object (emit.py)
    build.py       source text -> machine code, kept on disk (cache.py); runtime*.py is what it
                   calls, run.py launches it
    lockstep/      the lockstep tier: all threads take each step together, as NumPy vectors
    stepping.py    the step-through tier: each thread a Python generator, pdb works
    background.py  compiling while the first answer, from lockstep, is being read
    tiers.py       which tier runs a launch
    kernel.py      the kernel object and launches

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
