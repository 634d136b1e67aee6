"""What type inference finds out about a kernel, and the module that every compiler makes of it.

The regions and the state machine are two ways to write the same understood kernel.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba

from workbench.simt.codegen import infer as inference
from workbench.simt.codegen.declared import DeclaredArray, declared_arrays, maker
from workbench.simt.codegen.device_functions import DeviceFunctions
from workbench.simt.codegen.emit import PLAIN, Mode
from workbench.simt.codegen.module import HEADER, Module
from workbench.simt.codegen.names import Names
from workbench.simt.codegen.translate import Translator
from workbench.simt.frontend.normal_form import Normal

LAUNCH_PARAMETERS = ("_gx", "_gy", "_gz", "_first", "_last", "_shared_bytes")


@dataclass
class Understood:
    """A kernel in normal form with the type of every name, before anything is written.

    Attributes
    ----------
    normal : Normal
    names : Names
    arrays : list of DeclaredArray
    known : dict
        Name -> Numba type.
    devices : DeviceFunctions
    namespace : dict
        That of the inference.
    """

    normal: Normal
    names: Names
    arrays: list[DeclaredArray]
    known: dict[str, Any]
    devices: DeviceFunctions
    namespace: dict[str, Any]


def understood(
    normal: Normal,
    kinds: tuple,
    block: tuple,
    mode: Mode,
    one_thread: type[inference.ScalarTranslator] = inference.ScalarTranslator,
) -> Understood:
    """Return what type inference finds out about a kernel.

    Raises
    ------
    KernelTypingError
        Where the types do not fit.
    """
    names = Names()
    arrays = declared_arrays(normal, names)
    made = [one for one in arrays if one.kind != "const"]
    known = dict(zip(normal.parameters, kinds, strict=True))
    known.update({one.name: one.array_type for one in made})
    const = {one.name: numba.typeof(names.arrays[one.name]) for one in arrays if one not in made}
    known.update(const)
    devices = DeviceFunctions(names, mode, block)
    scalar = one_thread(normal, names, PLAIN, block, known, devices.name_of)
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
    return Understood(normal, names, arrays, known, devices, namespace)


def _namespace(names: Names, devices: DeviceFunctions, mode: Mode, made: list[DeclaredArray]):
    namespace: dict[str, Any] = {"__name__": "workbench.simt.generated", **names.objects}
    header = [HEADER, mode.imports, names.text(), *(_make_local(one) for one in made)]
    exec("\n".join([*header, *devices.texts]), namespace)
    return namespace


def _make_local(one: DeclaredArray) -> str:
    return maker(one) if one.nbytes else ""


def translator_for(
    found: Understood, mode: Mode, block: tuple, of: type[Translator] = Translator
) -> Any:
    """Return what writes the kernel's statements."""
    names, arrays = found.names, found.arrays
    translator = of(found.normal, names, mode, block, found.known, found.devices.name_of)
    translator.shapes = {
        one.name: one.shape for one in arrays if one.kind != "const" and not one.dynamic
    }
    translator.private = {one.name for one in arrays if one.kind in ("shared", "local")}
    translator.own |= {name for name in found.known if name.startswith("_")}
    return translator


def module_of(found: Understood, mode: Mode, write: Any, extra: tuple[str, ...] = ()) -> Module:
    """Return the module of a kernel that ``write(name, parameters)`` gives the text of."""
    normal, names = found.normal, found.names
    hidden = list(names.arrays)
    given = (*hidden, *mode.parameters, *extra)
    parameters = [*normal.parameters, *given, *LAUNCH_PARAMETERS, "_ctrl"]
    function = f"kernel_{normal.resolved.name}"
    kernel = write(function, parameters)
    text = "\n".join([HEADER, mode.imports, names.text(), *found.devices.texts, kernel])
    return Module(
        text,
        function,
        {name: names.arrays[name] for name in hidden},
        dict(names.objects),
        [_site(site) for site in normal.sites],
        sum(one.nbytes for one in found.arrays if one.kind == "shared"),
        any(one.dynamic for one in found.arrays),
    )


def _site(site: Any) -> dict:
    return {
        "array": site.array,
        "text": site.text,
        "kind": site.kind,
        "file_name": site.file_name,
        "line": site.line,
    }
