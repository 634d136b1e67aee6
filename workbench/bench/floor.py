"""The least time that physics allows, so that a latency below it is a failure and not a record.

For this machine's processor the bound is deliberately generous: every core at its highest clock
rate, two fused multiply-add units as wide as the instruction set has, and all data in the first
cache level. Whoever is faster did not do the work. For a device with a data sheet it is the
roofline of that sheet.

Sources: Intel 64 and IA-32 Architectures Optimization Reference Manual and AMD Software
Optimization Guide for family 1Ah (two 512-bit FMA units, two 64-byte loads and one 64-byte store
a cycle and core); AMX: 2,048 bfloat16 operations a cycle and core (Intel manual, chapter 20).
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from workbench import hardware

HIGHEST_GHZ = 6.5
"""Above the boost clock of any processor sold, for systems that do not say."""
FIRST_LEVEL_BYTES_PER_CYCLE = 192
# flag of /proc/cpuinfo -> operations a cycle and core, the widest data type counted
OPERATIONS_PER_CYCLE = (
    ("amx_bf16", 2048),
    ("avx512_bf16", 256),
    ("avx512_vnni", 256),
    ("avx512f", 64),
    ("avx_vnni", 128),
    ("fma", 32),
    ("asimd", 64),
)
_ELSEWHERE_CACHED_BYTES = 512 * 2**20


@cache
def processor_peaks() -> tuple[float, float]:
    """Return operations and bytes per nanosecond that this machine cannot exceed."""
    flags = _flags()
    cores = os.cpu_count() or 1
    widest = max((rate for flag, rate in OPERATIONS_PER_CYCLE if flag in flags), default=256)
    return (
        cores * HIGHEST_GHZ * widest,
        cores * HIGHEST_GHZ * FIRST_LEVEL_BYTES_PER_CYCLE,
    )


def processor_floor_ns(bytes_moved: float, operations: float) -> float:
    """Return the nanoseconds that this machine's processor needs at the very least.

    Parameters
    ----------
    bytes_moved, operations : float
        Of one call, as the problem states them.
    """
    per_ns, bytes_per_ns = processor_peaks()
    return max(operations / per_ns, bytes_moved / bytes_per_ns)


def device_floor_ns(device: str, bytes_moved: float, operations: float) -> float:
    """Return the nanoseconds that a device with a data sheet needs at the very least.

    The memory bound counts only where the data cannot all lie in a cache of the device.

    Parameters
    ----------
    device : str
        A data sheet's name.
    """
    sheet = hardware.data_sheet(device)
    peaks = [fact.value for fact in sheet.find("compute_tflop_per_s", density="dense")]
    compute = operations / (max(peaks) * 1e3) if peaks else 0.0
    if bytes_moved < _ELSEWHERE_CACHED_BYTES:
        return compute
    widths = [fact.value for fact in sheet.find("memory_bandwidth_tb_per_s")]
    return max(compute, bytes_moved / (max(widths) * 1e3) if widths else 0.0)


def _flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {
        word for line in lines if line.startswith(("flags", "Features")) for word in line.split()
    }
