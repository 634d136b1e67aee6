"""One model at several opsets on several providers: where the cliff is, and which opset to take.

A newer opset helps one provider and hurts another: its kernels are registered for the operator's
forms of certain opsets. The counts come from the providers themselves, through `preview`. This
module refuses to weigh one provider against another: it names the best opset of each, and the one
that is least bad for the worst of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from workbench.errors import InputError, WorkerError
from workbench.portability.placement import Placement, last_line
from workbench.portability.refusals import SessionError

PLACES = (("cann", "operators"), ("cann", "subgraphs"), ("cuda", ""))


@dataclass(frozen=True)
class Step:
    """One opset on one provider.

    Attributes
    ----------
    provider, mode : str
    opset : int
    on_device, nodes, copies : int
    refused : dict
        Operator to how many of its nodes stay on the CPU.
    failed : str
        Why there is no session at all, where the provider claims what it cannot do.
    """

    provider: str
    mode: str
    opset: int
    on_device: int
    nodes: int
    copies: int
    refused: dict[str, int]
    failed: str = ""

    @property
    def share(self) -> float:
        """The part of the nodes that the provider takes, 0 to 1."""
        return self.on_device / self.nodes if self.nodes else 0.0


@dataclass(frozen=True)
class Cliff:
    """Two neighbouring opsets between which a provider takes fewer nodes.

    Attributes
    ----------
    provider, mode : str
    below, above : int
        The opsets on either side.
    lost : dict
        Operator to how many more of its nodes stay on the CPU above.
    share_before, share_after : float
    failed : str
        Why there is no session above, where there is none.
    """

    provider: str
    mode: str
    below: int
    above: int
    lost: dict[str, int]
    share_before: float
    share_after: float
    failed: str = ""

    @property
    def sentence(self) -> str:
        """Say where the cliff is and which operators fall."""
        lost = ", ".join(f"{count} {name}" for name, count in self.lost.items())
        text = f"{self.provider} ({self.mode or 'default'}) takes {self.share_before:.0%} of the "
        text += f"nodes at opset {self.below} and "
        if self.failed:
            return f"{text}makes no session at {self.above}: {self.failed}"
        return f"{text}{self.share_after:.0%} at {self.above}: it leaves {lost}."


@dataclass(frozen=True)
class Sweep:
    """What `sweep` found.

    Attributes
    ----------
    steps : tuple of Step
    cliffs : tuple of Cliff
    best : dict
        ``"provider mode"`` to its best opset.
    recommended : int
        The opset whose worst share over the providers is highest.
    """

    steps: tuple[Step, ...]
    cliffs: tuple[Cliff, ...]
    best: dict[str, int]
    recommended: int

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        data = asdict(self)
        data["cliffs"] = [{**asdict(c), "sentence": c.sentence} for c in self.cliffs]
        data["steps"] = [{**asdict(s), "share": s.share} for s in self.steps]
        return data


def sweep(
    models: Mapping[int, Any],
    places: Sequence[tuple[str, str]] = PLACES,
    *,
    preview: Callable[..., Placement],
) -> Sweep:
    """Preview one model at several opsets on several providers.

    Parameters
    ----------
    models : mapping
        Opset to model.
    places : sequence of (provider, mode)
    preview : callable
        ``preview(model, provider, mode) -> Placement``; a `Preview` keeps its workers between
        calls.

    Raises
    ------
    InputError
        Where there are no models or no places.
    """
    if not models or not places:
        raise InputError(
            "There is nothing to sweep.", f"{len(models)} models, {len(places)} places"
        )
    steps = [
        _step(preview, models[opset], opset, *place) for place in places for opset in sorted(models)
    ]
    best = {}
    for provider, mode in places:
        own = [s for s in steps if (s.provider, s.mode) == (provider, mode)]
        best[f"{provider} {mode}".strip()] = max(own, key=_preference).opset
    worst = {o: min(s.share for s in steps if s.opset == o) for o in models}
    recommended = max(sorted(models), key=lambda opset: worst[opset])
    return Sweep(tuple(steps), tuple(_cliffs(steps)), best, recommended)


def whom_it_serves(found: Mapping[str, Any], asked: int) -> str:
    """Say whom the recommended opset serves: never "all" where one is left out.

    Parameters
    ----------
    found : mapping
        A sweep as JSON.
    asked : int
        How many places were asked, those among them that could not answer.
    """
    opset = found["recommended"]
    steps = [step for step in found["steps"] if step["opset"] == opset]
    served = [step for step in steps if not step["failed"] and step["on_device"]]
    if not served:
        return ""
    if len(served) == max(len(steps), asked):
        return f"Export at opset {opset} to serve them all."
    names = ", ".join(f"{step['provider']} {step['mode']}".strip() for step in served)
    return f"Export at opset {opset} to serve {names}; the others are not served by it."


def _step(
    preview: Callable[..., Placement], model: Any, opset: int, provider: str, mode: str
) -> Step:
    try:
        found = preview(model, provider, mode)
    except SessionError as error:  # it claimed and then could not: a finding
        return Step(provider, mode, opset, 0, 0, 0, {}, last_line(error.saw or error.happened))
    except WorkerError as error:  # it crashed, or passed a limit
        words = f"{error.happened} {error.saw.splitlines()[0]}"
        return Step(provider, mode, opset, 0, 0, 0, {}, words)
    refused = dict(Counter(node.operator for node in found.refused))
    counts = (found.on_device, len(found.nodes), len(found.copies))
    return Step(provider, mode, opset, *counts, refused)


def _preference(step: Step) -> tuple[float, int, int]:
    return (step.share, -step.copies, -step.opset)


def _cliffs(steps: Sequence[Step]) -> list[Cliff]:
    found = []
    for a, b in pairwise(steps):
        if (a.provider, a.mode) != (b.provider, b.mode) or b.share >= a.share:
            continue
        lost = {
            name: count - a.refused.get(name, 0)
            for name, count in b.refused.items()
            if count > a.refused.get(name, 0)
        }
        if (
            lost or b.failed
        ):  # with fewer nodes in all, a share may fall while nothing is newly refused
            found.append(
                Cliff(a.provider, a.mode, a.opset, b.opset, lost, a.share, b.share, b.failed)
            )
    return found
