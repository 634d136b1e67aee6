"""Numba's own type inference on one thread of a kernel: what each name holds.

Types come from Numba and never from guesses, so that the values threads keep across barriers have
the type that the same code has on a GPU. Only inference runs; nothing is compiled.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast

from numba import types
from numba.core import compiler, typed_passes
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaError, TypingError
from numba.core.registry import cpu_target
from numba.core.ssa import reconstruct_ssa

from workbench.simt.codegen.context import CONTEXT
from workbench.simt.codegen.emit import Writer
from workbench.simt.codegen.translate import Translator
from workbench.simt.errors import KernelTypingError
from workbench.simt.frontend.normal_form import Normal, Sync

_RESULTS = {
    "syncthreads_count": "np.int64(0)",
    "syncthreads_and": "np.int64(0)",
    "syncthreads_or": "np.int64(0)",
    "all_sync": "True",
    "any_sync": "True",
    "eq_sync": "True",
    "ballot_sync": "np.uint32(0)",
    "activemask": "np.uint32(0)",
    "match_any_sync": "np.uint32(0)",
    "match_all_sync": "(np.uint32(0), True)",
    "syncwarp": "0",
    "syncthreads": "0",
    "grid_sync": "0",
}


class _ScalarTranslator(Translator):
    """Writes one thread's code, with every meeting reduced to the type of its result."""

    def write_Sync(self, statement: Sync) -> None:
        if not statement.target:
            return
        name = statement.intrinsic.name
        value = _RESULTS.get(name) or self.text(statement.args[1])
        self.out(f"{statement.target} = {value}")

    def write_Raise(self, statement: ast.Raise) -> None:
        self.out("return 0")

    def write_Assert(self, statement: ast.Assert) -> None:
        self.out("pass")

    def poll(self, out, line: int, cost: str) -> None:
        pass


ScalarTranslator = _ScalarTranslator
"""To be extended by a tier that allows more."""


def scalar_source(translator: _ScalarTranslator, parameters: list[str], arrays: list[str]) -> str:
    """Return the source of one thread's code as a function."""
    body = Writer()
    translator.out = body
    translator.write(translator.normal.body)
    hidden = [name for name in translator.names.arrays if name not in arrays]
    out = Writer()
    with out.block(f"def one_thread({', '.join([*parameters, *arrays, *hidden, *CONTEXT])}):"):
        out(*body.lines, "return 0")
    return out.text()


def infer(text: str, namespace: dict, argument_types: tuple) -> dict[str, types.Type]:
    """Return name -> type for every local of `one_thread` in `text`.

    Raises
    ------
    KernelTypingError
        With Numba's explanation.
    """
    exec(compile(text, "<one thread>", "exec"), namespace)
    function = namespace["one_thread"]
    typing_context, target_context = cpu_target.typing_context, cpu_target.target_context
    with global_compiler_lock:
        typing_context.refresh()
        target_context.refresh()
    context_types = (types.int64,) * (len(CONTEXT) - 1)
    signature = (*argument_types, *context_types, types.Array(types.int64, 1, "C"))
    try:
        with global_compiler_lock:  # kernels are also compiled in the background
            return _inferred(function, signature, versions=False)
    except NumbaError as error:
        try:
            with global_compiler_lock:
                return _inferred(function, signature, versions=True)
        except NumbaError:
            raise typing_error(error) from error


def _inferred(function, signature: tuple, versions: bool) -> dict[str, types.Type]:
    """Return the types of the locals.

    Without `versions` a name has one type, which is what an array that keeps it across barriers
    needs; with them, a name that stands for different things in turn is left out.
    """
    typing_context, target_context = cpu_target.typing_context, cpu_target.target_context
    ir = compiler.run_frontend(function)
    if versions:
        ir = reconstruct_ssa(ir)
    found = typed_passes.type_inference_stage(typing_context, target_context, ir, signature, None)
    typemap = found.typemap if hasattr(found, "typemap") else found[0]
    kinds: dict[str, set[types.Type]] = {}
    for name, kind in typemap.items():
        if not name.startswith("$"):
            kinds.setdefault(name.partition(".")[0], set()).add(types.unliteral(kind))
    unified = {name: typing_context.unify_types(*several) for name, several in kinds.items()}
    return {name: kind for name, kind in unified.items() if kind is not None}


_VOTES = ("all_sync", "any_sync", "eq_sync", "ballot_sync")


def check_votes(normal: Normal, known: dict[str, types.Type]) -> None:
    """Raise where a vote is asked with a mask or a predicate that is no whole number."""
    for sync in (part for statement in normal.body for part in ast.walk(statement)):
        if not isinstance(sync, Sync) or sync.intrinsic.name not in _VOTES:
            continue
        mask, predicate = (_type_of(arg, known) for arg in sync.args)
        for what, kind, good in (
            ("Mask type must be an integer", mask, types.Integer),
            ("Predicate must be an integer or boolean", predicate, (types.Integer, types.Boolean)),
        ):
            if kind is not None and not isinstance(kind, good):
                raise NumbaTypingError(
                    f"{what}.", f"{kind} at line {sync.lineno}", "convert it first"
                )


def _type_of(node: ast.AST, known: dict[str, types.Type]) -> types.Type | None:
    return known.get(node.id) if isinstance(node, ast.Name) else None


class NumbaTypingError(KernelTypingError, TypingError):
    """The types in the kernel do not fit together; also an error of Numba's."""


def typing_error(error: Exception) -> KernelTypingError:
    """Return Numba's complaint as ours, its own first sentences kept."""
    text = str(error).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if not line.startswith(("File ", "During", "This error"))]
    return NumbaTypingError(
        "The types in the kernel do not fit together.",
        " ".join(wanted[:6]),
        "check the dtypes of the arguments, and that a name keeps one type",
    )
