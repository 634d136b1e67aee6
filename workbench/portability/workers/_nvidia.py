"""In the worker: reads the counters of the CUDA stand-in."""

import ctypes

COUNTERS = (
    "allocations", "allocated_bytes", "copies_to_device", "bytes_to_device", "copies_from_device",
    "bytes_from_device", "copies_on_device", "bytes_on_device", "launches",
)  # fmt: skip


def connect(libraries):
    """Return a function that reads the counters, from whichever library has them."""
    library = next(one for one in libraries if hasattr(one, "simcuda_counters"))

    def counters(reset):
        values = (ctypes.c_int64 * len(COUNTERS))()
        library.simcuda_counters(values)
        if reset:
            library.simcuda_reset()
        return dict(zip(COUNTERS, values, strict=True))

    return counters
