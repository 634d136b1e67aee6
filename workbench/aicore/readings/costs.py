"""What each instruction costs, read from a table in which every constant has its source.

Cycles of one core's clock. Vector instructions cost ``head + slope * repeats + tail``, the Cube one
block a cycle, movers bytes over an effective rate. What is left out: the time to issue an
instruction, the latency of a transfer, bank conflicts, the launch of the kernel. It refuses to
price an instruction that is not in the table.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

import numpy as np

from workbench.aicore.operations.tensors import LocalTensor
from workbench.catalog import folder
from workbench.errors import DataFileError, InputError

REPEAT_BYTES = 256
GIB = 2**30


@dataclass(frozen=True)
class Costs:
    """Cycle costs of one architecture.

    Attributes
    ----------
    name : str
        File name of the table.
    clock_ghz : float
    stated_error : str
        How far results are known to be off.
    vector : dict
        Operation to (head, slope, tail).
    mmad_head, mmad_float32 : float
    bytes_per_cycle : dict
        Mover, as ``"gm_to_l1"``, to rate.
    """

    name: str
    clock_ghz: float
    stated_error: str
    vector: dict[str, tuple[float, float, float]]
    mmad_head: float
    mmad_float32: float
    bytes_per_cycle: dict[str, float]

    def vector_cycles(self, operation: str, repeats: int) -> float:
        """Return the cycles of a vector instruction of `repeats` times 256 bytes."""
        head, slope, tail = self.vector[operation]
        return head + slope * repeats + tail

    def move_cycles(self, mover: str, nbytes: int) -> float:
        """Return the cycles of a transfer."""
        return nbytes / self.bytes_per_cycle[mover]

    def mmad_cycles(self, m: int, k: int, n: int, dtype: np.dtype) -> float:
        """Return the cycles of a multiply-accumulate without the head."""
        blocks = -(-m // 16) * -(-(k * dtype.itemsize) // 32) * -(-n // 16)
        return blocks * (self.mmad_float32 if dtype == np.float32 else 1.0)


@cache
def costs(architecture: str = "dav-c220") -> Costs:
    """Return the cost table of an architecture.

    Raises
    ------
    InputError
        Where there is none: times of that architecture cannot be modelled.
    DataFileError
        Where it is damaged.
    """
    path = folder("datasets") / "aicore" / f"{architecture}.toml"
    if not path.exists():
        raise InputError(
            "There is no table of costs for this architecture: its times cannot be modelled.",
            architecture,
            "a 910B or 910C for times; values and hazards need no costs",
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        clock = table["clock_ghz"]["value"]
        vector = {k: tuple(v) for k, v in table["vector"].items() if isinstance(v, list)}
        for name, like in table["borrowed"].items():
            if name not in ("source", "confidence"):
                vector[name] = vector[like]
        rates = {}
        for name, value in (table["movers"] | table["movers_assumed"]).items():
            mover, _, _ = name.partition("_gib_per_s")
            if mover != name:
                rates[mover] = value * GIB / (clock * 1e9)
            elif name.endswith("_bytes_per_cycle"):
                rates[name.removesuffix("_bytes_per_cycle")] = value
        mmad = table["mmad"]
        return Costs(
            architecture, clock, table["stated_error"], vector, mmad["head"],
            mmad["factor_float32"], rates,
        )  # fmt: skip
    except (OSError, KeyError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataFileError("A table of costs cannot be read.", f"{path}: {error}") from error


def repeats(tensor: LocalTensor) -> int:
    """Return how many times 256 bytes an instruction takes for this tensor."""
    row = tensor.shape[-1] * tensor.dtype.itemsize
    if tensor.ndim == 1 or row == tensor.row_bytes:
        return -(-tensor.nbytes // REPEAT_BYTES)
    return tensor.shape[0] * -(-row // REPEAT_BYTES)
