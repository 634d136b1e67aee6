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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core.errors import NumbaError

from workbench.errors import InputError
from workbench.simt.codegen import infer as inference
from workbench.simt.codegen.declared import DeclaredArray, declared_arrays, maker
from workbench.simt.codegen.device_functions import DeviceFunctions
from workbench.simt.codegen.emit import PLAIN, Mode
from workbench.simt.codegen.module import HEADER, Module
from workbench.simt.codegen.names import Names
from workbench.simt.codegen.regions import RegionWriter
from workbench.simt.codegen.translate import Translator
from workbench.simt.compiled import half_precision
from workbench.simt.compiled.cache import module_path, read_module, write_module
from workbench.simt.errors import KernelSourceError, KernelTypingError
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.planning.plan import plan

LAUNCH_PARAMETERS = ("_gx", "_gy", "_gz", "_first", "_last", "_shared_bytes")


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

    def compile(self, kinds: tuple) -> None:
        """Make the machine code now, for the kernel's argument types.

        Raises
        ------
        KernelTypingError
            Where the types do not fit.
        """
        hidden = tuple(numba.typeof(array) for array in self.module.hidden.values())
        rest = (types.int64,) * len(LAUNCH_PARAMETERS)
        try:
            self.function.compile((*kinds, *hidden, *rest, types.Array(types.int64, 1, "C")))
        except NumbaError as error:
            raise inference.typing_error(error) from error


def generate(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> tuple[Module, dict]:
    """Return the generated module and the namespace it was inferred in."""
    normal = normalise(resolved)
    names = Names()
    arrays = declared_arrays(normal, names)
    made = [one for one in arrays if one.kind != "const"]
    known = dict(zip(normal.parameters, kinds, strict=True))
    known.update({one.name: one.array_type for one in made})
    const = {one.name: numba.typeof(names.arrays[one.name]) for one in arrays if one not in made}
    known.update(const)
    devices = DeviceFunctions(names, mode, block)
    scalar = inference._ScalarTranslator(normal, names, PLAIN, block, known, devices.name_of)
    array_names = [*(one.name for one in made), *const]
    text = inference.scalar_source(scalar, list(normal.parameters), array_names)
    for name in [name for name in names.arrays if devices.mentions(name)]:
        names.objects[name] = names.arrays.pop(name)
        text = inference.scalar_source(scalar, list(normal.parameters), array_names)
    hidden = {name: names.arrays[name] for name in names.arrays if name not in const}
    namespace = _namespace(names, devices, mode, made)
    signature = (
        *kinds,
        *(one.array_type for one in made),
        *const.values(),
        *(numba.typeof(array) for array in hidden.values()),
    )
    inferred = inference.infer(text, namespace, signature)
    for name, kind in inferred.items():
        known.setdefault(name, kind)
    inference.check_votes(normal, known)
    return _written(normal, names, arrays, known, devices, mode, block, namespace)


def _namespace(names: Names, devices: DeviceFunctions, mode: Mode, made: list[DeclaredArray]):
    namespace: dict[str, Any] = {"__name__": "workbench.simt.generated", **names.objects}
    header = [HEADER, mode.imports, names.text(), *(_make_local(one) for one in made)]
    exec("\n".join([*header, *devices.texts]), namespace)
    return namespace


def _make_local(one: DeclaredArray) -> str:
    return maker(one) if one.nbytes else ""


def _written(normal, names, arrays, known, devices, mode, block, namespace):
    is_array = {
        name
        for name, kind in known.items()
        if isinstance(kind, (types.Array, types.Record, types.BaseTuple))
    }
    planned = plan(normal, is_array)
    translator = Translator(normal, names, mode, block, known, devices.name_of)
    translator.shapes = {
        one.name: one.shape for one in arrays if one.kind != "const" and not one.dynamic
    }
    translator.private = {one.name for one in arrays if one.kind in ("shared", "local")}
    translator.own = planned.masks | set(planned.published) | {"_left", LIVE_NAME}
    translator.own |= {name for name in known if name.startswith("_")}
    translator.own |= _plan_names(planned)
    translator.uniform_names = planned.uniform | set(normal.parameters)
    writer = RegionWriter(normal, planned, translator, arrays)
    hidden = list(names.arrays)
    parameters = [*normal.parameters, *hidden, *mode.parameters, *LAUNCH_PARAMETERS, "_ctrl"]
    function = f"kernel_{normal.resolved.name}"
    kernel = writer.write(function, parameters)
    text = "\n".join([HEADER, mode.imports, names.text(), *devices.texts, kernel])
    module = Module(
        text,
        function,
        {name: names.arrays[name] for name in hidden},
        dict(names.objects),
        [_site(site) for site in normal.sites],
        sum(one.nbytes for one in arrays if one.kind == "shared"),
        any(one.dynamic for one in arrays),
    )
    return module, namespace


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


def _site(site: Any) -> dict:
    return {
        "array": site.array,
        "text": site.text,
        "kind": site.kind,
        "file_name": site.file_name,
        "line": site.line,
    }


def compile_module(module: Module, path: Path | None, mode: Mode = PLAIN) -> Any:
    """Execute a generated module and return its jitted kernel (not compiled yet)."""
    file_name = str(path) if path is not None else f"<generated {module.function}>"
    name = f"workbench_generated_{path.stem if path is not None else id(module)}"
    home = python_types.ModuleType(name)
    sys.modules[name] = home  # Numba's cache looks the module up by its name
    namespace = vars(home)
    namespace.update(module.objects, __file__=file_name)
    exec(compile(module.text, file_name, "exec"), namespace)
    options = {"nogil": True, "error_model": mode.error_model, "cache": path is not None}
    return numba.njit(**options)(namespace[module.function])


def build(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> Compiled:
    """Return the compiled kernel, from the cache where it is there.

    Raises
    ------
    KernelTypingError
        Where the types do not fit.
    KernelSourceError
        Where the kernel says what this tier cannot run (`Unplannable`).
    """
    half_precision.teach(resolved, kinds)
    path = module_path(resolved, kinds, block, mode)
    module = read_module(path) if path is not None else None
    if module is None:
        module, _ = generate(resolved, kinds, block, mode)
        recursive = "- stack_address() >" in module.text  # Numba's cache breaks recursion
        path = None if module.objects or recursive else path
        if path is not None:
            path = write_module(path, module)
    try:
        return Compiled(module, compile_module(module, path, mode), block)
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
