"""Every way the workbench can go wrong, on one tree.

An error here says three things: what happened, what we saw, and what to try. They are separate
arguments, so that no message can forget one of them, and separate attributes, so that a notebook,
the command line and a widget can each lay them out in their own way.

::

    WorkbenchError
    ├── InputError                  the caller's values cannot be used (also a ValueError)
    │   ├── UnknownNameError        no such problem, target, kernel, ...: names the near misses
    │   ├── DataFileError           a file is missing, truncated, corrupt or of a newer version
    │   └── IncomparableMeasurementsError   two numbers that must not stand in one ranking
    ├── UnavailableError            a place to run, a package or a driver is not here
    │   └── InstallationError       the package itself is not installed as it must be
    ├── ExecutionError              something that ran failed
    │   ├── KernelError             a learner's kernel failed; carries the finding
    │   ├── StoppedError            stopped on request, or by a limit that was set
    │   └── WorkerError             a child process died or stopped answering
    └── WrongResultError            it ran, and the answer is wrong

Subjects hang their own errors below these (``simt`` below `KernelError`, and so on). It refuses
to be a place for control flow: nothing in the package catches `WorkbenchError` to carry on quietly.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkbenchError(Exception):
    """Root of the tree.

    Parameters
    ----------
    happened : str
        What went wrong, in one sentence.
    saw : str, optional
        The evidence: the value, the file, the line.
    advice : str, optional
        What to try next, as a command or an action.
    """

    def __init__(self, happened: str, saw: str = "", advice: str = ""):
        super().__init__(happened, saw, advice)
        self.happened, self.saw, self.advice = happened, saw, advice

    def __str__(self) -> str:
        parts = [self.happened]
        if self.saw:
            parts.append(f"Seen: {self.saw}")
        if self.advice:
            parts.append(f"Try: {self.advice}")
        return "\n".join(parts)


class InputError(WorkbenchError, ValueError):
    """The caller's values cannot be used."""


class UnknownNameError(InputError):
    """A name is not among the known ones.

    Parameters
    ----------
    kind : str
        What was looked up, for instance ``"target"``.
    name : str
        The name that is unknown.
    known : iterable of str
        The names that exist; the nearest ones are suggested.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        known = sorted(known)
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        hint = "did you mean " + " or ".join(near) + "?" if near else "one of: " + ", ".join(known)
        super().__init__(f"There is no {kind} called {name!r}.", "", hint)
        self.kind, self.name, self.near = kind, name, tuple(near)

    def __reduce__(self):
        return (_rebuild, (type(self), self.__dict__, self.args))


class DataFileError(InputError):
    """A file is missing, truncated, corrupt, or written by a newer version."""


class UnavailableError(WorkbenchError):
    """A place to run, a package or a driver is not here."""


class InstallationError(UnavailableError):
    """The package itself is not installed as it must be."""


class ExecutionError(WorkbenchError):
    """Something that ran failed."""


class KernelError(ExecutionError):
    """A learner's kernel failed."""


class StoppedError(ExecutionError):
    """Stopped on request, or by a limit that was set."""


class WorkerError(ExecutionError):
    """A child process died or stopped answering."""


class WrongResultError(WorkbenchError, AssertionError):
    """It ran, and the answer is wrong."""


class IncomparableMeasurementsError(InputError):
    """Two numbers that must not stand in one ranking."""


def _rebuild(cls: type[WorkbenchError], state: dict, args: tuple) -> WorkbenchError:
    """Rebuild an error whose constructor takes other arguments than it stores (for pickle)."""
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error
