"""The step-through tier: every thread is a Python generator, so pdb works inside a kernel."""

from workbench.simt.stepping.launch import deadline, launch

__all__ = ["deadline", "launch"]
