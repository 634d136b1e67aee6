"""Grades a provider by ONNX's own node tests.

Each test is a model of a few nodes with inputs and expected outputs, made by ONNX's reference. A
test counts as right where the whole model's outputs are right with the provider in front, and as
ours where the provider took at least one node. It refuses to grade what ONNX Runtime's CPU cannot
run either.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from workbench.errors import InputError, WorkbenchError
from workbench.portability.provider.engine import Provider
from workbench.portability.recorded.book import NotRecordedError
from workbench.portability.session import open_session


@dataclass(frozen=True)
class Grade:
    """What the tests said.

    Attributes
    ----------
    right, wrong : tuple of str
        Tests by name, of those in which the provider took a node.
    not_taken : tuple of str
        Tests in which it took none.
    nodes : int
        How many nodes it took in all.
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    not_taken: tuple[str, ...]
    nodes: int

    @property
    def sentence(self) -> str:
        """Return the grade in one sentence."""
        taken = len(self.right) + len(self.wrong)
        return (
            f"{len(self.right)} of {taken} tests are right in which the provider took a node; "
            f"it took {self.nodes} nodes, and none in {len(self.not_taken)} tests."
        )


@cache
def operator_tests() -> tuple[Any, ...]:
    """Return ONNX's own tests of single operators, each a model with its inputs and outputs."""
    from onnx.backend.test.loader import load_model_tests

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test data divides by zero on purpose
        return tuple(load_model_tests(kind="node"))


def grade(provider: Provider, only: str = "") -> Grade:
    """Run ONNX's node tests whose name contains `only`, with the provider in front.

    Raises
    ------
    InputError
        Where no test has such a name.
    """
    chosen = [case for case in operator_tests() if only in case.name]
    if not chosen:
        raise InputError("No test of ONNX has such a name.", repr(only), "for instance: softmax")
    right, wrong, left, nodes = [], [], [], 0
    for case in chosen:
        if not _passes(lambda case=case: open_session(case.model), case):
            continue
        before = sum(provider.record.runs.values())
        good = _passes(lambda case=case: provider.open_session(case.model), case)
        ran = sum(provider.record.runs.values()) - before
        nodes += ran
        (left if good and not ran else right if good else wrong).append(case.name)
    return Grade(tuple(right), tuple(wrong), tuple(left), nodes)


def _passes(opened: Any, case: Any) -> bool:
    try:
        session = opened()
        for inputs, outputs in case.data_sets:
            for got, want in zip(session.run(inputs), outputs, strict=True):
                if not isinstance(got, np.ndarray):
                    return False
                np.testing.assert_allclose(got, want, rtol=case.rtol, atol=case.atol)
    except NotRecordedError:  # not the provider's fault: nobody can say
        raise
    except (WorkbenchError, AssertionError, TypeError):
        return False
    return True
