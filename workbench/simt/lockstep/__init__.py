"""The lockstep tier: all threads of a launch take each step together, as NumPy vectors.

It starts at once, because nothing is compiled, and costs some microseconds a step for thousands
of threads: the tier for the first launch of a small grid, and for grid-wide barriers (which are
free, since every thread is at the same step anyway). What it cannot run it refuses before a result
is seen (`CannotLockstep`), with memory put back as it was.

It refuses loops that wait for another thread's write, prints, exceptions, records, and functions
that are neither device functions nor known mathematics.
"""

from workbench.simt.lockstep.launch import Halted, launch, refusal
from workbench.simt.lockstep.numbers import CannotLockstep

__all__ = ["CannotLockstep", "Halted", "launch", "refusal"]
