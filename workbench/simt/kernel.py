"""The kernel object: what `cuda.jit` returns, what a launch does, and which tier runs it.

`kernel[grid, block]` configures a launch and calling that runs it. The tier is chosen by the engine
and visible: ``kernel.last_tier``. A device function is the same object with ``device=True``; it
runs only when a kernel calls it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import sigutils

from workbench.errors import KernelError, StoppedError
from workbench.simt import tiers
from workbench.simt.compiled.specialisation import Specialisation, check_declared, specialisation
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import LaunchConfigError, NoSourceError
from workbench.simt.frontend.resolve import resolve
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.host import engines, limits
from workbench.simt.host.arguments import prepare
from workbench.simt.host.memory import host_view
from workbench.simt.stepping.launch import has_grid_sync, max_resident_blocks


class Kernel:
    """A CUDA kernel, or a device function.

    Parameters
    ----------
    function : callable
        The Python function.
    device : bool
        Whether only kernels may call it.
    options : dict
        Numba's compile options; those that steer code generation for a GPU are accepted and have
        no meaning here.

    Attributes
    ----------
    py_func : callable
    extensions : list
        Objects whose ``prepare_args(type, value, stream, retr)`` may change each argument of a
        launch, the last one first, as in Numba; what they append to `retr` runs after it.
    last_tier : str
        Which tier ran the last launch (``"lockstep"``, ``"compiled"``, ``"irregular"``,
        ``"step-through"``), ""
        before the first.
    reason : str
        Why that tier and not the compiled one.
    last_thread : str
        Which thread ran it: ``"launcher"``, or ``"caller"`` (step by step, where pdb works; on a
        GPU; and launches known to be short, see `pace`).
    """

    def __init__(self, function: Any, device: bool = False, options: dict | None = None):
        self.py_func, self.device = function, device
        self.options = options or {}
        self.extensions: list[Any] = list(self.options.get("extensions") or ())
        self.last_tier = ""
        self.reason = self.last_thread = ""
        self.last_block: Dim3 | None = None
        self.specialisations: dict[Any, Any] = {}
        self.__name__ = getattr(function, "__name__", "kernel")
        self.__doc__ = getattr(function, "__doc__", None)
        self.__wrapped__ = function
        if not device and self.declared:
            check_declared(self)

    @property
    def __simt_function__(self) -> Any:
        return self.py_func

    @cached_property
    def resolved(self) -> Any:
        """The front end's result, made at first use: names in it may be defined later.

        A function without source is returned as it is: only the step-through tier runs it.
        """
        try:
            return resolve(self.py_func)
        except NoSourceError:
            return self.py_func

    def __getitem__(self, configuration: Any) -> Launch:
        if not isinstance(configuration, tuple) or not 2 <= len(configuration) <= 4:
            raise LaunchConfigError(
                f"{self.__name__} was given no launch configuration.",
                repr(configuration),
                "kernel[blocks, threads] or kernel[blocks, threads, stream, shared_bytes]",
            )
        return self.configure(*configuration)

    def configure(self, griddim: Any, blockdim: Any, stream: Any = 0, sharedmem: int = 0) -> Launch:
        """Return this kernel with a launch configuration, as ``kernel[...]`` does."""
        if self.device:
            raise LaunchConfigError(
                f"{self.__name__} is a device function and cannot be launched.",
                "device=True",
                "call it from a kernel",
            )
        grid, block = limits.dim3(griddim, "grid"), limits.dim3(blockdim, "block")
        limits.check_launch(grid, block, int(sharedmem or 0))
        return Launch(self, grid, block, stream, int(sharedmem or 0))

    def compile(self, *args: Any, block: Any = None) -> None:
        """Compile for these arguments now, so that no launch waits for it.

        Parameters
        ----------
        *args
            As a launch would get them.
        block : int or tuple of int
            The block's shape, which is compiled in. By default that of the last launch.
        """
        shape = limits.dim3(block, "block") if block is not None else self.last_block
        if shape is None:
            raise LaunchConfigError(
                f"{self.__name__} does not know for which block to compile.",
                "no launch yet and no block=",
                f"{self.__name__}.compile(..., block=(16, 16))",
            )
        prepared = self.as_declared(prepare(self.resolved, args))
        specialisation(self, shape, prepared)[0].ready()

    def as_declared(self, args: tuple) -> tuple:
        """Return the arguments with numbers of the types that a signature declares, if one does."""
        if len(self.declared) != 1:
            return args
        kinds = self.declared[0]
        if len(kinds) != len(args):
            return args
        return tuple(
            np.asarray(value).astype(str(kind))[()]
            if isinstance(kind, types.Number) and not isinstance(value, np.ndarray)
            else value
            for value, kind in zip(args, kinds, strict=True)
        )

    @cached_property
    def declared(self) -> list[tuple]:
        """The argument types of every signature that ``cuda.jit`` was given."""
        signatures = self.options.get("signatures")
        if signatures is None:
            return []
        several = isinstance(signatures, (list, tuple)) and not all(
            isinstance(one, types.Type) for one in signatures
        )
        given = signatures if several else [signatures]
        return [tuple(sigutils.normalize_signature(one)[0]) for one in given]

    @property
    def overloads(self) -> dict[tuple, Overload]:
        """Every signature that was declared or launched, by argument types, as in Numba."""
        launched = [one.kinds for one in self._made()]
        return {kinds: Overload(self) for kinds in (*self.declared, *launched)}

    def _made(self) -> list[Specialisation]:
        every = list(self.specialisations.values())
        return [one for one in every if isinstance(one, Specialisation)]

    def specialize(self, *args: Any) -> Kernel:
        """Return this kernel: it specialises itself for the arguments of each launch."""
        return self

    def generated_source(self) -> str:
        """Return the generated code of every specialisation: how barriers became loops."""
        compiled = [one.ready().compiled or one.machine for one in self._made()]
        return "\n".join(one.module.text for one in compiled if one is not None)

    def forall(self, ntasks: int, tpb: int = 0, stream: Any = 0, sharedmem: int = 0) -> ForAll:
        """Return a launcher with at least one thread for each of `ntasks` elements."""
        if ntasks < 0:
            raise ValueError(f"Can't create ForAll with negative task count: {ntasks}")
        return ForAll(self, ntasks, tpb or 128, stream, sharedmem)

    def __call__(self, *args: Any) -> Any:
        """Call a device function as plain Python; a kernel needs a launch configuration."""
        if self.device:
            return self.py_func(*args)
        raise ValueError(
            f"Kernel {self.__name__} was called without a launch configuration: "
            "use kernel[blocks, threads](...)"
        )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self

    def __repr__(self) -> str:
        kind = "device function" if self.device else "kernel"
        return f"<CUDA {kind} {self.__name__} on the CPU engine>"


class Overload:
    """One specialisation, as Numba's host code asks about it.

    Attributes
    ----------
    cooperative : bool
        Whether the kernel has a barrier over the whole grid.
    """

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.cooperative = isinstance(kernel.resolved, Resolved) and has_grid_sync(kernel.resolved)

    def max_cooperative_grid_blocks(self, blockdim: Any, dynsmemsize: int = 0) -> int:
        """Return how many blocks may wait for each other: as many as memory holds."""
        limits.check_launch(Dim3(), limits.dim3(blockdim, "block"), dynsmemsize)
        return max_resident_blocks(limits.dim3(blockdim, "block"))


class Launch:
    """A kernel with its launch configuration; call it with the kernel's arguments.

    Attributes
    ----------
    kernel : Kernel
    grid, block : Dim3
    stream : Stream or 0
    shared_bytes : int
        Dynamic shared memory of each block.
    """

    def __init__(self, kernel: Kernel, grid: Dim3, block: Dim3, stream: Any, shared_bytes: int):
        self.kernel, self.grid, self.block = kernel, grid, block
        self.stream, self.shared_bytes = stream, shared_bytes

    def __call__(self, *args: Any) -> None:
        """Run the kernel; arrays are written in place.

        It runs on a launcher thread while the caller waits, and asks about fifty times a second
        whether to go on. Ctrl-C, Jupyter's Stop, an exception sent to the calling thread and a
        time limit end an endless kernel well within a second, and say where its threads were.
        Stop reaches launches that the main thread waits for, as all of Python's signals do. Step
        by step a kernel runs in the calling thread, where pdb works; so does a launch whose loops
        depend on the grid, shapes and numbers alone, once it was seen to take under 2 ms
        (``kernel.last_thread`` tells).

        Raises
        ------
        KernelError
            Naming the thread and the line.
        StoppedError, KeyboardInterrupt
            Where the launch was stopped.
        """
        kernel, after = self.kernel, []
        if kernel.extensions:
            args = tuple(self._extended(value, after) for value in args)
        try:
            self._run(kernel, args)
        except (KernelError, StoppedError, KeyboardInterrupt) as error:
            if kernel.last_tier == "step-through":  # where the kernel's own frames are in it
                raise
            raise error.with_traceback(None)  # noqa: B904 - it says where; our frames do not
        for call in after:
            call()

    def _extended(self, value: Any, after: list) -> Any:
        kind = numba.typeof(host_view(value))
        for extension in reversed(self.kernel.extensions):
            kind, value = extension.prepare_args(kind, value, stream=self.stream, retr=after)
        return value

    def _run(self, kernel: Kernel, args: tuple) -> None:
        chosen = tiers.SETTINGS.instead is not None or tiers.SETTINGS.tier != "auto"
        if engines.engine() == "gpu" and not chosen:
            engines.launch(kernel, self, args)
            return
        prepared = kernel.as_declared(prepare(kernel.resolved, args))
        tiers.launch(kernel, self, prepared)

    def __repr__(self) -> str:
        return f"{self.kernel.__name__}[{tuple(self.grid)}, {tuple(self.block)}]"


class ForAll:
    """A kernel launched over a number of elements rather than a grid."""

    def __init__(self, kernel: Kernel, ntasks: int, tpb: int, stream: Any, sharedmem: int):
        self.kernel, self.ntasks, self.tpb = kernel, ntasks, tpb
        self.stream, self.sharedmem = stream, sharedmem

    def __call__(self, *args: Any) -> None:
        """Run the kernel over all elements."""
        if self.ntasks == 0:
            return
        blocks = -(-self.ntasks // self.tpb)
        self.kernel[blocks, self.tpb, self.stream, self.sharedmem](*args)
