"""What a device calls itself, and whether its driver is there: what ONNX Runtime does not say.

ONNX Runtime says which provider ran and not which chip; the chip's name decides which data sheet
bounds the latencies. It is asked after a session was opened there, so the driver is loaded. The
module is imported under other builds' interpreters and needs nothing but Python. Where the driver
does not answer, the device is named by its number: never empty, which would mean the host.

Sources: CUDA Driver API, ``cuDeviceGet`` and ``cuDeviceGetName``; AscendCL API reference,
``aclrtGetSocName`` (one kind of chip in a machine).
"""

from __future__ import annotations

import ctypes

_LIBRARIES = {
    "CUDAExecutionProvider": ("libcuda.so.1", "Nvidia's driver"),
    "CANNExecutionProvider": ("libascendcl.so", "Huawei's CANN runtime"),
}


def missing_driver(provider: str) -> str:
    """Return in words which library an execution provider cannot do without here, or ""."""
    library, what = _LIBRARIES.get(provider, ("", ""))
    if not library:
        return ""
    try:
        ctypes.CDLL(library)
    except OSError:
        return f"{what} is not here: {library} cannot be loaded"
    return ""


def device_name(memory: str, index: int) -> str:
    """Return the name of a device, or "" for the host's processor.

    Parameters
    ----------
    memory : str
        Where arrays lie, as ONNX Runtime's binding calls it: ``"cpu"``, ``"cuda"``, ``"cann"``.
    index : int
        The device's number.
    """
    if memory == "cpu":
        return ""
    try:
        name = {"cuda": _cuda, "cann": _ascend}[memory](index)
    except (OSError, AttributeError):  # no such library, or one without the function
        name = ""
    return name or f"{memory} device {index}"


def _cuda(index: int) -> str:
    driver, device = ctypes.CDLL(_LIBRARIES["CUDAExecutionProvider"][0]), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    failed = (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), index)
        or driver.cuDeviceGetName(name, len(name), device)
    )
    return "" if failed else name.value.decode(errors="replace")


def _ascend(_index: int) -> str:
    ask = ctypes.CDLL(_LIBRARIES["CANNExecutionProvider"][0]).aclrtGetSocName
    ask.restype = ctypes.c_char_p
    return (ask() or b"").decode(errors="replace")
