"""Walks a model node by node to the first value on which two places disagree.

Comparing the final outputs says *that* two places differ. Here every value inside is compared, in
the graph's order, and the first one out of tolerance is named with its node, with the source line
that made the node, and with whether the node errs on its own (given the same inputs) or only
passes on what it was given. Making inner values visible keeps a provider from fusing across them,
so the plain model's outputs are compared as well, and a difference that shows only there is said.

Where that node is an ``If``, a ``Loop`` or a ``Scan``, its body is walked in the same way
(`alone`). It refuses to judge speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InputError, WrongResultError
from workbench.portability.alone import bodies_of, known_values, look_inside, run_alone
from workbench.portability.feeds import checked_feeds
from workbench.portability.load import load_model
from workbench.portability.places import Place, Values, as_place
from workbench.portability.sources import SourceLine, node_sources
from workbench.problem import TOLERANCES, Tolerance

if TYPE_CHECKING:
    import onnx

EXACT = Tolerance(0.0, 0.0)


@dataclass(frozen=True)
class Step:
    """One value of the graph, as two places computed it.

    Attributes
    ----------
    node, operator, value : str
    dtype : str
    max_abs_error : float
        Largest difference; infinity where one place has NaN, or another shape.
    allowed : float
        The largest difference that `tolerance_for` allows at that element.
    agrees : bool
    source : SourceLine or None
    """

    node: str
    operator: str
    value: str
    dtype: str
    max_abs_error: float
    allowed: float
    agrees: bool
    source: SourceLine | None = None


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    a, b : str
        The places.
    steps : tuple of Step
        In the graph's order.
    first : Step or None
        The first divergence.
    own_error : float or None
        The largest error of the diverging node alone, given `a`'s inputs; None where it was not
        run (no divergence, or a place that runs no single nodes).
    outputs_agree : bool
        Of the plain model, with nothing inside it made visible.
    notes : tuple of str
    """

    a: str
    b: str
    steps: tuple[Step, ...]
    first: Step | None
    own_error: float | None
    outputs_agree: bool
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Return the finding in one sentence."""
        if self.first is None:
            return f"{self.a} and {self.b} agree on all {len(self.steps)} values." + (
                "" if self.outputs_agree else " Their outputs differ once nodes may be fused."
            )
        where = f", made by {self.first.source}" if self.first.source else ""
        return (
            f"{self.a} and {self.b} first differ at {self.first.node} ({self.first.operator}): "
            f"by {self.first.max_abs_error:.3g}, where {self.first.allowed:.3g} is allowed{where}."
        )

    def check(self) -> Comparison:
        """Return the comparison where all agrees, and raise where it does not.

        Raises
        ------
        WrongResultError
            Naming the first divergence and the line that made it.
        """
        if self.first is not None or not self.outputs_agree:
            raise WrongResultError(
                f"{self.a} and {self.b} do not compute the same.",
                self.sentence,
                "; ".join(self.notes) or "look at the operator, its types and its attributes",
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON, for the report and the widget."""
        data = asdict(self)
        data["sentence"] = self.sentence
        return data


def tolerance_for(dtype: np.dtype) -> Tolerance:
    """Return how far values of a dtype may be apart: half its digits; integers are exact.

    Two correct places add in different orders. The error of a sum of n products grows like
    sqrt(n) u (Higham, 2nd ed., 2.6 and 4.2): with n = 4,096 and u = 2^-24 that is 4e-6, and a few
    dozen layers bring float32 near the 1e-4 of `workbench.problem.TOLERANCES`. Each element is
    held to ``rtol * |want| + atol * max(1, largest |want|)``: where large terms cancel, the error
    of the result is that of the terms.
    """
    return TOLERANCES.get(np.dtype(dtype).name, EXACT)


