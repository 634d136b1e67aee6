"""Real PTX, registers, spills and SASS of a kernel, each beside its Python line, with no GPU.

Nvidia's compiler needs no GPU, only the ``ptx`` extra. It runs in a child process, so that the real
``numba.cuda`` and ours never meet in one interpreter. It refuses to guess: without the extra, an
error says how to get it.
"""

from workbench.simt.ptx.machine_code import MachineCode, machine_code

__all__ = ["MachineCode", "machine_code"]
