"""What can be wrong with an AI Core kernel: findings that name instructions, lines and bytes.

A `Finding` is data, for tables, widgets and tests. An `AICoreError` carries one and is raised
where the kernel cannot go on; a `HazardError` carries all that a check found. Kinds of findings
mirror what the vendor's own checker reports, so that the learning transfers.
"""

from __future__ import annotations

import linecache
from dataclasses import asdict, dataclass, field
from typing import Any

from workbench.errors import KernelError

_MOST_PRINTED = 10

# kind -> what it means, in one line
KINDS = {
    "missing_wait": "two instructions touch the same bytes and nothing orders them",
    "core_overlap": "two cores touch the same bytes of global memory and nothing orders them",
    "uninitialised": "bytes are read that nothing wrote",
    "overflow": "a buffer is too small for what is asked of it",
    "misaligned": "an address or a length breaks the alignment of its buffer",
    "out_of_range": "a tensor is read or written beyond its end",
    "leak": "a queue's buffer is never freed, or never dequeued",
    "double_free": "a queue's buffer is freed twice",
    "use_after_free": "a tensor is used after its queue took it back",
    "queue": "a queue is used against its order: allocate, enqueue, dequeue, free",
    "unmatched_set": "an event is set and never waited for",
    "unmatched_wait": "an event is waited for and never set: the core hangs",
    "event_reused": "an event is set again before its first setting is waited for",
    "deadlock": "cores wait for one another: the run hangs",
    "dtype": "a unit lacks the data type",
    "shape": "shapes do not fit together",
    "values": "a kernel looks at values while it is being recorded",
    "index": "a part of a tensor is named in a way that cannot be taken",
    "endless": "a kernel goes on beyond its limit of instructions or time",
    "position": "data are in a buffer that this instruction cannot reach",
    "kernel": "the kernel's own Python raised",
}


@dataclass(frozen=True)
class Site:
    """Where in the kernel's source an instruction was issued.

    Attributes
    ----------
    instruction : str
        Name of the operation.
    pipe : str
    core : int
    file : str
    line : int
    """

    instruction: str
    pipe: str
    core: int
    file: str
    line: int

    @property
    def source(self) -> str:
        """The source line, stripped; empty where it cannot be had."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        name = self.file.rpartition("/")[2]
        text = f"  {self.source}" if self.source else ""
        return f"{self.instruction} on {self.pipe} of core {self.core}, {name}:{self.line}{text}"


@dataclass(frozen=True, repr=False)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    message : str
        What happened, in one sentence.
    sites : tuple of Site
        The instructions involved, in program order.
    buffer : str
        ``"UB of core 3"`` or the name of a global array.
    start, stop : int
        Bytes of the buffer that are involved.
    evidence : str
        What we saw, where a sentence says more.
    advice : str
    changes_result : bool or None
        Whether an order that the flags allow was found to change the result; None: not tried.
    """

    kind: str
    message: str
    sites: tuple[Site, ...] = ()
    buffer: str = ""
    start: int = 0
    stop: int = 0
    evidence: str = ""
    advice: str = ""
    changes_result: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        found = asdict(self)
        for one, site in zip(found["sites"], self.sites, strict=True):
            one["source"] = site.source
        return found

    def __str__(self) -> str:
        lines = [f"[{self.kind}] {self.message}"]
        lines += [f"    {site}" for site in self.sites]
        if self.buffer:
            lines.append(f"    {self.buffer}, bytes {self.start} to {self.stop}")
        if self.evidence:
            lines.append(f"    {self.evidence}")
        if self.changes_result is not None:
            known = "gives another result" if self.changes_result else "gave the same result here"
            lines.append(f"    an order that the flags allow {known}")
        if self.advice:
            lines.append(f"    Try: {self.advice}")
        return "\n".join(lines)

    __repr__ = __str__


class AICoreError(KernelError):
    """A kernel cannot be carried out as written.

    Parameters
    ----------
    kind : str
        A key of `KINDS`.
    happened, saw, advice : str
        As for every error of the workbench.
    sites : tuple of Site
        Added by the recorder, which knows the line.
    """

    def __init__(
        self,
        kind: str,
        happened: str,
        saw: str = "",
        advice: str = "",
        sites: tuple[Site, ...] = (),
    ):
        super().__init__(happened, saw, advice)
        self.kind, self.sites = kind, sites

    @property
    def finding(self) -> Finding:
        """The same as data."""
        return Finding(self.kind, self.happened, self.sites, evidence=self.saw, advice=self.advice)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"At: {site}" for site in self.sites)])

    def __reduce__(self):
        return type(self), (self.kind, self.happened, self.saw, self.advice, self.sites)


class HazardError(KernelError):
    """A check of a recording found something."""

    def __init__(self, findings: tuple[Finding, ...]):
        count = len(findings)
        super().__init__(
            f"{count} finding{'s' if count > 1 else ''} in this kernel.",
            "\n".join(str(finding) for finding in findings[:_MOST_PRINTED]),
            findings[0].advice,
        )
        self.findings = findings

    def __str__(self) -> str:
        return f"{self.happened}\nSeen: {self.saw}"  # each finding says its own advice

    def __reduce__(self):
        return type(self), (self.findings,)


@dataclass(frozen=True, repr=False)
class Report:
    """What a check of one recording found.

    Attributes
    ----------
    findings : tuple of Finding
    instructions : int
        How many instructions were looked at.
    orders_tried : int
        Adversarial replays that were carried out.
    """

    findings: tuple[Finding, ...]
    instructions: int
    orders_tried: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def require_clean(self) -> Report:
        """Return itself, or raise `HazardError` with every finding."""
        if self.findings:
            raise HazardError(self.findings)
        return self

    def __str__(self) -> str:
        count = len(self.findings)
        lines = [f"{count} finding{'s' * (count != 1)} in {self.instructions:,} instructions"]
        lines += [str(finding) for finding in self.findings[:_MOST_PRINTED]]
        if count > _MOST_PRINTED:
            lines.append(f"and {count - _MOST_PRINTED} more in `findings`")
        return "\n".join(lines)

    __repr__ = __str__
