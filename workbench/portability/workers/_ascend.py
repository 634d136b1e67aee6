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


def _array(address, dtype, shape):
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
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


def connect(library, ask):
    """Set the callbacks, and return a function that reads the counters."""
    programs = []

    def operator(name, inputs, given, outputs, made, attributes):
        results = [_of(made[i]) for i in range(outputs)]
        body = {
            "operator": name.decode(),
            "attributes": json.loads(attributes),
            "inputs": [_of(given[i]) for i in range(inputs)],
            "outputs": [[out.dtype.str, list(out.shape)] for out in results],
        }
        for result, value in zip(results, ask("kernel", body), strict=True):
            np.copyto(result, value)

    def build(onnx, size, shapes, input_bytes, inputs, outputs, count):
        body = {"onnx": ctypes.string_at(onnx, size), "shapes": shapes.decode("utf-8", "replace")}
        answer = ask("build", body)
        programs.append(answer)
        inputs[0], count[0] = len(answer["inputs"]), len(answer["outputs"])
        for i, (dtype, shape) in enumerate(answer["inputs"]):
            input_bytes[i] = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        for i, (dtype, shape) in enumerate(answer["outputs"]):
            out = outputs[i]
            out.rank = len(shape)
            out.bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            for axis, length in enumerate(shape):
                out.dims[axis] = length

    def run(model, inputs, given, outputs, made):
        program = programs[model - 1]
        arrays = [_array(given[i], *program["inputs"][i]) for i in range(inputs)]
        answer = ask("run", {"program": program["key"], "inputs": arrays})
        for i, value in enumerate(answer):
            np.copyto(_array(made[i], *program["outputs"][i]), value)

    pointer, text, integer = ctypes.POINTER, ctypes.c_char_p, ctypes.c_int
    callbacks = (
        ctypes.CFUNCTYPE(integer, text, integer, pointer(Tensor), integer, pointer(Tensor), text)(
            _guarded(operator)
        ),
        ctypes.CFUNCTYPE(
            integer, ctypes.c_void_p, ctypes.c_size_t, text, pointer(ctypes.c_int64),
            pointer(integer), pointer(Output), pointer(integer),
        )(_guarded(build)),
        ctypes.CFUNCTYPE(
            integer, integer, integer, pointer(ctypes.c_void_p), integer, pointer(ctypes.c_void_p)
        )(_guarded(run)),
    )  # fmt: skip
    library.simascend_set(*callbacks)
    library.kept_alive = callbacks

    def counters(reset):
        values = (ctypes.c_int64 * len(COUNTERS))()
        library.simascend_counters(values)
        if reset:
            library.simascend_reset()
        return dict(zip(COUNTERS, values, strict=True))

    return counters
