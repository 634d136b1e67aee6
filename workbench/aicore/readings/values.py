"""First reading: the values. Carry a recording out on NumPy, in any order that is allowed.

Local buffers and workspaces begin as poison (every byte 0xFF: NaN for floats), so that reading
what nobody wrote is seen in the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from workbench.aicore.findings import AICoreError
from workbench.aicore.recording.instructions import Instruction, Recording


class Memory(dict):
    """Bytes of global arrays and of every core's buffers, made when first touched.

    Attributes
    ----------
    dumps : list of (label, core, array)
        What `dump` kept.
    trial : bool
        Whether this is an order tried for its result, in which values that no kernel may have
        (offsets out of range) are no error.
    """

    def __init__(
        self, recording: Recording, arrays: Sequence[np.ndarray | None], trial: bool = False
    ):
        super().__init__()
        self.trial = trial
        self._chip = recording.chip
        self.dumps: list[tuple[str, int, np.ndarray]] = []
        for index, (info, array) in enumerate(zip(recording.arrays, arrays, strict=True)):
            if array is None:
                count = int(np.prod(info.shape)) * info.dtype.itemsize
                self["GM", index] = np.full(count, 0xFF, np.uint8)
            else:
                self["GM", index] = np.array(array, order="C", copy=True).reshape(-1).view(np.uint8)

    def __missing__(self, space: tuple[int, str]) -> np.ndarray:
        made = np.full(self._chip.capacity(space[1]), 0xFF, np.uint8)
        self[space] = made
        return made

    def array(self, recording: Recording, index: int) -> np.ndarray:
        """Return a global array with its shape and dtype."""
        info = recording.arrays[index]
        return self["GM", index].view(info.dtype).reshape(info.shape)


def carry_out(
    recording: Recording,
    arrays: Sequence[np.ndarray | None],
    nodes: Iterable[Instruction],
    trial: bool = False,
) -> Memory:
    """Return the memory after carrying out the instructions in the order given.

    Raises
    ------
    AICoreError
        With the line, where an instruction cannot be carried out on the values that it meets.
    """
    memory = Memory(recording, arrays, trial)
    with np.errstate(all="ignore"), threadpool_limits(1):  # tiles are too small for BLAS threads
        node = None
        try:
            for node in nodes:
                if node.apply is not None:
                    node.apply(memory, *node.args)
        except AICoreError as error:
            error.sites = error.sites or ((node.site,) if node else ())
            raise
        except (ArithmeticError, TypeError, ValueError) as error:
            raise AICoreError(
                "kernel",
                f"{node.name if node else 'An instruction'} cannot be carried out on NumPy.",
                f"{type(error).__name__}: {error}",
                "nothing was written to the outputs; mend the line below",
                (node.site,) if node else (),
            ) from error
    return memory


def written(nodes: Iterable[Instruction]) -> set[int]:
    """Return which global arrays the instructions write."""
    return {tensor.array for node in nodes for tensor in node.writes if hasattr(tensor, "array")}


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Return whether two arrays hold the same bits of value, NaN being equal to NaN."""
    if left.dtype.kind in "iub":
        return bool(np.array_equal(left, right))
    a, b = left.astype(np.float64), right.astype(np.float64)
    return bool(np.array_equal(a, b, equal_nan=True))
