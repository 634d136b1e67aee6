"""Data sheets: what is claimed about chips, by whom and how surely, and the rooflines from them.

One file for each device lies in ``datasets/hardware/``. Every value carries its source, the date
of that source and a confidence, and where sources disagree every value is kept: a data sheet
answers with a `Band`, not with a favourite. It refuses to average, to choose between conflicting
sources, to mix dense with sparse figures, and to invent a value that nobody gave.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from workbench.catalog import folder
from workbench.errors import DataFileError, InputError, UnavailableError, UnknownNameError

SCHEMA = 1
_RESTORE = "mend it by the other sheets, or `git checkout -- datasets/hardware`"

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


@dataclass(frozen=True)
class Roofline:
    """The most that a device can do, from its data sheet (Williams et al., CACM 52(4), 2009).

    Attributes
    ----------
    device, dtype, density : str
    compute : Band
        In TFLOP/s.
    bandwidth : Band
        In TB/s.
    """

    device: str
    dtype: str
    density: str
    compute: Band
    bandwidth: Band

    @property
    def ridge(self) -> tuple[float, float]:
        """Intensity (operations per byte) where the roof turns flat: least and most."""
        return self.compute.low / self.bandwidth.high, self.compute.high / self.bandwidth.low

    def attainable_gflop_per_s(self, intensity: float) -> tuple[float, float]:
        """Return the least and the most of the roof in GFLOP/s at `intensity` operations a byte."""
        if not intensity > 0:
            raise InputError(
                "An arithmetic intensity is above zero.", repr(intensity), "operations / bytes"
            )
        ends = zip(self.compute, self.bandwidth, strict=True)
        low, high = (1e3 * min(peak, intensity * width) for peak, width in ends)
        return low, high

    def floor_ns(self, bytes_moved: float, operations: float) -> float:
        """Return the time in nanoseconds that nothing on this device can be faster than.

        It takes the highest claims of the sources, so that a result below it breaks every one.
        """
        return max(bytes_moved / self.bandwidth.high, operations / self.compute.high) * 1e-3


@cache
def device_names() -> tuple[str, ...]:
    """Return the devices that have a data sheet, sorted."""
    return tuple(sorted(path.stem for path in (folder("datasets") / "hardware").glob("*.toml")))


def sheet_of(product: str) -> str | None:
    """Return the data sheet's name for a device's own name, or None where there is none.

    Parameters
    ----------
    product : str
        As the driver says it: ``"NVIDIA A100-SXM4-80GB"``, ``"Tesla T4"``, ``"Ascend910B2"``.
    """
    plain = "".join(c for c in product.lower() if c.isalnum())
    models = {name: name.split("_")[1:] or [name] for name in device_names()}
    fitting = [name for name, words in models.items() if all(word in plain for word in words)]
    return max(fitting, key=lambda name: len("".join(models[name])), default=None)


@cache
def data_sheet(name: str) -> DataSheet:
    """Return the data sheet of one device.

    Raises
    ------
    UnknownNameError
        Naming the near misses.
    DataFileError
        Where the file is damaged, or a value lacks its source.
    """
    if name not in device_names():
        raise UnknownNameError("data sheet", name, device_names())
    return read_data_sheet(folder("datasets") / "hardware" / f"{name}.toml")


def roofline(device: str, dtype: str = "float16", density: str = "dense") -> Roofline:
    """Return the roofline of a device for one data type, conflicts as bands.

    Raises
    ------
    UnavailableError
        Where the data sheet lacks the compute or the bandwidth.
    """
    sheet = data_sheet(device)
    compute = sheet.band("compute_tflop_per_s", dtype, density)
    return Roofline(device, dtype, density, compute, sheet.band("memory_bandwidth_tb_per_s"))


def read_data_sheet(path: Path) -> DataSheet:
    """Read and check one file; see `data_sheet`."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataFileError("A data sheet cannot be read.", f"{path}: {error}", _RESTORE) from error
    if content.get("schema") != SCHEMA:
        raise DataFileError(
            "A data sheet has another layout than this version reads.",
            f"{path.name}: schema = {content.get('schema')!r}, expected {SCHEMA}",
            "update the workbench",
        )
    try:
        facts = tuple(_fact(path, row) for row in content["fact"])
        head = {key: content[key] for key in ("title", "vendor", "kind")}
    except KeyError as error:
        raise DataFileError(
            "A data sheet lacks an entry.", f"{path.name}: {error}", _RESTORE
        ) from error
    return DataSheet(path.stem, **head, architecture=content.get("architecture", ""), facts=facts)


def _fact(path: Path, row: dict[str, Any]) -> Fact:
    try:
        fact = Fact(**{**row, "confidence": Confidence(row["confidence"])})
    except (TypeError, ValueError, KeyError) as error:
        raise DataFileError(
            "A data sheet has a row that cannot be used.",
            f"{path.name}: {row}: {error}",
            "rows have " + ", ".join(item.name for item in fields(Fact)),
        ) from error
    wrong = (
        (fact.quantity not in QUANTITIES, "an unknown quantity"),
        (isinstance(fact.value, bool) or not isinstance(fact.value, (int, float)), "no number"),
        (not (fact.source and fact.as_of), "no source or no date"),
        (
            fact.quantity == "compute_tflop_per_s"
            and not (fact.dtype and fact.density in ("dense", "sparse")),
            "compute without dtype and dense or sparse",
        ),
        (fact.confidence in ("derived", "disputed") and not fact.note, "no note saying why"),
    )
    for bad, what in wrong:
        if bad:
            raise DataFileError(
                f"A data sheet has a row with {what}.", f"{path.name}: {row}", _RESTORE
            )
    return fact


def _label(fact: Fact) -> str:
    return " ".join(part for part in (fact.density, fact.dtype, fact.quantity) if part)
