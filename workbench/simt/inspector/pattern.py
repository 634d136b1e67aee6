"""Which lane touches which element at one place: the record behind the `AccessMap` widget.

A pattern is what one block did, and what it would do with another padding, stride or block width.
The last needs indices that are an affine function of ``threadIdx.x`` and ``threadIdx.y``; where
they are not, it is refused instead of guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.errors import InputError, UnknownNameError
from workbench.simt.dim3 import Dim3
from workbench.simt.host.arguments import prepare
from workbench.simt.inspector import metrics
from workbench.simt.inspector.record import Recorder, Requests
from workbench.simt.kernel import Launch
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer

LANES = metrics.LANES


@dataclass(frozen=True)
class AccessPattern:
    """The requests of one block at one place.

    Attributes
    ----------
    line : int
    text, array, space, kind : str
        As in `AccessMetrics`.
    itemsize_bytes : int
    width : int
        Elements of a row of the array (its last axis).
    block : Dim3
    elements : (requests, 32) int64
        Element that each lane touches, in row-major order; -1 where it takes no part.
    warps : tuple of int
        The warp of each request.
    """

    line: int
    text: str
    array: str
    space: str
    kind: str
    itemsize_bytes: int
    width: int
    block: Dim3
    elements: np.ndarray
    warps: tuple[int, ...]

    def changed(
        self, request: int, padding: int = 0, stride: int = 1, block_width: int | None = None
    ) -> np.ndarray:
        """Return the elements that the lanes would touch.

        Parameters
        ----------
        request : int
        padding : int
            Elements added to each row of the array.
        stride : int
            Factor on every index.
        block_width : int, optional
            ``blockDim.x``, with as many threads in the block.

        Raises
        ------
        InputError
            Where another block width needs what the indices do not have.
        """
        elements = self.elements[request]
        if block_width is not None and block_width != self.block.x:
            elements = self._rearranged(request, block_width)
        rows, columns = np.divmod(elements, self.width)
        moved = (rows * (self.width + padding) + columns) * stride
        return np.where(elements >= 0, moved, -1)

    def turns(self, elements: np.ndarray) -> int:
        """Return the sectors (global memory) or the turns of the banks (shared) of one request."""
        addresses = elements[None] * self.itemsize_bytes
        count = metrics.bank_ways if self.space == "shared" else metrics.sectors
        return int(count(addresses, elements[None] >= 0, self.itemsize_bytes)[0])

    @property
    def is_affine(self) -> bool:
        """Whether the first request of every warp is an affine function of the thread's indices."""
        return self._fit(0) is not None

    def _fit(self, request: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return (constant, per x, per y) of row and column over the warps, where exact."""
        alike = self._alike(request)
        threads = np.concatenate([LANES * self.warps[r] + np.arange(LANES) for r in alike])
        elements = np.concatenate([self.elements[r] for r in alike])
        threads, elements = threads[elements >= 0], elements[elements >= 0]
        x, y = threads % self.block.x, threads // self.block.x % self.block.y
        table = np.stack([np.ones_like(x), x, y], axis=1)
        found = []
        for wanted in np.divmod(elements, self.width):
            solution = np.linalg.lstsq(table, wanted, rcond=None)[0]
            rounded = np.rint(solution).astype(np.int64)
            if not (table @ rounded == wanted).all():
                return None
            found.append(rounded)
        return found[0], found[1]

    def _alike(self, request: int) -> list[int]:
        """Return the requests of all warps that come at the same turn as this one."""
        turn = self.warps[:request].count(self.warps[request])
        seen: dict[int, int] = {}
        alike = []
        for at, warp in enumerate(self.warps):
            if seen.get(warp, 0) == turn:
                alike.append(at)
            seen[warp] = seen.get(warp, 0) + 1
        return alike

    def _rearranged(self, request: int, block_width: int) -> np.ndarray:
        fit = self._fit(request)
        threads = self.block.count
        if fit is None or self.block.z > 1 or block_width < 1 or threads % block_width:
            raise InputError(
                f"What {self.text} would touch in a block of another width is not known.",
                f"width {block_width} of {threads} threads; affine: {fit is not None}",
                "launch the kernel with that block",
            )
        linear = LANES * self.warps[request] + np.arange(LANES)
        place = np.stack([np.ones(LANES, np.int64), linear % block_width, linear // block_width])
        row, column = (coefficients @ place for coefficients in fit)
        return np.where(linear < threads, row * self.width + column, -1)


def access_pattern(
    launch: Launch, *arguments: Any, access: str, kind: str = "", block: int = 0
) -> AccessPattern:
    """Trace one block, on copies of the arguments, and return what one access touches.

    Parameters
    ----------
    launch : Launch
        A configured kernel: ``kernel[grid, block]``.
    *arguments
        As for a launch; left unchanged.
    access : str
        The access as written, for instance ``"tile[tx, ty]"``.
    kind : str
        ``load``, ``store`` or ``atomic``, where the text alone is ambiguous.
    block : int
        Linear index of the block.

    Raises
    ------
    UnknownNameError
        Where there is no such access.
    """
    if not isinstance(launch, Launch):
        raise InputError(
            "Only a configured kernel has an access pattern.",
            f"a {type(launch).__name__}",
            "access_pattern(kernel[blocks, threads], *arguments, access=...)",
        )
    resolved = launch.kernel.resolved
    given = tuple(
        one.copy() if isinstance(one, np.ndarray) else one for one in prepare(resolved, arguments)
    )
    recorder = Recorder()
    task = TraceLaunch(launch.grid, launch.block, given, launch.shared_bytes)
    Tracer(Program(resolved, counting=True), task, recorder).run(only=[block])
    found = [
        one
        for one in recorder.requests.values()
        if one.text == access and kind in ("", one.kind) and one.space in ("global", "shared")
    ]
    if not found:
        known = {one.text for one in recorder.requests.values()}
        raise UnknownNameError("access", access, known)
    return _pattern(found[0], launch.block)


def _pattern(requests: Requests, block: Dim3) -> AccessPattern:
    addresses, active = requests.table()
    elements = np.where(active, addresses // requests.itemsize, -1)
    return AccessPattern(
        requests.line, requests.text, requests.array, requests.space, requests.kind,
        requests.itemsize, requests.width, block, elements,
        tuple(warp for _, warp in requests.warps),
    )  # fmt: skip
