"""From a resolved kernel, argument types and a block shape to a compiled function.

The generated module is written to the user's cache folder, one file for each key, and Numba caches
the machine code beside it, so that a new process only loads. The key holds everything the text
depends on: the learner's source and that of its device functions, the values of the names they
see, types, block shape, mode and versions.
"""

from __future__ import annotations

import ast
import sys
import types as python_types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core.errors import NumbaError

from workbench.errors import InputError
from workbench.simt.codegen import infer as inference
from workbench.simt.codegen.emit import PLAIN, Mode
from workbench.simt.codegen.module import Module
from workbench.simt.codegen.regions import RegionWriter
from workbench.simt.compiled import half_precision
from workbench.simt.compiled.cache import module_path, read_module, write_module
from workbench.simt.compiled.understood import (
    LAUNCH_PARAMETERS,
    Understood,
    module_of,
    translator_for,
    understood,
)
from workbench.simt.errors import KernelSourceError, KernelTypingError
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.planning.plan import plan


@dataclass
class Compiled:
    """A kernel compiled for one list of argument types, one block shape and one mode.

    Attributes
    ----------
    module : Module
    function : Numba dispatcher
        ``function(*args, *hidden, *mode arguments, *LAUNCH_PARAMETERS, control)``.
    block : tuple of int
    """

    module: Module
    function: Any
    block: tuple[int, ...]
    extra_types = ()

    def compile(self, kinds: tuple) -> None:
        """Make the machine code now, for the kernel's argument types.

        Raises
        ------
        KernelTypingError
            Where the types do not fit.
        """
        hidden = tuple(numba.typeof(array) for array in self.module.hidden.values())
        rest = (*self.extra_types, *(types.int64,) * len(LAUNCH_PARAMETERS))
        try:
            self.function.compile((*kinds, *hidden, *rest, types.Array(types.int64, 1, "C")))
        except NumbaError as error:
            raise inference.typing_error(error) from error


def generate(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> tuple[Module, dict]:
    """Return the generated module and the namespace it was inferred in."""
    found = understood(normalise(resolved), kinds, block, mode)
    return _written(found, mode, block), found.namespace


def _written(found: Understood, mode: Mode, block: tuple) -> Module:
    normal, known = found.normal, found.known
    is_array = {
        name
        for name, kind in known.items()
        if isinstance(kind, (types.Array, types.Record, types.BaseTuple))
    }
    planned = plan(normal, is_array)
    translator = translator_for(found, mode, block)
    translator.own |= planned.masks | set(planned.published) | {"_left", LIVE_NAME}
    translator.own |= _plan_names(planned)
    translator.uniform_names = planned.uniform | set(normal.parameters)
    writer = RegionWriter(normal, planned, translator, found.arrays)
    return module_of(found, mode, writer.write)


LIVE_NAME = "_live"


def _plan_names(planned) -> set[str]:
    found: set[str] = set()
    for node in _walk_nodes(planned.nodes):
        for statement in getattr(node, "body", []):
            if isinstance(statement, ast.AST):
                found |= {
                    p.id
                    for p in ast.walk(statement)
                    if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)
                }
    return found


def _walk_nodes(nodes: list):
    for node in nodes:
        yield node
        for name in ("body", "orelse"):
            inner = getattr(node, name, [])
            if inner and not isinstance(inner[0], ast.AST):
                yield from _walk_nodes(inner)


def compile_module(module: Module, path: Path | None, mode: Mode = PLAIN) -> Any:
    """Execute a generated module and return its jitted kernel (not compiled yet)."""
    options = {"nogil": True, "error_model": mode.error_model, "cache": path is not None}
    return numba.njit(**options)(loaded(module, path))


def loaded(module: Module, path: Path | None) -> Any:
    """Execute a generated module and return its function, as a plain Python function."""
    file_name = str(path) if path is not None else f"<generated {module.function}>"
    name = f"workbench_generated_{path.stem if path is not None else id(module)}"
    home = python_types.ModuleType(name)
    sys.modules[name] = home  # Numba's cache looks the module up by its name
    namespace = vars(home)
    namespace.update(module.objects, __file__=file_name)
    exec(compile(module.text, file_name, "exec"), namespace)
    return namespace[module.function]


def build(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> Compiled:
    """Return the compiled kernel, from the cache where it is there.

    Raises
    ------
    KernelTypingError
        Where the types do not fit.
    KernelSourceError
        Where the kernel says what this tier cannot run (`Unplannable`).
    """
    return built(resolved, kinds, block, mode, lambda: generate(resolved, kinds, block, mode)[0])


def built(
    resolved: Resolved,
    kinds: tuple,
    block: tuple,
    mode: Mode,
    make: Callable[[], Module],
    of: type[Compiled] = Compiled,
) -> Any:
    """Return a compiled kernel whose module lies on disk or is made by `make`."""
    half_precision.teach(resolved, kinds)
    path = module_path(resolved, kinds, block, mode)
    module = read_module(path) if path is not None else None
    if module is None:
        module = make()
        recursive = "- stack_address() >" in module.text  # Numba's cache breaks recursion
        path = None if module.objects or recursive else path
        if path is not None:
            path = write_module(path, module)
    try:
        return of(module, compile_module(module, path, mode), block)
    except NumbaError as error:
        raise inference.typing_error(error) from error


# -- the disk


def check_types(resolved: Resolved, kinds: tuple, mode: Mode) -> None:
    """Raise `KernelTypingError` where a kernel does not fit argument types; make nothing.

    What depends on the block (shapes of arrays) is left to the launch.
    """
    half_precision.teach(resolved, kinds)
    try:
        generate(resolved, kinds, (1, 1, 1), mode)
    except KernelTypingError:
        raise
    except (KernelSourceError, InputError):
        return


def is_on_disk(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> bool:
    """Return whether the machine code only has to be loaded."""
    path = module_path(resolved, kinds, block, mode)
    return path is not None and any((path.parent / "__pycache__").glob(f"{path.stem}.*.nbi"))
