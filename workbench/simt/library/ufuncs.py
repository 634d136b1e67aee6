"""Element-wise functions and reductions: `vectorize`, `guvectorize`, `Reduce`.

Numba's CPU ufunc builder compiles them; what is added here is CUDA's calling convention: device
arrays in and out, a stream, and device functions inside.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportCallIssue=false

from __future__ import annotations

import inspect
import types as python_types
from typing import Any

import numba
import numpy as np

from workbench.errors import InputError
from workbench.simt.frontend.resolve import device_function
from workbench.simt.host.memory import DeviceArray, host_view


def cpu_function(function: Any) -> Any:
    """Return a Python function whose device functions are Numba functions of the CPU."""
    names = set(function.__code__.co_names) | set(function.__code__.co_freevars)
    scope = dict(function.__globals__)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    seen = {name: cell.cell_contents for name, cell in cells.items()}
    replaced = {}
    for name in names:
        value = seen.get(name, scope.get(name))
        inner = device_function(value)
        if inner is not None and not hasattr(value, "targetoptions"):
            replaced[name] = numba.njit(cpu_function(inner))
    if not replaced:
        return function
    scope.update({name: value for name, value in replaced.items() if name not in cells})
    closure = tuple(
        python_types.CellType(replaced[name]) if name in replaced else cells[name] for name in cells
    )
    new = python_types.FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, closure
    )
    new.__kwdefaults__ = function.__kwdefaults__
    return new


class DeviceUFunc:
    """A compiled ufunc with CUDA's calling convention.

    Parameters
    ----------
    ufunc : callable
        Numba's CPU ufunc.
    """

    def __init__(self, ufunc: Any):
        self._ufunc = ufunc
        self.__name__ = getattr(ufunc, "__name__", "ufunc")

    def __call__(self, *args: Any, out: Any = None, stream: Any = 0) -> Any:
        """Apply it; the result is a device array where an argument is one."""
        on_device = any(isinstance(arg, DeviceArray) for arg in args)
        inputs = [host_view(arg) for arg in args]
        if out is not None:
            target = host_view(out[0] if isinstance(out, tuple) else out)
            self._ufunc(*inputs, out=target)
            return out
        found = self._ufunc(*inputs)
        if on_device and isinstance(found, tuple):
            return tuple(DeviceArray(np.asarray(one)) for one in found)
        return DeviceArray(np.asarray(found)) if on_device else found

    def reduce(self, array: Any, stream: Any = 0) -> Any:
        """Reduce a one-dimensional array with the function."""
        return self._ufunc.reduce(host_view(array))

    @property
    def max_blocksize(self) -> int:
        """The largest block a launch may use."""
        return getattr(self, "_max_blocksize", 1024)

    @max_blocksize.setter
    def max_blocksize(self, value: int) -> None:
        self._max_blocksize = value


def vectorize(ftylist_or_function: Any = (), **options: Any) -> Any:
    """Turn a scalar function into a ufunc, as ``numba.vectorize(target="cuda")`` does."""
    options = {k: v for k, v in options.items() if k not in ("target", "nopython", "device")}

    def build(function: Any, signatures: Any) -> DeviceUFunc:
        made = numba.vectorize(list(signatures), nopython=True) if signatures else numba.vectorize
        return DeviceUFunc(made(cpu_function(function)))

    if inspect.isfunction(ftylist_or_function):
        return build(ftylist_or_function, ())
    signatures = ftylist_or_function
    signatures = [signatures] if isinstance(signatures, str) else list(signatures)
    return lambda function: build(function, signatures)


def guvectorize(ftylist: Any, signature: str, **options: Any) -> Any:
    """Turn a function of sub-arrays into a generalised ufunc."""
    types_ = [ftylist] if isinstance(ftylist, str) else list(ftylist)

    def build(function: Any) -> DeviceUFunc:
        made = numba.guvectorize(types_, signature, nopython=True)
        return DeviceUFunc(made(cpu_function(function)))

    return build


class Reduce:
    """A reduction by a binary function.

    Parameters
    ----------
    functor : callable
        ``functor(a, b)``, associative.
    """

    def __init__(self, functor: Any):
        self._functor = functor
        combine = numba.njit(cpu_function(functor))

        @numba.njit
        def fold(values, start):
            total = start
            for k in range(values.size):
                total = combine(total, values[k])
            return total

        self._fold = fold

    def __call__(
        self, arr: Any, size: int | None = None, res: Any = None, init: Any = 0, stream: Any = 0
    ) -> Any:
        """Reduce a one-dimensional array.

        Parameters
        ----------
        arr : array
        size : int, optional
            How many elements to use.
        res : DeviceArray, optional
            Receives the result in its first element; then None is returned.
        init : number
            The start value.

        Raises
        ------
        InputError
            Where the array has more dimensions.
        """
        values = host_view(arr)
        if values.ndim != 1:
            raise InputError(
                "Only arrays of one dimension can be reduced.",
                f"{values.ndim} dimensions",
                "reduce array.ravel()",
            )
        values = values if size is None else values[:size]
        result = values.dtype.type(self._fold(values, values.dtype.type(init)))
        if res is not None:
            host_view(res)[0] = result
            return None
        return result


reduce = Reduce
