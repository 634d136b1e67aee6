"""The machine: units, pipes, buffers and positions of an AI Core, and the chips that have them.

Sizes and alignments come from the data sheets of floor 0 (`workbench.hardware`); the tables here
say only how the parts are connected. A chip is either *separate* (910B, 910C: a Cube core "AIC"
and Vector cores "AIV" that exchange data through global memory) or *coupled* (310P: both in one
core). A block of a kernel that uses both has one AIC and one AIV, or two with
``kernel(vector_cores=2)``. It refuses to guess a size that no source gives.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from workbench.errors import InputError, UnavailableError
from workbench.hardware import data_sheet

DEFAULT_CHIP = "ascend_910b2"

BUFFERS = ("UB", "L1", "L0A", "L0B", "L0C")
UNIT_OF_BUFFER = {"UB": "AIV", "L1": "AIC", "L0A": "AIC", "L0B": "AIC", "L0C": "AIC"}
_ALIGNMENT_FACT = {
    "UB": "ub_alignment_bytes",
    "L1": "ub_alignment_bytes",
    "L0A": "l0_alignment_bytes",
    "L0B": "l0_alignment_bytes",
    "L0C": "l0c_alignment_bytes",
}

# What each pipe does: S scalar, V vector, M cube, MTE2 in from global memory, MTE1 from L1 to L0,
# MTE3 out to global memory, FIX out of L0C.
# AIV1 is the second Vector core of a block, and UB1 its UB.
_AIC_PIPES = ("AIC.MTE2", "AIC.MTE1", "AIC.M", "AIC.FIX")
_AIV_PIPES = ("AIV.S", "AIV.MTE2", "AIV.V", "AIV.MTE3")
PIPES = (*_AIC_PIPES, *_AIV_PIPES, *(name.replace("AIV", "AIV1") for name in _AIV_PIPES))
PIPE_INDEX = {name: index for index, name in enumerate(PIPES)}
UNIT_PIPES = {"AIC": range(4), "AIV": range(4, 8), "AIV1": range(8, 12)}
MEMORIES = ("UB", "UB1", *BUFFERS[1:])
BUFFER_OF = {name: "UB" if name == "UB1" else name for name in MEMORIES}


class Position(NamedTuple):
    """Where a queue lies and between which pipes it hands buffers over."""

    buffer: str
    producer: str
    consumer: str


POSITIONS = {
    "VECIN": Position("UB", "AIV.MTE2", "AIV.V"),
    "VECOUT": Position("UB", "AIV.V", "AIV.MTE3"),
    "A1": Position("L1", "AIC.MTE2", "AIC.MTE1"),
    "B1": Position("L1", "AIC.MTE2", "AIC.MTE1"),
    "A2": Position("L0A", "AIC.MTE1", "AIC.M"),
    "B2": Position("L0B", "AIC.MTE1", "AIC.M"),
    "CO1": Position("L0C", "AIC.M", "AIC.FIX"),
}

_AIC_ONLY = {"MTE1", "M", "FIX"}
_AIV_ONLY = {"S", "V", "MTE3"}


def event_pipes(event: str) -> tuple[str, str]:
    """Return the pipes of an event such as ``"MTE2_V"``: who sets it, who waits for it.

    Raises
    ------
    InputError
        Where a pipe does not exist, or the two belong to different units.
    """
    source, _, target = str(event).partition("_")
    names = _AIC_ONLY | _AIV_ONLY | {"MTE2"}
    if source not in names or target not in names or source == target:
        raise InputError(
            "There is no such event.",
            reprlib.repr(event),
            "two different pipes of one core joined by an underscore: " + ", ".join(sorted(names)),
        )
    pair = {source, target}
    if pair & _AIC_ONLY and pair & _AIV_ONLY:
        raise InputError(
            "An event joins two pipes of one unit, and these belong to two.",
            f"{event}: {source} and {target}",
            "cross_core_set_flag and cross_core_wait_flag, with the data in global memory",
        )
    unit = "AIC" if pair & _AIC_ONLY else "AIV"
    return f"{unit}.{source}", f"{unit}.{target}"


@dataclass(frozen=True)
class Chip:
    """One chip as kernels see it.

    Attributes
    ----------
    name, title : str
        Data sheet and name for people.
    architecture : str
        Which table of costs is its own, see `workbench.aicore.readings.costs`.
    coupled : bool
        Cube and Vector in one core, sharing its movers.
    cube_cores, vector_cores : int or None
        None where no source gives the count.
    capacity_bytes : mapping
        Of each buffer; one that no source gives is absent.
    alignment_bytes : mapping
        The strictest of the sources.
    memory_gb_per_s : float or None
        Highest claim for the main memory's bandwidth.
    """

    name: str
    title: str
    architecture: str
    coupled: bool
    cube_cores: int | None
    vector_cores: int | None
    capacity_bytes: Mapping[str, int]
    alignment_bytes: Mapping[str, int]
    memory_gb_per_s: float | None

    def capacity(self, buffer: str) -> int:
        """Return the bytes of a buffer, or raise `UnavailableError` where nobody says."""
        buffer = BUFFER_OF[buffer]
        if buffer not in self.capacity_bytes:
            raise UnavailableError(
                f"The size of {buffer} on {self.title} is not known.",
                "no source in its data sheet gives it",
                f"another chip, for instance {DEFAULT_CHIP}",
            )
        return self.capacity_bytes[buffer]


@cache
def chip(name: str = DEFAULT_CHIP) -> Chip:
    """Return a chip by the name of its data sheet.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    InputError
        For a device that is not an Ascend chip.
    """
    sheet = data_sheet(name)
    if sheet.vendor != "Huawei" or sheet.kind != "npu":
        raise InputError("This device has no AI Core.", sheet.title, f"chip {DEFAULT_CHIP!r}")

    def highest(quantity: str) -> float | None:
        return sheet.band(quantity).high if sheet.find(quantity) else None

    capacities = {name: highest(f"{name.lower()}_bytes") for name in BUFFERS}
    alignments = {name: highest(fact) for name, fact in _ALIGNMENT_FACT.items()}
    cubes, vectors = highest("aic_count"), highest("aiv_count")
    terabytes = highest("memory_bandwidth_tb_per_s")
    return Chip(
        name,
        sheet.title,
        sheet.architecture,
        sheet.architecture == "arch2002",
        int(cubes) if cubes else None,
        int(vectors) if vectors else None,
        {name: int(size) for name, size in capacities.items() if size},
        {name: int(size) for name, size in alignments.items() if size},
        terabytes * 1e3 if terabytes else None,
    )


@dataclass(frozen=True)
class Placement:
    """Bytes of one memory (see `MEMORIES`), given out in order of asking (there is no heap)."""

    buffer: str
    offset: int
    nbytes: int
