"""Find what is wrong with a launch, also where the result happens to be right.

`sanitize` runs a launch under the memory model of `workbench.simt.memory_model` and returns what it
found; `sanitizing` does so for every launch. It refuses to change the kernel, and to stay silent
about a launch that it could not watch.
"""

from workbench.simt.sanitizer.findings import Finding, FindingKind, Findings, FoundError, Severity
from workbench.simt.sanitizer.launches import sanitize, sanitize_in_order, sanitizing

__all__ = [
    "Finding", "FindingKind", "Findings", "FoundError", "Severity", "sanitize",
    "sanitize_in_order", "sanitizing",
]  # fmt: skip