def compare(
    model: Any,
    a: Any = "torch",
    b: Any = "CPUExecutionProvider",
    *,
    inputs: Mapping[str, np.ndarray] | None = None,
) -> Comparison:
    """Compare two places on one model, value by value.

    Parameters
    ----------
    model : Exported, onnx.ModelProto or the path of an ``.onnx`` file
    a, b : Place, str or (provider, options)
        `a` is the one believed: ``"torch"``, ``"onnx_reference"``, a provider, a build that is
        installed (``"cann"``, ``"openvino"``) or a `Place`.
    inputs : mapping, optional
        Arrays by input name; the export's example by default.

    Raises
    ------
    InputError
        Where there is no model, or there are no inputs to run on, or others than the model's.
    """
    exported = model if hasattr(model, "captured") else None
    graph_model = exported.model if exported else _model_of(model)
    if inputs is None and exported is None:
        raise InputError("There are no inputs to compare on.", "", "give inputs={name: array}")
    given = exported.feeds() if exported and inputs is None else inputs
    feeds = checked_feeds(graph_model, given)
    place_a, place_b = as_place(a, exported), as_place(b, exported)
    seen = tapped(graph_model)
    values_a, values_b = place_a.run(seen, feeds), place_b.run(seen, feeds)
    steps = _steps(graph_model, values_a, values_b)
    first = next((step for step in steps if not step.agrees), None)
    believed = {**values_b, **values_a}  # what only b has is what led it here
    own, inside = _alone(graph_model, first, steps, (believed, feeds), (place_a, place_b))
    plain_a, plain_b = place_a.run(graph_model, feeds), place_b.run(graph_model, feeds)
    outputs = [value.name for value in graph_model.graph.output]
    agree = all(difference(plain_a[name], plain_b[name])[2] for name in outputs)
    return Comparison(
        place_a.name,
        place_b.name,
        tuple(steps),
        first,
        own,
        agree,
        (*_notes(first, own, agree), *inside),
    )


def _model_of(model: Any) -> onnx.ModelProto:
    if isinstance(model, (str, Path)):
        return load_model(model)
    if not hasattr(model, "graph"):
        raise InputError(
            "This is no model to compare on.",
            repr(type(model)),
            "what export() returned, an onnx.ModelProto, or the path of an .onnx file",
        )
    return model


def tapped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of the model whose outputs are all the values that its nodes make."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {value.name for value in copy.graph.output}
    typed = {value.name: value for value in copy.graph.value_info}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in known:
                known.add(name)
                copy.graph.output.append(typed.get(name) or onnx.ValueInfoProto(name=name))
    return copy


def difference(got: np.ndarray, want: np.ndarray) -> tuple[float, float, bool]:
    """Return the largest difference, what is allowed there, and whether all are within."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or got.dtype.kind != want.dtype.kind:
        return np.inf, 0.0, False
    if got.dtype.kind in "OSU" or not want.size:
        same = bool(np.array_equal(got, want))
        return (0.0 if same else np.inf), 0.0, same
    narrow = got if got.dtype.itemsize < want.dtype.itemsize else want
    limit = tolerance_for(narrow.dtype)
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    x, y = got.astype(wide), want.astype(wide)
    finite = np.abs(y[np.isfinite(y)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    with np.errstate(invalid="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        apart = np.where(same, 0.0, np.abs(x - y))
        apart = np.where(np.isnan(apart), np.inf, apart)
        allowed = limit.atol * scale + limit.rtol * np.where(np.isfinite(y), np.abs(y), 0.0)
    worst = int(np.argmax(apart - allowed))
    return float(apart.max()), float(allowed.flat[worst]), bool((apart <= allowed).all())


def _steps(model: onnx.ModelProto, values_a: Values, values_b: Values) -> list[Step]:
    sources = node_sources(model)
    steps = []
    for index, node in enumerate(model.graph.node):
        for name in node.output:
            if name not in values_a or name not in values_b:
                continue
            error, allowed, agrees = difference(values_b[name], values_a[name])
            label = node.name or f"{node.op_type}_{index}"
            dtype = np.asarray(values_a[name]).dtype.name
            source = sources.get(node.name)
            steps.append(Step(label, node.op_type, name, dtype, error, allowed, agrees, source))
    return steps


def _alone(
    model: onnx.ModelProto,
    first: Step | None,
    steps: list[Step],
    seen: tuple[Values, Mapping[str, np.ndarray]],
    places: tuple[Place, Place],
) -> tuple[float | None, tuple[str, ...]]:
    """Return the diverging node's own error, or where in its body two places differ."""
    if first is None:
        return None, ()
    believed, feeds = seen
    known = known_values(model, feeds, believed)
    node = next(n for n in model.graph.node if first.value in n.output)
    if bodies_of(node):
        off = [step.value for step in steps if step.value in node.output and not step.agrees]
        return None, look_inside(model, node, off, known, places, compare)
    result = run_alone(model, node, first.value, known, places[1])
    return (None if result is None else difference(result, believed[first.value])[0]), ()


def _notes(first: Step | None, own: float | None, agree: bool) -> tuple[str, ...]:
    notes = []
    if first is not None and own is not None:
        passes_on = own <= first.allowed
        notes.append(
            "given the same inputs the node agrees: it passes on an earlier, smaller difference"
            if passes_on
            else "given the same inputs the node still differs: the error is made there"
        )
    if first is None and not agree:
        notes.append("with inner values visible nothing differs: look at what is fused")
    return tuple(notes)
