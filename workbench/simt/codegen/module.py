"""The generated module: its source and what a launch must know about it."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

HEADER = """import numba
import numpy as np
from numba import njit
from workbench.simt.runtime.access import (
    load_checked, load_proven, row_checked, store_checked, store_proven,
)
from workbench.simt.runtime.control import Stopped, fault, refill, stack_address
from workbench.simt.runtime.memory import block_array, poison, thread_slice, view_as
from workbench.simt.runtime.atomics import *
from workbench.simt.runtime.lanes import *
import workbench.simt.runtime.mathematics
"""


@dataclass
class Module:
    """Generated source and what a launch must know about it.

    Attributes
    ----------
    text : str
    function : str
        Name of the kernel in it.
    hidden : dict
        Arrays that follow the kernel's own arguments.
    objects : dict
        Objects that the module's namespace must hold; where there are any it is not cached.
    sites : list of dict
        Site number - 1 -> array, text, line, kind.
    shared_bytes : int
        Static shared memory of a block.
    uses_dynamic : bool
    thread_bytes : int
        Memory for the values that threads keep across barriers, of one block.
    facts : dict
        What the launch of a state machine must know, as plain JSON.
    """

    text: str
    function: str
    hidden: dict[str, np.ndarray] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    sites: list[dict] = field(default_factory=list)
    shared_bytes: int = 0
    uses_dynamic: bool = False
    thread_bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def has_atomics(self) -> bool:
        """Whether it updates global memory atomically."""
        return " global_" in self.text or "(global_" in self.text
