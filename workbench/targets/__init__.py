"""The places where work can run: one file each, and the file's name is the target's name.

Adding a target is adding a file here. There is no list to keep in step, every file passes the same
contract test (``tests/contract``), and a place that cannot be used says why and what to do about
it. Files that begin with an underscore are shared helpers, not targets.

The contract
------------
A target's module has, at its top level,

``SUMMARY : str``
    One line: what does the computing.
``probe(index) -> Availability``
    Whether device number `index` is here and usable. Usable: what was found. Not usable: why, and
    what to do. It may import heavy libraries and start child processes, and it never raises.
``supports(problem) -> Availability``
    Whether and how the problem reaches this place, without running anything.
``prepare(problem, inputs, *, index) -> Runner``
    The problem made ready for those inputs; compiling and loading belong here.

A target that runs kernels of the shelf has ``DIALECT`` (``"cuda"``, ``"ascend"``), and its
``prepare`` takes ``kernel``, the name of one of them (None: the last rung). One whose numbers are
predicted has ``PROVENANCE = Provenance.MODELLED``, ``MODEL`` (the model's name) and
``STATED_ERROR``. A target never computes anywhere else than where it says: what it
cannot do there is an error that names both places.

Addresses
---------
``ort_cpu`` is a target, ``torch_cuda:1`` its second device, and ``simt/cuda_2_tiled`` a target
with one kernel of the shelf named. `find` reads such an address.
"""

from __future__ import annotations

import abc
import re
import threading
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from workbench import catalog
from workbench.errors import InputError, UnavailableError, UnknownNameError, WorkbenchError
from workbench.measurement import Availability, Provenance
from workbench.problem import Arrays, Problem

_ADDRESS = re.compile(r"(?P<name>\w+)(?::(?P<index>\d{1,3}))?(?:/(?P<kernel>\w+))?", re.ASCII)


class Runner(abc.ABC):
    """A problem made ready in one place, for inputs of one size.

    Load, run, fetch: only `run` is timed, and each may be called any number of times in any order
    after a first `load`, which `prepare` has done. A runner is a context manager.
    """

    notes: tuple[str, ...] = ()
    """Plain sentences that a reader must see beside the numbers."""
    device: str = ""
    """The device's own name, as its driver says it; empty for the host's processor."""

    @abc.abstractmethod
    def load(self, inputs: tuple[Any, ...]) -> None:
        """Put other inputs of the same shapes in place, and spoil the last outputs. Not timed."""

    @abc.abstractmethod
    def run(self) -> float | None:
        """Compute once and return when it is done.

        Returns
        -------
        float or None
            The latency in nanoseconds where the place has a clock of its own (a child process, a
            model), else None: the caller's clock counts.
        """

    @abc.abstractmethod
    def fetch(self) -> Arrays:
        """Return copies of the outputs of the last `run` as NumPy arrays. Not timed."""

    def close(self) -> None:  # noqa: B027 - most places hold nothing
        """Give back what the place holds; safe to call twice."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@dataclass(frozen=True)
class Target:
    """One place where work can run.

    Attributes
    ----------
    name : str
        The file's name.
    index : int
        Which device of that kind, from 0.
    kernel : str or None
        The kernel of the shelf to run there, where the address named one.
    """

    name: str
    index: int = 0
    kernel: str | None = None

    @property
    def address(self) -> str:
        """The name with ``:index`` and ``/kernel`` where they are not the usual ones."""
        index = f":{self.index}" if self.index else ""
        return f"{self.name}{index}" + (f"/{self.kernel}" if self.kernel else "")

    @property
    def module(self) -> ModuleType:
        """The target's file, imported (which imports no heavy library)."""
        return import_module(f"{__name__}.{self.name}")

    @property
    def summary(self) -> str:
        """What does the computing, in one line; empty where the file cannot be loaded."""
        return self._fact("SUMMARY", "")

    @property
    def provenance(self) -> Provenance:
        """How its numbers are obtained: measured, or modelled."""
        return self._fact("PROVENANCE", Provenance.MEASURED)

    @property
    def model(self) -> str:
        """The name of the model behind modelled numbers, else empty."""
        return self._fact("MODEL", "")

    @property
    def stated_error(self) -> str:
        """How wrong that model is known to be, else empty."""
        return self._fact("STATED_ERROR", "")

    def _fact(self, name: str, default: Any) -> Any:
        try:
            return getattr(self.module, name, default)
        except Exception:  # `probe` says what is wrong with the file; the other targets go on
            return default

    def probe(self) -> Availability:
        """Say whether it can be used on this machine, or why not and what to do."""
        return _probe(self.name, self.index)

    def known(self) -> Availability | None:
        """Return what `probe` said, or None where it was not asked yet; never takes long."""
        return _answers.get((self.name, self.index))

    def supports(self, problem: Problem) -> Availability:
        """Say whether and how the problem reaches this place.

        Raises
        ------
        InputError
            Where the address names a kernel that does not exist, or that this place does not run.
        """
        answer = self.module.supports(problem)
        if answer and self.kernel is not None:
            from workbench.targets._shelf import check_kernel

            check_kernel(problem, self.name, getattr(self.module, "DIALECT", None), self.kernel)
        return answer

    def prepare(self, problem: Problem, inputs: tuple[Any, ...]) -> Runner:
        """Make the problem ready here; the inputs are loaded, nothing has run.

        Raises
        ------
        UnavailableError
            Where the place cannot be used, or the problem does not reach it: it never runs
            anywhere else instead.
        InputError
            As `supports`.
        """
        for ask in (self.probe, lambda: self.supports(problem)):
            if not (answer := ask()):
                raise UnavailableError(
                    f"{problem.name} cannot run on {self.address}.", answer.reason, answer.remedy
                )
        chosen = {"kernel": self.kernel} if hasattr(self.module, "DIALECT") else {}
        return self.module.prepare(problem, inputs, index=self.index, **chosen)


