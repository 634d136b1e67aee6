"""The irregular tier: threads that wait wherever they like, as a state machine under njit.

For kernels whose barriers no region can hold: barriers and warp operations in divergent code, spin
locks and flags, barriers over the whole grid, views that live across a barrier. Every thread has a
program counter and a frame for its locals; it runs until it waits, and a scheduler resumes whoever
may go on, at compiled speed::

    normal.py      the normal form, with functions that return from anywhere (nodes.py)
    flow.py        the normal form -> states: straight code that ends by going on or by waiting
    frames.py      what a thread keeps while it waits, and where in memory
    writer.py      the states as source for numba.njit
    build.py       the module, compiled and kept on disk
    cells.py       memory by address: a thread's frame, a block's arrays
    scheduler.py   whose turn it is, who may leave a barrier, and when nobody can
    resident.py    the scheduler's machine code, which all kernels share
    meetings.py    what each lane receives from a warp operation
    launch.py      a launch: how many blocks are alive at once, and what it says when it fails

It refuses a barrier inside recursion, and values that are neither numbers, arrays of them nor
tuples where they live while a thread waits.
"""

from workbench.simt.irregular.build import Machine, build
from workbench.simt.irregular.launch import run

__all__ = ["Machine", "build", "run"]
