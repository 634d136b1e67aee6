"""What the sanitizer says: findings with plain fields, and one readable sentence each."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, overload

from workbench.errors import KernelError


class FindingKind(StrEnum):
    """What is wrong."""

    RACE = "race"
    MIXED_ATOMIC = "atomic mixed with plain access"
    MISSING_SYNCWARP = "missing syncwarp"
    OUT_OF_BOUNDS = "out of bounds"
    NEGATIVE_INDEX = "negative index"
    UNINITIALISED = "uninitialised read"
    MISALIGNED = "misaligned"
    BARRIER_DIVERGENCE = "barrier divergence"
    BARRIER_AFTER_EXIT = "barrier after exit"
    WARP_DIVERGENCE = "warp divergence"
    WRONG_MASK = "wrong mask"
    INACTIVE_LANE = "inactive lane"
    DEADLOCK = "deadlock"


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The result is undefined, or wrong on some GPU or in some order."""
    WARNING = "warning"
    """Probably not meant; the result does not depend on it here."""


@dataclass(frozen=True)
class Party:
    """One of the threads of a finding.

    Attributes
    ----------
    block, thread : tuple of int
        ``blockIdx`` and ``threadIdx`` as (x, y, z).
    does : str
        The verb: ``"reads"``, ``"writes"``, ``"waits"``, ...
    value : object or None
        What it read or wrote, as a Python or NumPy scalar.
    line : int
        Line in `path`; 0 where it is not known.
    path, text : str
        The file, and the source line.
    """

    block: tuple[int, int, int]
    thread: tuple[int, int, int]
    does: str
    value: Any
    line: int
    path: str
    text: str

    @property
    def name(self) -> str:
        """For sentences: ``thread (0, 0, 0) of block (1, 0, 0)``."""
        return f"thread {self.thread} of block {self.block}"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a launch.

    Attributes
    ----------
    kind : FindingKind
    severity : Severity
    message : str
        The sentence, beginning with the kind.
    cure : str
        What would probably repair it.
    first : Party
        The thread that came first in the run that was watched.
    second : Party or None
        The other thread, where two are involved.
    array, space : str
        Name in the kernel, and ``shared``, ``global``, ``local`` or ``constant``; empty where no
        array is involved.
    index : tuple of int
        The element.
    count : int
        How often it was seen, at these lines.
    """

    kind: FindingKind
    severity: Severity
    message: str
    cure: str
    first: Party
    second: Party | None = None
    array: str = ""
    space: str = ""
    index: tuple[Any, ...] = ()
    count: int = 1

    @property
    def line(self) -> int:
        """The line of the first thread."""
        return self.first.line

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines of both threads, the first one's first."""
        return (self.first.line,) if self.second is None else (self.first.line, self.second.line)

    @property
    def threads(self) -> tuple[Party, ...]:
        """Everyone involved."""
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def values(self) -> tuple[Any, ...]:
        """What each of them read or wrote."""
        return tuple(party.value for party in self.threads)

    def __str__(self) -> str:
        where = f"{os.path.basename(self.first.path)}:{self.first.line}"
        again = f" Seen {self.count} times." if self.count > 1 else ""
        return f"{where}: {self.severity}: {self.message}{again}\n    Try: {self.cure}"

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON, for widgets and reports."""
        found = asdict(self)
        for party in (found["first"], found["second"]):
            if party is not None and party["value"] is not None:
                party["value"] = str(party["value"])
        found["index"] = [str(one) for one in self.index]
        return found


class FoundError(KernelError):
    """The sanitizer found something wrong with a kernel.

    Parameters
    ----------
    findings : Findings
    """

    def __init__(self, findings: Findings):
        self.findings = findings
        worst = findings.errors[0] if findings.errors else findings[0]
        super().__init__(
            f"The sanitizer has {len(findings)} finding{'s' if len(findings) > 1 else ''}.",
            worst.message,
            worst.cure,
        )

    def __reduce__(self):
        return (type(self), (self.findings,))


class Findings(Sequence[Finding]):
    """The findings of one launch, errors first; prints as text, shows as HTML.

    Parameters
    ----------
    kernel : str
        Name of the kernel.
    found : iterable of Finding
    how : str
        How the launch was watched: ``"traced, forward and backward order"``, ...
    """

    def __init__(self, kernel: str, found: Iterable[Finding], how: str = ""):
        self.kernel, self.how = kernel, how
        self._found = tuple(sorted(found, key=lambda f: (f.severity != Severity.ERROR, f.lines)))

    @overload
    def __getitem__(self, place: int) -> Finding: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Finding]: ...
    def __getitem__(self, place):
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those that are not warnings."""
        return tuple(one for one in self._found if one.severity == Severity.ERROR)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that were found, each once, in order."""
        return tuple(dict.fromkeys(str(one.kind) for one in self._found))

    def check(self) -> None:
        """Raise where anything was found.

        Raises
        ------
        FoundError
            Naming the first error, or the first warning where there is no error.
        """
        if self._found:
            raise FoundError(self)

    def __str__(self) -> str:
        if not self._found:
            return f"{self.kernel}: no findings ({self.how})"
        return "\n".join([f"{self.kernel}: {len(self)} found", *map(str, self._found)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(one.severity)}</td><td>{html.escape(one.kind)}</td>"
            f"<td>{', '.join(map(str, one.lines))}</td><td style='text-align:left'>"
            f"{html.escape(one.message)}<br><em>{html.escape(one.cure)}</em></td></tr>"
            for one in self._found
        )
        if not rows:
            return f"<p>{html.escape(str(self))}</p>"
        head = "<tr><th>severity</th><th>kind</th><th>lines</th><th>what</th></tr>"
        return f"<table>{head}{rows}</table>"

    def as_json(self) -> list[dict[str, Any]]:
        """Return all findings as plain JSON."""
        return [one.as_json() for one in self._found]
