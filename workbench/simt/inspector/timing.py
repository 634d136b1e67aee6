"""A modelled time for a launch on a chosen GPU, from its data sheet."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import UnavailableError
from workbench.hardware import DataSheet, data_sheet
from workbench.measurement import Provenance
from workbench.simt.inspector.occupancy import Occupancy

# float32 units of an SM, by architecture: CUDA C++ Programming Guide, "Arithmetic Instructions",
# throughput of 32-bit floating-point add (results per clock cycle and SM).
FLOAT32_UNITS_PER_SM = {"sm_75": 64, "sm_80": 64, "sm_90": 128, "sm_100": 128}
# L1 cache: 128 bytes for each clock cycle and SM (Nvidia, A100 whitepaper, 2020), in sectors.
L1_SECTORS_PER_CYCLE = 4
STATED_ERROR = "never held against a real GPU by us; take it as a lower bound"


@dataclass(frozen=True)
class Work:
    """What a launch does, in the units of the model.

    Attributes
    ----------
    blocks : int
        Blocks of the launch.
    operations : float
        Floating-point operations.
    dram_bytes : float
        Different 32-byte sectors of global memory: those read, and those written.
    sectors : float
        Sectors of all global requests.
    shared_turns : float
        Turns of the banks of shared memory, over all requests.
    """

    blocks: int
    operations: float
    dram_bytes: float
    sectors: float
    shared_turns: float


@dataclass(frozen=True)
class ModelledTime:
    """A time that nobody measured.

    Attributes
    ----------
    gpu : str
    time_ns : float
    bound : str
        The part that takes longest.
    parts_ns : dict of str to float
    model, stated_error : str
    provenance : Provenance
        Always `modelled`.
    """

    gpu: str
    time_ns: float
    bound: str
    parts_ns: dict[str, float]
    model: str = "simt-bounds-2"
    stated_error: str = STATED_ERROR
    provenance: Provenance = Provenance.MODELLED

    def __str__(self) -> str:
        time = f"{self.time_ns / 1e3:,.2f} µs" if self.time_ns >= 100 else f"{self.time_ns:.2g} ns"
        return (
            f"{time} modelled for {self.gpu}, bound by {self.bound} "
            f"({self.model}: {self.stated_error})"
        )


def modelled_time(work: Work, fit: Occupancy) -> ModelledTime:
    """Return the time of the slowest of four parts, lengthened by the unevenness of the last wave.

    The model ``simt-bounds-2``. Four parts are assumed to overlap perfectly, so that the slowest
    one is the time:

    - *main memory*: ``dram_bytes / bandwidth``, each sector read once and written once: as if the
      caches caught every repeated access;
    - *L1 cache*: ``sectors / (4 * SMs * clock)``, repeated accesses counted;
    - *shared memory*: ``shared_turns / (SMs * clock)``, one turn of the banks a cycle;
    - *arithmetic*: ``operations / peak`` of float32.

    The clock is the one that the data sheet's float32 peak implies,
    ``peak / (2 * SMs * float32 units of an SM)``. The result is divided by the evenness of the
    waves, ``blocks / (waves * SMs * resident blocks)``, for the parts that run on the SMs. Left
    out: the cost of a launch (microseconds), latency that too few warps cannot hide, instruction
    issue, integer arithmetic, the capacity of the caches, atomics that collide. It is therefore a
    lower bound; see `STATED_ERROR`.

    Raises
    ------
    UnavailableError
        Where the data sheet lacks a value that the model needs.
    """
    sheet = data_sheet(fit.gpu)
    peak = sheet.band("compute_tflop_per_s", "float32", "dense").high * 1e3  # operations a ns
    sms = sheet.value("sm_count")
    clock = peak / (2 * sms * _units(sheet))  # cycles a ns
    seats = sms * fit.blocks_per_sm
    waves = -(-work.blocks // int(seats))
    # a launch smaller than one wave leaves SMs without a block, not with fewer blocks
    busy = min(1.0, work.blocks / sms) if waves == 1 else work.blocks / (waves * seats)
    bandwidth = sheet.band("memory_bandwidth_tb_per_s").high * 1e3  # bytes a ns
    parts = {
        "main memory": work.dram_bytes / bandwidth,
        "L1 cache": work.sectors / (L1_SECTORS_PER_CYCLE * sms * clock) / busy,
        "shared memory": work.shared_turns / (sms * clock) / busy,
        "arithmetic": work.operations / peak / busy,
    }
    bound = max(parts, key=parts.__getitem__)
    return ModelledTime(fit.gpu, parts[bound], bound, parts)


def _units(sheet: DataSheet) -> int:
    units = FLOAT32_UNITS_PER_SM.get(sheet.architecture)
    if units is None:
        raise UnavailableError(
            f"The time on {sheet.title} cannot be modelled.",
            f"nobody has said how many float32 units an SM of {sheet.architecture!r} has",
            f"choose a GPU of {', '.join(FLOAT32_UNITS_PER_SM)}",
        )
    return units
