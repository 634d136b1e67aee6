"""How many warps fit on a streaming multiprocessor, and what keeps more from fitting."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import InputError
from workbench.hardware import DataSheet, data_sheet


@dataclass(frozen=True)
class Occupancy:
    """Theoretical occupancy of one launch on one GPU.

    Attributes
    ----------
    gpu : str
        The data sheet.
    blocks_per_sm, warps_per_sm, most_warps_per_sm : int
        What fits, and what the hardware could hold.
    limiter : str
        What keeps one more block out: ``warps``, ``blocks``, ``shared memory`` or ``registers``.
    limits : dict of str to int
        Blocks for each SM that each resource alone would allow.
    registers : int or None
        Registers of a thread; None where they are not known and so not counted.
    """

    gpu: str
    blocks_per_sm: int
    warps_per_sm: int
    most_warps_per_sm: int
    limiter: str
    limits: dict[str, int]
    registers: int | None

    @property
    def fraction(self) -> float:
        """Resident warps over the most there could be."""
        return self.warps_per_sm / self.most_warps_per_sm

    def __str__(self) -> str:
        known = "" if self.registers is not None else "; registers are not known, so not counted"
        return (
            f"{100 * self.fraction:.0f} % ({self.warps_per_sm} of {self.most_warps_per_sm} warps, "
            f"{self.blocks_per_sm} blocks for each SM of {self.gpu}), limited by {self.limiter}"
            + known
        )


def occupancy(
    gpu: str, threads_per_block: int, shared_bytes: int = 0, registers: int | None = None
) -> Occupancy:
    """Return the theoretical occupancy.

    The rules are those of the CUDA Occupancy Calculator: warps of a block are rounded up to whole
    ones; registers are allocated to a warp in units, and warps in multiples of the SM's
    sub-partitions; shared memory is allocated in units, with what the system keeps added.

    Parameters
    ----------
    gpu : str
        Name of a data sheet, for instance ``"nvidia_h100"``.
    threads_per_block : int
    shared_bytes : int
        Shared memory of a block, static and dynamic.
    registers : int, optional
        Registers of a thread, as ``ptxas`` reports them.

    Raises
    ------
    InputError
        Where a block does not fit on an SM at all.
    UnavailableError
        Where the data sheet does not describe an SM.
    """
    sheet = data_sheet(gpu)
    warps = -(-threads_per_block // _count(sheet, "warp_size_threads"))
    most_warps = _count(sheet, "warps_per_sm")
    limits = {
        "warps": most_warps // warps,
        "blocks": _count(sheet, "blocks_per_sm"),
        "shared memory": _shared_limit(sheet, shared_bytes),
    }
    if registers is not None:
        limits["registers"] = _register_limit(sheet, registers, warps)
    blocks = min(limits.values())
    limiter = next(name for name, limit in limits.items() if limit == blocks)
    if blocks == 0:
        raise InputError(
            f"A block of this launch does not fit on an SM of {gpu}.",
            f"{threads_per_block} threads, {shared_bytes} bytes of shared memory, "
            f"{registers} registers a thread; too many {limiter}",
            "make the block smaller",
        )
    return Occupancy(gpu, blocks, blocks * warps, most_warps, limiter, limits, registers)


def _count(sheet: DataSheet, quantity: str) -> int:
    return int(sheet.value(quantity))


def _shared_limit(sheet: DataSheet, shared_bytes: int) -> int:
    unit = _count(sheet, "shared_allocation_bytes")
    needed = shared_bytes + _count(sheet, "shared_reserved_per_block_bytes")
    needed = -(-needed // unit) * unit
    if shared_bytes > _count(sheet, "shared_per_block_bytes"):
        return 0
    whole = _count(sheet, "shared_per_sm_bytes")
    return whole // needed if needed else _count(sheet, "blocks_per_sm")


def _register_limit(sheet: DataSheet, registers: int, warps: int) -> int:
    if registers > _count(sheet, "registers_per_thread"):
        return 0
    unit = _count(sheet, "register_allocation_count")
    of_a_warp = -(-max(registers, 1) * _count(sheet, "warp_size_threads") // unit) * unit
    parts = _count(sheet, "sub_partitions_per_sm")
    fitting = _count(sheet, "registers_per_sm") // of_a_warp // parts * parts
    return fitting // (-(-warps // parts) * parts)
