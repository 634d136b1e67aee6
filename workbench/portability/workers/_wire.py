"""Messages between the workbench and a worker: pickled plain data, arrays as dtype, shape, bytes.

The two sides have different versions of NumPy, so that no NumPy object is ever pickled. Only our
own child is at the other end. This file is imported on both sides and needs nothing but NumPy.
"""

import pickle

import numpy as np

_ARRAY = "\0array"


def pack(value):
    """Return plain data for `value`, with every array in it taken apart."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        return (_ARRAY, array.dtype.str, array.shape, np.ascontiguousarray(array).tobytes())
    if isinstance(value, dict):
        return {key: pack(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    return value


def unpack(value):
    """Return what `pack` was given, lists for tuples; arrays own their memory."""
    if isinstance(value, tuple) and value and value[0] == _ARRAY:
        _, dtype, shape, data = value
        return np.frombuffer(bytearray(data), dtype).reshape(shape)
    if isinstance(value, dict):
        return {key: unpack(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [unpack(item) for item in value]
    return value


def send(connection, kind, body):
    """Send one message."""
    connection.send_bytes(pickle.dumps((kind, pack(body)), protocol=4))


def receive(connection):
    """Return the kind and the body of the next message; EOFError where the other side is gone."""
    kind, body = pickle.loads(connection.recv_bytes())
    return kind, unpack(body)
