"""Whether there is enough memory, asked before it is taken: an allocation that fails may kill."""

from __future__ import annotations

import psutil

from workbench.errors import InputError


def check_memory(nbytes: int, what: str) -> None:
    """Raise `InputError` where a launch would need more host memory than is free."""
    free = psutil.virtual_memory().available
    if nbytes > 0.8 * free:
        raise InputError(
            f"{what} needs more memory than there is.",
            f"{nbytes / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free",
            "launch fewer blocks at a time, or smaller arrays",
        )
