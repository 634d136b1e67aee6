"""Launching a kernel: record it once, then read the recording.

``kernel[blocks](...)`` computes values, as launching does; it raises where the kernel cannot run,
and touches the outputs only when all went well. `check` adds the hazards, `predict` computes only
the time.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, overload

import numpy as np

from workbench.aicore.context import current_chip, seen
from workbench.aicore.findings import AICoreError, HazardError, Report
from workbench.aicore.machine import chip
from workbench.aicore.operations.arguments import Arguments, arguments, bind, sampled, whole
from workbench.aicore.readings.costs import costs
from workbench.aicore.readings.hazards import find_hazards
from workbench.aicore.readings.order import Order, link, shuffled
from workbench.aicore.readings.timeline import Scoreboard, Timeline
from workbench.aicore.readings.values import Memory, carry_out, written
from workbench.aicore.recording.instructions import Limits, Recording
from workbench.aicore.recording.record import record
from workbench.aicore.recording.recorder import recording_now
from workbench.errors import InputError, WorkbenchError

_TIME_ONLY = Limits(instructions=2_000_000)  # nothing is kept, so that more may be issued


class Kernel:
    """A function marked `@kernel`: ``kernel[blocks](*args)`` launches it.

    Attributes
    ----------
    vector_cores : int
        How many Vector cores each block has.
    """

    def __init__(self, function: Callable[..., None], vector_cores: int = 1):
        self.function, self.vector_cores = function, vector_cores
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __getitem__(self, blocks: int) -> Callable[..., Run]:
        return lambda *args, **named: launch(self, bind(self.function, args, named)[1], blocks)

    def __call__(self, *_: Any) -> None:
        """Refuse: a launch says on how many blocks."""
        raise InputError(
            "A kernel is launched on a number of blocks.",
            f"{self.__name__}(...)",
            f"{self.__name__}[blocks](...)",
        )


@overload
def kernel(function: Callable[..., None]) -> Kernel: ...
@overload
def kernel(*, vector_cores: int) -> Callable[[Callable[..., None]], Kernel]: ...
def kernel(function: Callable[..., None] | None = None, *, vector_cores: int = 1) -> Any:
    """Mark a function as an AI Core kernel, ``@kernel`` or ``@kernel(vector_cores=2)``.

    Parameters
    ----------
    vector_cores : int
        Vector cores that a block has beside its Cube core: 1, or 2 as on a 910B (Ascend C calls
        the two KERNEL_TYPE_MIX_AIC_1_1 and KERNEL_TYPE_MIX_AIC_1_2). With two, the kernel's
        Python runs once for each, and `sub_block_idx` tells them apart.

    Raises
    ------
    InputError
        For anything but a plain function: a generator would record nothing.
    """
    if isinstance(vector_cores, bool) or vector_cores not in (1, 2):
        raise InputError("A block has one or two Vector cores.", f"vector_cores={vector_cores!r}")
    if function is None:
        return partial(kernel, vector_cores=vector_cores)
    lazy = inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)
    if not inspect.isfunction(function) or lazy:
        raise InputError(
            "A kernel is a plain function.",
            reprlib.repr(function),
            "no class, generator or coroutine",
        )
    return Kernel(function, vector_cores)


@dataclass(repr=False)
class Run:
    """One launch: its recording and the readings of it.

    Attributes
    ----------
    recording : Recording
    inputs : tuple
        Contents of the global arrays before the run.
    dumps : list
        What `dump` kept.
    """

    recording: Recording
    inputs: tuple[np.ndarray | None, ...]
    order: Order
    dumps: list = field(default_factory=list)

    def __repr__(self) -> str:
        one = self.recording
        try:
            time = f"{self.timeline.elapsed_ns / 1e3:,.2f} µs modelled"
        except WorkbenchError as error:
            time = f"no modelled time ({error.happened.rstrip('.')})"
        cores = f"{one.cores} core{'s' * (one.cores != 1)} of {one.chip.title}"
        return f"Run of {one.kernel} on {cores}: {one.size:,} instructions, {time}."

    def hazards(self, replay: bool = True) -> Report:
        """Return what is unordered in this run, and whether an allowed order changes the result."""
        return find_hazards(self.recording, self.order, self.inputs, replay)

    def reordered(self, seed: int) -> dict[str, np.ndarray]:
        """Return what the kernel writes when its instructions come in another allowed order.

        Parameters
        ----------
        seed : int
            Which order; a kernel without hazards gives the same for every one.
        """
        memory = carry_out(self.recording, self.inputs, shuffled(self.order, seed), trial=True)
        changed = sorted(written(self.order.nodes))
        return {self.recording.arrays[i].name: memory.array(self.recording, i) for i in changed}

    @cached_property
    def timeline(self) -> Timeline:
        """When each pipe did what, as the model says; `InputError` for chips without costs."""
        one = self.recording
        board = Scoreboard(costs(one.chip.architecture), keep_bars=True)
        for node in self.order.nodes:
            board.feed(node)
        return board.timeline(one.kernel, one.chip, one.cores, one.arrays)


def launch(
    kernel: Kernel,
    args: Sequence[Any],
    blocks: int,
    *,
    chip_name: str = "",
    limits: Limits | None = None,
) -> Run:
    """Run a kernel for its values.

    Parameters
    ----------
    args : sequence
        NumPy arrays become global tensors, and those that the kernel writes are updated at the
        end; a `Workspace` becomes scratch; anything else is handed through.
    blocks : int

    Raises
    ------
    AICoreError
        Where the kernel cannot run; the outputs are as they were.
    HazardError
        Where it left queues or events behind.
    """
    recording, given = _record(kernel, args, blocks, chip_name, limits)
    order = link(recording)
    left_over = (*recording.findings, *order.findings)
    if left_over:
        raise HazardError(left_over)
    memory = carry_out(recording, given.contents, order.nodes)
    run = Run(recording, given.contents, order, memory.dumps)
    _commit(run, memory, given)
    seen(run)
    return run


def check(
    kernel: Kernel,
    args: Sequence[Any],
    blocks: int,
    *,
    chip_name: str = "",
    limits: Limits | None = None,
    replay: bool = True,
) -> Report:
    """Return what is wrong with a kernel on these inputs, without touching the outputs."""
    try:
        recording, given = _record(kernel, args, blocks, chip_name, limits)
        order = link(recording)
    except AICoreError as error:
        return Report((error.finding,), 0)
    return find_hazards(recording, order, given.contents, replay)


def predict(
    kernel: Kernel,
    args: Sequence[Any],
    blocks: int,
    *,
    chip_name: str = "",
    sample: Sequence[int] | None = None,
    limits: Limits | None = None,
) -> Timeline:
    """Return the predicted time only: every instruction is issued, none is computed or kept.

    Parameters
    ----------
    args : sequence
        `Shape` in the place of arrays: nothing that large need exist.
    sample : sequence of int, optional
        Cores to execute; the others are taken to be like them, and the timeline says so. Negative
        numbers count from the end. All cores by default.

    Raises
    ------
    InputError
        For a kernel with `sync_all`: launch it and read its timeline.
    """
    table = costs(chip(chip_name or current_chip().name).architecture)
    board = Scoreboard(table, keep_bars=False)
    only = sampled(sample, _blocks(blocks))
    limits = limits or _TIME_ONLY
    recording, _ = _record(kernel, args, blocks, chip_name, limits, only, board.feed)
    if recording.findings:
        raise HazardError(tuple(recording.findings))
    return board.timeline(recording.kernel, recording.chip, blocks, recording.arrays)


def rehearse(kernel: Kernel, args: Sequence[Any]) -> Recording:
    """Run the first block's Python and keep nothing, for what it raises and the memory it takes.

    On one block, and where that fails as on a launch that fills the chip: a kernel need not run on
    any number of blocks.
    """

    def on(blocks: int) -> Recording:
        return _record(kernel, args, blocks, "", None, [0], lambda _: None)[0]

    try:
        return on(1)
    except AICoreError as error:
        try:
            return on(current_chip().cube_cores or 1)
        except WorkbenchError:
            raise error from None


def _blocks(blocks: Any) -> int:
    if not whole(blocks) or blocks < 1:
        raise InputError("The number of blocks cannot be used.", reprlib.repr(blocks), "at least 1")
    return int(blocks)


def _record(kernel, args, blocks, chip_name, limits, only=None, sink=None):
    if not isinstance(kernel, Kernel):
        raise InputError(
            "This is not a kernel.", reprlib.repr(kernel), "mark the function @aicore.kernel"
        )
    blocks = _blocks(blocks)
    if recording_now():
        raise InputError(
            "A kernel cannot launch another.",
            f"{kernel.__name__} inside of a kernel",
            "call a plain function, or launch the two one after the other",
        )
    if limits is not None and not isinstance(limits, Limits):
        raise InputError(
            "These are not limits.", reprlib.repr(limits), "limits=aicore.Limits(seconds=...)"
        )
    given = arguments(kernel.function, args, shapes=sink is not None)
    used = chip(chip_name or current_chip().name)
    recording = record(
        kernel.function, given.values, given.infos, used, blocks, costs(),
        limits or Limits(), subs=kernel.vector_cores, only=only, sink=sink,
    )  # fmt: skip
    return recording, given


def _commit(run: Run, memory: Memory, given: Arguments) -> None:
    changed = sorted(written(run.order.nodes))
    for index in changed:
        owner = given.owners[index]
        if isinstance(owner, np.ndarray) and not owner.flags.writeable:
            raise InputError(
                "The kernel writes to an array that cannot be written.",
                given.infos[index].name,
                "pass a writable array",
            )
    for index in changed:
        if isinstance(given.owners[index], np.ndarray):
            given.owners[index][...] = memory.array(run.recording, index)
