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
from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from workbench.simt.emit import Writer
from workbench.simt.errors import KernelTypingError
from workbench.simt.normalise import Sync
from workbench.simt.translate import CONTEXT, Translator

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

    def poll(self, cost: str = "1") -> None:
        pass


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
            ir = compiler.run_frontend(function)
            found = typed_passes.type_inference_stage(
                typing_context, target_context, ir, signature, None
            )
    except NumbaError as error:
        raise typing_error(error) from error
    typemap = found.typemap if hasattr(found, "typemap") else found[0]
    return {
        name: types.unliteral(kind) for name, kind in typemap.items() if not name.startswith("$")
    }


def typing_error(error: Exception) -> KernelTypingError:
    """Return Numba's complaint as ours, its own first sentences kept."""
    text = str(error).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if not line.startswith(("File ", "During", "This error"))]
    return KernelTypingError(
        "The types in the kernel do not fit together.",
        " ".join(wanted[:6]),
        "check the dtypes of the arguments, and that a name keeps one type",
    )
