"""Device functions as functions of the generated module; recursion watches the stack."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import re

from workbench.simt.codegen.context import CONTEXT
from workbench.simt.codegen.declared import (
    declared_arrays,
    make_array,
    maker,
)
from workbench.simt.codegen.emit import Mode, Writer
from workbench.simt.codegen.names import Names
from workbench.simt.codegen.translate import Translator
from workbench.simt.frontend.normalise import normalise
from workbench.simt.frontend.resolved import Resolved

START_FUEL = 1 << 16


RECURSION_BYTES = 2 << 20
"""Stack that device functions calling themselves may use (a thread has 8 MiB)."""


class DeviceFunctions:
    """Writes every device function reached, once."""

    def __init__(self, names: Names, mode: Mode, block: tuple):
        self.names, self.mode, self.block = names, mode, block
        self.known: dict[int, str] = {}
        self.texts: list[str] = []
        self.open: list[int] = []
        self.recursive: set[int] = set()

    def name_of(self, resolved: Resolved) -> str:
        """Return the generated name, writing the function at first use."""
        key = id(resolved)
        if key in self.open:
            self.recursive.update(self.open[self.open.index(key) :])
        if key not in self.known:
            self.known[key] = f"device_{resolved.name}_{len(self.known)}"
            self.texts.append(self._write(resolved, self.known[key]))
        return self.known[key]

    def mentions(self, name: str) -> bool:
        """Return whether a device function uses a name."""
        return any(re.search(rf"\b{re.escape(name)}\b", text) for text in self.texts)

    def _write(self, resolved: Resolved, name: str) -> str:
        self.open.append(id(resolved))
        text = self._written(resolved, name)
        self.open.pop()
        return text

    def _written(self, resolved: Resolved, name: str) -> str:
        normal = normalise(resolved)
        arrays = declared_arrays(normal, self.names)
        kinds = {one.name: one.array_type for one in arrays if one.kind != "const"}
        writer = Translator(normal, self.names, self.mode, self.block, kinds, self.name_of)
        writer.shapes = {one.name: one.shape for one in arrays if one.kind != "const"}
        writer.private = {one.name for one in arrays if one.kind == "local"}
        writer.begin_region(normal.body, fast=False)
        out = writer.out
        out(*(maker(one, of=name) for one in arrays if one.kind != "const" and one.nbytes))
        out(f"@njit(error_model={self.mode.error_model!r})")
        with out.block(f"def {name}({', '.join((*normal.parameters, *CONTEXT))}):"):
            out(f"_fuel = {START_FUEL}")
            for one in arrays:
                out(f"{one.name} = {make_array(one, of=name)}")
            start = len(out.lines)
            writer.write(normal.body)
            if id(resolved) in self.recursive:
                body, out.lines[start:] = out.lines[start:], []
                self._guard(out, resolved.source.first_line)
                out.lines += body
        return out.text()

    def _guard(self, out: Writer, line: int) -> None:
        """Recursion without end would kill the process: watch the stack, and poll."""
        with out.block(f"if _ctrl[10] - stack_address() > {RECURSION_BYTES}:"):
            out(f"fault(4, {line}, _t, 0, _blk, _ctrl)", "raise Stopped")
        out("_ctrl[11] -= 1")
        with out.block("if _ctrl[11] < 0:"):
            out("_ctrl[11] = refill(_ctrl)")
            with out.block("if _ctrl[11] < 0:"):
                out(f"fault(5, {line}, _t, 0, _blk, _ctrl)", "raise Stopped")
