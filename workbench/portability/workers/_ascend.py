"""In the worker: connects the Ascend stand-in with whoever has the kernels.

The stand-in calls three C callbacks; each turns memory into arrays, asks the other side, and writes
the answer back. Nothing is computed here.
"""

# ctypes arrays are buffers, and NumPy's types do not know it.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false

import ctypes
import json
import sys
import traceback

import numpy as np

# aclDataType, from the AscendCL documentation
DTYPES = {
    0: "f4", 1: "f2", 2: "i1", 3: "i4", 4: "u1", 6: "i2",
    7: "u2", 8: "u4", 9: "i8", 10: "u8", 11: "f8", 12: "?",
}  # fmt: skip
COUNTERS = (
    "allocations", "allocated_bytes", "copies_to_device", "bytes_to_device", "copies_from_device",
    "bytes_from_device", "copies_on_device", "bytes_on_device", "kernels", "compiles", "executions",
)  # fmt: skip


class Tensor(ctypes.Structure):
    """One input or output of a single operator."""

    _fields_ = (
        ("type", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("dims", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.c_void_p),
    )


class Output(ctypes.Structure):
    """What a built model says about one of its outputs."""

    _fields_ = (
        ("type", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("dims", ctypes.c_int64 * 16),
        ("bytes", ctypes.c_int64),
    )


def _bytes(dtype, shape):
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def _array(address, dtype, shape):
    size = _bytes(dtype, shape)
    if not size or not address:
        return np.empty(shape, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


def _of(tensor):
    if tensor.type not in DTYPES or (not tensor.data and tensor.rank == 0):
        return None  # an optional input that is left out
    return _array(tensor.data, DTYPES[tensor.type], [tensor.dims[i] for i in range(tensor.rank)])


def _guarded(function):
    def guarded(*arguments):
        try:
            function(*arguments)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            return 1
        return 0

    return guarded


class Device:
    """What the stand-in calls: each call asks the other side, and its answer goes to memory.

    Every question carries the stand-in's counters at that moment, so that a recording knows what
    the provider did between two questions.
    """

    def __init__(self, library, ask):
        self.library, self._ask, self.programs = library, ask, []

    def ask(self, kind, body):
        """Ask the other side, saying what was counted so far."""
        return self._ask(kind, {**body, "counters": self.counters(False)})

    def counters(self, reset):
        """Return the counters, and set them to zero on request."""
        values = (ctypes.c_int64 * len(COUNTERS))()
        self.library.simascend_counters(values)
        if reset:
            self.library.simascend_reset()
        return dict(zip(COUNTERS, values, strict=True))

    def operator(self, name, inputs, given, outputs, made, attributes):
        """Run one operator."""
        results = [_of(made[i]) for i in range(outputs)]
        body = {
            "operator": name.decode(),
            "attributes": json.loads(attributes),
            "inputs": [_of(given[i]) for i in range(inputs)],
            "outputs": [[out.dtype.str, list(out.shape)] for out in results],
        }
        for result, value in zip(results, self.ask("kernel", body), strict=True):
            np.copyto(result, value)

    def build(self, onnx, size, shapes, input_bytes, inputs, outputs, count):
        """Compile a graph for fixed shapes."""
        body = {"onnx": ctypes.string_at(onnx, size), "shapes": shapes.decode("utf-8", "replace")}
        answer = self.ask("build", body)
        self.programs.append(answer)
        inputs[0], count[0] = len(answer["inputs"]), len(answer["outputs"])
        for i, (dtype, shape) in enumerate(answer["inputs"]):
            input_bytes[i] = _bytes(dtype, shape)
        for i, (dtype, shape) in enumerate(answer["outputs"]):
            outputs[i].rank, outputs[i].bytes = len(shape), _bytes(dtype, shape)
            for axis, length in enumerate(shape):
                outputs[i].dims[axis] = length

    def run(self, model, inputs, given, outputs, made):
        """Run a compiled graph."""
        program = self.programs[model - 1]
        arrays = [_array(given[i], *program["inputs"][i]) for i in range(inputs)]
        answer = self.ask("run", {"program": program["key"], "inputs": arrays})
        for i, value in enumerate(answer):
            np.copyto(_array(made[i], *program["outputs"][i]), value)


_pointer, _integer = ctypes.POINTER, ctypes.c_int
SIGNATURES = {
    "operator": (
        ctypes.c_char_p, _integer, _pointer(Tensor), _integer, _pointer(Tensor), ctypes.c_char_p,
    ),
    "build": (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, _pointer(ctypes.c_int64),
        _pointer(_integer), _pointer(Output), _pointer(_integer),
    ),
    "run": (_integer, _integer, _pointer(ctypes.c_void_p), _integer, _pointer(ctypes.c_void_p)),
}  # fmt: skip


def connect(library, ask):
    """Set the callbacks, and return a function that reads the counters."""
    device = Device(library, ask)
    callbacks = tuple(
        ctypes.CFUNCTYPE(_integer, *types)(_guarded(getattr(device, name)))
        for name, types in SIGNATURES.items()
    )
    library.simascend_set(*callbacks)
    library.kept_alive = callbacks
    return device.counters
