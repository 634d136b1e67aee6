"""One report on a model: what exports, whether it agrees, what runs where, and what to change.

`port_model` goes through `STEPS` in order and never stops at the first that fails: each section
holds its result or the reason there is none. The numbers carry their provenance: latency and memory
are measured here, on what really runs here; what stand-ins show is placement and never time. It
refuses to guess: what was not tried says so.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import InputError, WorkbenchError
from workbench.measurement import now
from workbench.portability.exporting import exportable
from workbench.portability.feeds import runnable_feeds
from workbench.portability.findings import findings
from workbench.portability.load import load_model
from workbench.portability.previewing import Preview
from workbench.portability.sections import (
    RUN_LIMIT_S,
    Subject,
    divergence_section,
    export_section,
    latency_section,
    memory_section,
    parity_section,
    placement_sections,
    section,
    summary_section,
    sweep_section,
)
from workbench.portability.session import CPU
from workbench.portability.workers.process import Worker
from workbench.portability.workers.sessions import open_worker_session

# name in the report, what is said before it, and what makes it: in this order
STEPS: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("summary", "reading the graph", summary_section),
    ("parity", "running on the CPU", parity_section),
    ("latency", "measuring latency", latency_section),
    ("memory", "measuring memory", memory_section),
    ("placement", "placing on the providers", placement_sections),
    ("divergence", "looking for the first divergence", divergence_section),
    ("sweep", "sweeping opsets", sweep_section),
)


def port_model(spec: str, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Return the report on a model as plain JSON.

    Parameters
    ----------
    spec : str
        The path of an ``.onnx`` file, or ``package.module:factory``: a callable that returns
        ``(module, inputs)`` or ``(module, inputs, dynamic_shapes)``.
    say : callable
        Given a line before each step.

    Raises
    ------
    InputError
        Where the factory cannot be found, fails, or returns something else.
    DataFileError
        Where the file is not a sound ONNX model.
    """
    report: dict[str, Any] = {"model": spec, "made_at": now(), "findings": []}
    subject = _subject(spec, report, say)
    if subject.model is not None:
        report["inputs"] = _give_inputs(subject)
        with Preview(limit_s=RUN_LIMIT_S) as preview:
            for name, words, make in STEPS:
                say(words)
                report[name] = section(make, subject, report, preview)
    report["findings"] = findings(report)
    return report


def _subject(spec: str, report: dict[str, Any], say: Callable[[str], None]) -> Subject:
    """Return what is reported on; its model is None where it does not export."""
    if Path(spec).suffix == ".onnx" or Path(spec).exists():
        say("reading")
        return Subject(spec, model=load_model(spec, own_operators=True))
    factory = _factory(spec)
    subject = Subject(spec, factory=factory)
    say("exporting")
    module, inputs, dynamic = factory()  # that it fails is no finding on a model: it raises
    exportable(module, inputs)
    report["export"] = section(export_section, subject, module, inputs, dynamic)
    return subject


def _give_inputs(subject: Subject) -> str:
    """Give the subject inputs to run on; return in words where they are from."""
    try:
        if subject.exported:
            subject.feeds = subject.exported.feeds()
            return "the export's example"
        with Worker(Path(sys.executable), limit_s=RUN_LIMIT_S) as worker:
            opened = cache(lambda: open_worker_session(worker, subject.model, CPU))
            subject.feeds, words = runnable_feeds(subject.model, lambda f: opened().run(f))
        return words
    except WorkbenchError as error:
        return f"none could be made up: {error}"
    except Exception as error:  # as in a section: the others do without inputs
        return (
            f"none could be made up, by a fault in the workbench: {type(error).__name__}: {error}"
        )


def _factory(spec: str) -> Callable[[], tuple[Any, ...]]:
    module, colon, name = spec.partition(":")
    if not colon:
        raise InputError(
            "There is no such model.", repr(spec), "an .onnx file, or package.module:factory"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as cause:  # importing runs the author's own code, which may raise anything
        raise InputError(
            f"The factory {spec!r} cannot be found.",
            f"{type(cause).__name__}: {cause}",
            "a module that imports from this folder, and a function in it",
        ) from cause
    finally:
        sys.path.remove(str(Path.cwd()))
    if not callable(found):
        raise InputError(
            f"{spec} cannot be called.", repr(type(found)), "a function without arguments"
        )

    def made() -> tuple[Any, ...]:
        try:
            result = found()
        except Exception as cause:
            raise InputError(
                f"{spec} failed.", f"{type(cause).__name__}: {cause}", "run it by itself first"
            ) from cause
        if not isinstance(result, (tuple, list)) or len(result) not in (2, 3):
            raise InputError(
                f"{spec} returned no model.",
                repr(type(result)),
                "return (module, inputs) or (module, inputs, dynamic_shapes)",
            )
        return (*result, None)[:3]

    return made
