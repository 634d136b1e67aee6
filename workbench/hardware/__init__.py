"""Data sheets: what is claimed about chips, by whom and how surely, and the rooflines from them.

One file for each device lies in ``datasets/hardware/``. Every value carries its source, the date
of that source and a confidence, and where sources disagree every value is kept: a data sheet
answers with a `Band`, not with a favourite. It refuses to average, to choose between conflicting
sources, to mix dense with sparse figures, and to invent a value that nobody gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from workbench.catalog import folder
from workbench.errors import InputError, UnknownNameError
from workbench.hardware.reading import SCHEMA, read_data_sheet
from workbench.hardware.sheet import QUANTITIES, Band, Confidence, DataSheet, Fact

__all__ = [
    "QUANTITIES",
    "SCHEMA",
    "Band",
    "Confidence",
    "DataSheet",
    "Fact",
    "Roofline",
    "data_sheet",
    "device_names",
    "read_data_sheet",
    "roofline",
    "sheet_of",
]


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
