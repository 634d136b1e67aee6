"""What kernel code may say: the names of the CUDA programming model, as data.

Each name is an `IntrinsicName` in one table. The front end recognises a name by the *object* it
evaluates to, so `cuda.syncthreads`, `from workbench.cuda import syncthreads as barrier` and an
alias in a closure all mean the same. Outside a kernel the objects only explain themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.simt.errors import OutsideKernelError
from workbench.simt.frontend.ambient import current, perform

BLOCK_SYNC = (
    "syncthreads",
    "syncthreads_count",
    "syncthreads_and",
    "syncthreads_or",
)
WARP_SYNC = (
    "syncwarp",
    "shfl_sync",
    "shfl_up_sync",
    "shfl_down_sync",
    "shfl_xor_sync",
    "all_sync",
    "any_sync",
    "eq_sync",
    "ballot_sync",
    "match_any_sync",
    "match_all_sync",
    "activemask",
)
GRID_SYNC = ("grid_sync",)
ATOMICS = (
    "add",
    "sub",
    "and_",
    "or_",
    "xor",
    "inc",
    "dec",
    "exch",
    "max",
    "min",
    "nanmax",
    "nanmin",
    "cas",
    "compare_and_swap",
)
FENCES = ("threadfence", "threadfence_block", "threadfence_system")
BITS = ("popc", "brev", "clz", "ffs", "fma", "cbrt", "selp", "nanosleep", "lanemask_lt")
CACHE_LOADS = ("ldca", "ldcg", "ldcs", "ldlu", "ldcv")
CACHE_STORES = ("stcg", "stcs", "stwb", "stwt")


@dataclass(frozen=True)
class IntrinsicName:
    """One name that means something inside a kernel.

    Attributes
    ----------
    name : str
        As written after ``cuda.``, for instance ``"atomic.add"``.
    kind : str
        ``index`` (a value), ``call`` (computes for one thread), ``declare`` (makes an array),
        ``atomic``, ``fence``, ``group``, or a synchronising operation: ``block``, ``warp``,
        ``grid``.
    """

    name: str
    kind: str

    @property
    def synchronises(self) -> bool:
        """Whether threads wait for each other here."""
        return self.kind in ("block", "warp", "grid")

    @property
    def method(self) -> str:
        """The name as a Python identifier: ``atomic_add``."""
        return self.name.replace(".", "_")

    def __call__(self, *args, **kwargs):
        """Act for the thread that runs now; on the host there is none, which raises."""
        if current() is None:
            raise OutsideKernelError(self.name)
        return perform(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<cuda.{self.name}: usable inside a kernel>"


class Namespace:
    """A dotted group of names, such as ``cuda.atomic``; unknown names are `AttributeError`."""

    def __init__(self, name: str, members: dict):
        self.__dict__.update(members)
        self._name = name

    def __repr__(self) -> str:
        return f"<cuda.{self._name}>"


class _Triple:
    """`threadIdx` and its kin: names to the front end, numbers to a thread that runs now."""

    def __init__(self, name: str):
        self._name = name
        self._axes = {axis: IntrinsicName(f"{name}.{axis}", "index") for axis in "xyz"}

    def __getattr__(self, axis: str):
        if axis not in ("x", "y", "z"):
            raise AttributeError(axis)
        thread = current()
        return self._axes[axis] if thread is None else getattr(getattr(thread, self._name), axis)

    def __repr__(self) -> str:
        return f"<cuda.{self._name}>"


def _triple(name: str) -> _Triple:
    return _Triple(name)


def _group(prefix: str, names: tuple[str, ...], kind: str) -> Namespace:
    return Namespace(prefix, {name: IntrinsicName(f"{prefix}.{name}", kind) for name in names})


def _table() -> dict[str, object]:
    table: dict[str, object] = {}
    kinds = {
        "block": BLOCK_SYNC,
        "warp": WARP_SYNC,
        "fence": FENCES,
        "call": (*BITS, *CACHE_LOADS, *CACHE_STORES, "grid", "gridsize"),
        "index": ("laneid", "warpsize"),
    }
    for kind, names in kinds.items():
        table.update({name: IntrinsicName(name, kind) for name in names})
    for name in ("threadIdx", "blockIdx", "blockDim", "gridDim"):
        table[name] = _triple(name)
    table["atomic"] = _group("atomic", ATOMICS, "atomic")
    table["shared"] = _group("shared", ("array",), "declare")
    table["local"] = _group("local", ("array",), "declare")
    table["const"] = _group("const", ("array_like",), "declare")
    table["cg"] = _group("cg", ("this_grid",), "group")
    return table


NAMES = _table()
"""Every kernel-side name of the core model; `fp16`, `libdevice` and vectors have own modules."""

GRID_GROUP_SYNC = IntrinsicName("grid_sync", "grid")
"""What ``cuda.cg.this_grid().sync()`` becomes."""
