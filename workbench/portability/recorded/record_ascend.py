"""Records sessions of the simulated Ascend device: what Huawei's provider asked, copied, compiled.

A recording is kept only where playing it gives the answers, the counters and the kernels of a live
run. It refuses what it cannot say in values of the graph: a provider's call on anything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.errors import ExecutionError, WorkbenchError
from workbench.portability.ascend.device import PROVIDER, AscendDevice
from workbench.portability.comparing import difference, tapped
from workbench.portability.recorded.ascend import RecordedAscendDevice, shapes_key
from workbench.portability.recorded.book import Book, key_of
from workbench.portability.session import open_session

Feeds = Mapping[str, np.ndarray]


class RecordingError(ExecutionError):
    """A session cannot be recorded, or its recording does not play as it went."""


class Tape(AscendDevice):
    """A device that keeps what the provider asks of it, with what it was answered."""

    def __init__(self):
        self.asked: list[tuple[str, Any, Any]] = []
        super().__init__()
        for kind, answer in list(self.worker.handlers.items()):
            self.worker.handlers[kind] = self._kept(kind, answer)

    def _kept(self, kind: str, answer: Any) -> Any:
        def kept(body: Any) -> Any:
            self.asked.append((kind, body, None))  # it stays where the answer raises
            answered = answer(body)
            self.asked[-1] = (kind, body, answered)
            return answered

        return kept


def record_device(book: Book, model: Any, mode: str, all_feeds: Sequence[Feeds]) -> None:
    """Record a session: on inputs of each shape a first run and a later one.

    Raises
    ------
    RecordingError
        Where it cannot be said in values of the graph, or does not play as it went.
    """
    with Tape() as device:
        session = device.open_session(model, mode)
        counters = device.counters(reset=True)
        entry: dict[str, Any] = {"assigned": session.assigned, "runs": {}}
        entry["opened"] = {name: count for name, count in counters.items() if count}
        for feeds in all_feeds:
            row = entry["runs"].setdefault(shapes_key(feeds), {})
            for turn in ("first", "again"):
                row[turn] = _one_run(device, session, model, feeds)
    book.entries["counters"] = list(counters)
    book.entries[key_of(model, "session", PROVIDER, mode)] = entry
    _play_back(book, model, mode, all_feeds)


def values_of(model: Any, feeds: Feeds) -> dict[str, np.ndarray]:
    """Return every value of a model by name, from ONNX Runtime's CPU."""
    from onnx import numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    session = open_session(tapped(model))
    found = zip(session.output_names, session.run(feeds), strict=True)
    return {**constants, **feeds, **dict(found)}


def _one_run(device: Any, session: Any, model: Any, feeds: Feeds) -> list[Any]:
    """Return the steps of a run: kernels, builds, runs, and nodes that no kernel was asked for."""
    device.asked.clear()
    device.counters(reset=True)
    _answer(session, feeds)
    truth = values_of(model, feeds)
    before: Counter[str] = Counter()
    steps, calls = [], {}
    for kind, body, answered in device.asked:
        counted = dict(Counter(body["counters"]) - before)
        before = Counter(body["counters"])
        if kind == "kernel":
            call = _call(body, answered, truth)
            calls.update(dict.fromkeys(call["names"], len(steps)))
            steps.append([kind, call, counted])
        else:
            steps.append([kind, body.get("shapes", ""), counted])
    if all(kind == "kernel" for kind, *_ in device.asked):
        steps = _in_graph_order(model, steps, calls)
    return [*steps, ["rest", None, dict(Counter(device.counters()) - before)]]


def _call(body: Mapping[str, Any], answered: Any, truth: Mapping[str, np.ndarray]) -> dict:
    """Return a call of a kernel with values' names in the place of arrays."""
    return {
        "operator": body["operator"],
        "attributes": body["attributes"],
        "inputs": [_name(array, truth) for array in body["inputs"]],
        "names": [_name(array, truth) for array in answered],
        "outputs": body["outputs"],
    }


def _name(array: Any, truth: Mapping[str, np.ndarray]) -> str | None:
    """Return which value of the graph an array is."""
    if array is None:
        return None
    same = [
        name
        for name, value in truth.items()
        if np.shape(value) == np.shape(array) and difference(array, np.asarray(value))[2]
    ]
    if len(same) != 1:
        raise RecordingError(
            "A kernel's input is not one value of the graph.",
            f"shape {np.shape(array)}, like {same or 'none'}",
            "record a network whose values all differ",
        )
    return same[0]


def _in_graph_order(model: Any, steps: list[Any], calls: Mapping[str, int]) -> list[Any]:
    """Return the calls, with the nodes that no kernel was asked for between them."""
    ordered = []
    for index, node in enumerate(model.graph.node):
        call = next((calls[name] for name in node.output if name in calls), None)
        ordered.append(["node", index, {}] if call is None else steps[call])
    return ordered


def _play_back(book: Book, model: Any, mode: str, all_feeds: Sequence[Feeds]) -> None:
    """Hold the recording against a live device: answers, counters and kernels."""
    with AscendDevice() as live, RecordedAscendDevice(book) as played:
        devices = (live, played)
        sessions = [device.open_session(model, mode) for device in devices]
        for feeds in [*all_feeds, *reversed(all_feeds)]:
            for device in devices:
                device.counters(reset=True)
            said = [_answer(session, feeds) for session in sessions]
            seen = [_lasting(device.counters()) for device in devices]
            if said[0] != said[1] or seen[0] != seen[1] or live.runs != played.runs:
                raise RecordingError(
                    "The recording does not play as it went.",
                    f"{shapes_key(feeds)} in mode {mode}: {seen[0]} and {seen[1]}",
                    "look at what the provider does beside the kernels",
                )


def _lasting(counters: dict[str, int]) -> dict[str, int]:
    """Return the counters without the allocations: memory is kept from one run to the next."""
    return {name: count for name, count in counters.items() if not name.startswith("alloc")}


def _answer(session: Any, feeds: Feeds) -> Any:
    """Return a run's outputs, rounded, or the words of its failure."""
    try:
        return [np.round(value, 4).tolist() for value in session.run(feeds)]
    except WorkbenchError as error:
        return error.happened
