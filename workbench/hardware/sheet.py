"""What a data sheet holds: facts with source, date and confidence, and the band they span.

Where sources disagree every value is kept. It refuses to average, to choose between conflicting
sources, to mix dense with sparse figures, and to invent a value that nobody gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from workbench.errors import InputError, UnavailableError, UnknownNameError

# quantity -> what it means; the unit is the end of the name
QUANTITIES = {
    "compute_tflop_per_s": "peak arithmetic of one data type, a multiply-add counting as two",
    "memory_bandwidth_tb_per_s": "peak bandwidth of the main memory, 1 TB = 10^12 bytes",
    "memory_gb": "capacity of the main memory",
    "link_gb_per_s": "chip to chip, as its source counts it",
    "power_kw": "electrical power",
    "clock_ghz": "clock that the compute peak assumes",
    "chip_count": "accelerator packages in a system",
    "sm_count": "streaming multiprocessors",
    "warp_size_threads": "threads in a warp",
    "warps_per_sm": "most resident warps",
    "blocks_per_sm": "most resident blocks",
    "threads_per_block": "most threads in a block",
    "registers_per_sm": "32-bit registers",
    "registers_per_thread": "most registers that one thread can name",
    "register_allocation_count": "registers of a warp are rounded up to this many",
    "sub_partitions_per_sm": "schedulers; the warps of a block are rounded up to a multiple",
    "shared_per_sm_bytes": "shared memory that resident blocks divide among them",
    "shared_per_block_bytes": "most shared memory of one block, opted in",
    "shared_per_block_default_bytes": "most shared memory of one block without opting in",
    "shared_reserved_per_block_bytes": "shared memory that the system takes from each block",
    "shared_allocation_bytes": "shared memory of a block is rounded up to this",
    "shared_bank_count": "banks of shared memory",
    "shared_bank_bytes": "width of a bank",
    "aic_count": "Cube cores (AI Cube)",
    "aiv_count": "Vector cores (AI Vector)",
    "ub_bytes": "unified buffer of a Vector core",
    "l1_bytes": "L1 buffer of a Cube core",
    "l0a_bytes": "left operand of the Cube",
    "l0b_bytes": "right operand of the Cube",
    "l0c_bytes": "accumulator of the Cube",
    "ub_alignment_bytes": "addresses in UB and L1 are multiples of this",
    "l0_alignment_bytes": "addresses in L0A and L0B are multiples of this",
    "l0c_alignment_bytes": "addresses in L0C are multiples of this",
}


class Confidence(StrEnum):
    """How far a value can be trusted."""

    READ = "read"
    """Read in the source that is named, when the sheet was made."""
    DERIVED = "derived"
    """Computed from other values; the note has the formula."""
    REPEATED = "repeated"
    """Said by a secondary source, or from a source that we did not open ourselves."""
    UNVERIFIED = "unverified"
    """Said once, and nobody could be found to confirm it."""
    DISPUTED = "disputed"
    """Contradicted by better sources: carried and shown, kept out of the bands."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One value of one quantity from one source.

    Attributes
    ----------
    quantity : str
        A key of `QUANTITIES`; the unit is in the name.
    value : float
    source : str
        Publication, page or file.
    as_of : str
        Year or year-month of the source.
    confidence : Confidence
    dtype, density : str
        For compute: ``"float16"`` and so on, and ``"dense"`` or ``"sparse"``.
    note : str
        What a reader must know beside the value.
    """

    quantity: str
    value: float
    source: str
    as_of: str
    confidence: Confidence
    dtype: str = ""
    density: str = ""
    note: str = ""


@dataclass(frozen=True)
class Band:
    """The range that the undisputed sources span; a point where they agree.

    Attributes
    ----------
    low, high : float
    facts : tuple of Fact
        The values inside the band.
    disputed : tuple of Fact
        Values carried beside it.
    """

    low: float
    high: float
    facts: tuple[Fact, ...]
    disputed: tuple[Fact, ...] = ()

    @property
    def agreed(self) -> bool:
        """Whether the undisputed sources give one value."""
        return self.low == self.high

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))


@dataclass(frozen=True)
class DataSheet:
    """What is claimed about one device.

    Attributes
    ----------
    name : str
        File name without ``.toml``.
    title, vendor, kind : str
        For people; kind is ``gpu``, ``npu``, ``tpu`` or ``system``.
    architecture : str
        ``"sm_90"``, ``"dav-c220"``, ...; empty where not known.
    facts : tuple of Fact
    """

    name: str
    title: str
    vendor: str
    kind: str
    architecture: str
    facts: tuple[Fact, ...]

    def find(self, quantity: str, dtype: str = "", density: str = "") -> tuple[Fact, ...]:
        """Return every value given for a quantity, disputed ones included; empty if none."""
        if quantity not in QUANTITIES:
            raise UnknownNameError("quantity", quantity, QUANTITIES)
        return tuple(
            fact
            for fact in self.facts
            if fact.quantity == quantity
            and dtype in ("", fact.dtype)
            and density in ("", fact.density)
        )

    def band(self, quantity: str, dtype: str = "", density: str = "") -> Band:
        """Return the range that the undisputed sources span.

        Raises
        ------
        UnavailableError
            Where no undisputed source gives a value.
        """
        found = self.find(quantity, dtype, density)
        good = tuple(fact for fact in found if fact.confidence != Confidence.DISPUTED)
        if not good:
            what = " ".join(part for part in (density, dtype, quantity) if part)
            raise UnavailableError(
                f"The data sheet of {self.title} has no {what}.",
                f"it has {', '.join(sorted({_label(fact) for fact in self.facts}))}",
                f"add a sourced value to datasets/hardware/{self.name}.toml",
            )
        values = [fact.value for fact in good]
        return Band(
            min(values), max(values), good, tuple(fact for fact in found if fact not in good)
        )

    def value(self, quantity: str, dtype: str = "", density: str = "") -> float:
        """Return the one value on which the undisputed sources agree.

        Raises
        ------
        InputError
            Where they do not: a band cannot be used as a number without choosing a source.
        """
        band = self.band(quantity, dtype, density)
        if not band.agreed:
            raise InputError(
                f"The sources disagree on {quantity} of {self.title}.",
                "; ".join(f"{fact.value:g} ({fact.source})" for fact in band.facts),
                "use band(), or name the source you follow",
            )
        return band.low


def _label(fact: Fact) -> str:
    return " ".join(part for part in (fact.density, fact.dtype, fact.quantity) if part)