def find(address: str | Target) -> Target:
    """Return the target of an address such as ``"ort_cpu"``, ``"torch_cuda:1"``, ``"simt/naive"``.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    InputError
        Where it cannot be read as an address.
    """
    if isinstance(address, Target):
        return address
    match = _ADDRESS.fullmatch(str(address))
    if not match:
        raise InputError(
            "That is not the address of a target.",
            repr(address),
            "write a name, then :1 for a second device, then /kernel for one file of the shelf",
        )
    known = catalog.target_names()
    if match["name"] not in known:
        raise UnknownNameError("target", match["name"], known)
    return Target(match["name"], int(match["index"] or 0), match["kernel"])


def everything() -> list[Target]:
    """Return every target, usable or not, by name."""
    return [Target(name) for name in catalog.target_names()]


def usable(problem: Problem | None = None) -> list[Target]:
    """Return the targets that can be used here (for `problem`, if given), by name."""
    return [
        target
        for target in everything()
        if target.probe() and (problem is None or target.supports(problem))
    ]


def forget() -> None:
    """Forget what was probed, so that a device that came or went is seen."""
    _answers.clear()


_answers: dict[tuple[str, int], Availability] = {}
_asking: dict[tuple[str, int], threading.RLock] = {}


def _probe(name: str, index: int) -> Availability:
    """Ask once, also where several threads want to know."""
    key = name, index
    with _asking.setdefault(key, threading.RLock()):
        if key not in _answers:
            _answers[key] = _asked(name, index)
        return _answers[key]


def _asked(name: str, index: int) -> Availability:
    try:
        return import_module(f"{__name__}.{name}").probe(index)
    except WorkbenchError as error:
        return Availability(
            False, f"{error.happened} {error.saw}".strip(), error.advice or "see above"
        )
    except Exception as error:  # a broken driver or package is an answer too, and it is shown
        return Availability(
            False,
            f"probing failed with {type(error).__name__}: {error}",
            f"see workbench/targets/{name}.py, and what the library behind it says when imported",
        )
