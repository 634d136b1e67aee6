"""From a resolved kernel, argument types and a block shape to a compiled function.

The generated module is written to the user's cache folder, one file for each key, and Numba caches
the machine code beside it, so that a new process only loads. The key holds everything the text
depends on: the learner's source and that of its device functions, the values of the names they
see, types, block shape, mode and versions.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import types as python_types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError

from workbench.errors import InputError, UnavailableError
from workbench.simt import infer as inference
from workbench.simt.emit import PLAIN, Mode
from workbench.simt.errors import KernelSourceError, KernelTypingError
from workbench.simt.names import Names
from workbench.simt.normalise import normalise
from workbench.simt.plan import plan
from workbench.simt.regions import (
    HEADER,
    DeclaredArray,
    DeviceFunctions,
    Module,
    RegionWriter,
    declared_arrays,
    maker,
)
from workbench.simt.resolve import Resolved
from workbench.simt.source import MISSING
from workbench.simt.translate import Translator

LAUNCH_PARAMETERS = ("_gx", "_gy", "_gz", "_first", "_last", "_shared_bytes")
_HERE = Path(__file__).parent


def cache_folder() -> Path:
    """Return the folder of generated modules: ``WORKBENCH_CACHE``, or the user's cache."""
    root = os.environ.get("WORKBENCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "accelerator-workbench" / "simt"


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
    path = _module_path(resolved, kinds, block, mode)
    module = _read(path) if path is not None else None
    if module is None:
        module, _ = generate(resolved, kinds, block, mode)
        recursive = "- stack_address() >" in module.text  # Numba's cache breaks recursion
        path = None if module.objects or recursive else path
        if path is not None:
            _write(path, module)
    try:
        return Compiled(module, compile_module(module, path, mode), block)
    except NumbaError as error:
        raise inference.typing_error(error) from error


# -- the disk


def check_types(resolved: Resolved, kinds: tuple, mode: Mode) -> None:
    """Raise `KernelTypingError` where a kernel does not fit argument types; make nothing.

    What depends on the block (shapes of arrays) is left to the launch.
    """
    try:
        generate(resolved, kinds, (1, 1, 1), mode)
    except KernelTypingError:
        raise
    except (KernelSourceError, InputError):
        return


def is_on_disk(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> bool:
    """Return whether the machine code only has to be loaded."""
    path = _module_path(resolved, kinds, block, mode)
    return path is not None and any((path.parent / "__pycache__").glob(f"{path.stem}.*.nbi"))


def _module_path(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> Path | None:
    try:
        key = hashlib.sha256(repr(_key_parts(resolved, kinds, block, mode)).encode()).hexdigest()
    except _NoKey:
        return None
    return cache_folder() / f"{resolved.name}_{key[:24]}.py"


class _NoKey(Exception):
    """The kernel sees an object whose content no key can hold."""


def _key_parts(resolved: Resolved, kinds: tuple, block: tuple, mode: Mode) -> list:
    parts: list[Any] = [numba.__version__, np.__version__, _engine_stamp(), mode.name, block]
    parts.append([str(kind) for kind in kinds])
    for one in (resolved, *resolved.device_functions.values()):
        source = one.source
        parts.append(ast.dump(one.tree, include_attributes=False))
        parts.append((source.file_name, source.first_line))
        for name in sorted({n.id for n in ast.walk(one.tree) if isinstance(n, ast.Name)}):
            value = source.lookup(name)
            if name not in source.parameters and value is not MISSING:
                parts.append((name, _stamp(value)))
    return parts


def _stamp(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(), str(value.dtype)
    if isinstance(value, (bool, int, float, complex, str, type(None), np.generic, tuple)):
        return type(value).__name__, repr(value)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if name is None and isinstance(value, types.Type):
        name = str(value)
    return type(value).__name__, getattr(value, "__module__", ""), name


def _engine_stamp() -> str:
    if not hasattr(_engine_stamp, "value"):
        files = sorted(_HERE.glob("*.py"))
        stamps = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files]
        _engine_stamp.value = hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
    return _engine_stamp.value


def _write(path: Path, module: Module) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            "There is no place to keep compiled kernels.",
            f"{path.parent}: {error.strerror}",
            "set WORKBENCH_CACHE to a folder that you may write to",
        ) from error
    meta = {
        "function": module.function,
        "sites": module.sites,
        "shared_bytes": module.shared_bytes,
        "uses_dynamic": module.uses_dynamic,
        "hidden": {
            name: [array.dtype.str, list(array.shape), np.ascontiguousarray(array).tobytes().hex()]
            for name, array in module.hidden.items()
        },
    }
    text = f"{module.text}\n# meta {json.dumps(meta)}\n"
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    scratch.write_text(text)
    os.replace(scratch, path)


def _read(path: Path) -> Module | None:
    if not path.exists():
        return None
    text = path.read_text()
    body, marker, meta = text.rpartition("\n# meta ")
    if not marker:
        return None
    found = json.loads(meta)
    hidden = {
        name: np.frombuffer(bytes.fromhex(data), np.dtype(dtype)).reshape(shape)
        for name, (dtype, shape, data) in found["hidden"].items()
    }
    return Module(
        body,
        found["function"],
        hidden,
        {},
        found["sites"],
        found["shared_bytes"],
        found["uses_dynamic"],
    )
