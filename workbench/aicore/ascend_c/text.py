"""The lines of a generated file, its head with what it cites, and how the kernel is entered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from workbench.aicore.ascend_c.expressions import Expressions
from workbench.aicore.ascend_c.pages import BASE, PAGES
from workbench.aicore.ascend_c.values import CPP, Array, Number

_CITED = re.compile(r"\[(\d{4})\]")
WORK_BYTES = 8192  # of UB, for the reductions of one data type


# words of C++ that a Python name may be
_KEYWORDS = "auto bool case char const default delete do double enum extern float goto int long new"
_KEYWORDS = set(f"{_KEYWORDS} operator short signed sizeof static switch this union void".split())
# what stands inside other lines, and the page that describes it
_IMPLIED = (
    ("GetBlockIdx", "GetBlockIdx"),
    ("GetBlockNum", "GetBlockNum"),
    ("GetSubBlockIdx", "GetSubBlockIdx"),
)


class Lines:
    """The body of the kernel as it grows.

    Parameters
    ----------
    mixed : bool
        Whether what belongs to one unit is put under ``if ASCEND_IS_AIC`` or ``AIV``; what both
        need to see is then declared before (`hoisted`).
    """

    def __init__(self, mixed: bool):
        self.mixed, self.lines, self.hoisted, self.depth = mixed, [], [], 1
        self.units: set[str] = set()
        self.names: set[str] = {"pipe", "work", "work_half", "my_block", *_KEYWORDS}
        self.scopes: list[set[str]] = [set()]
        self.branches, self.guard = 0, ""

    def emit(self, code: str, call: str = "", unit: str = "") -> None:
        """Add a line that cites the page of a call and belongs to a unit."""
        self.units |= {unit} - {""}
        if self.mixed and unit != self.guard:
            self.close()
            if unit:
                self._add(f"if ASCEND_IS_{unit} {{")
                self.depth, self.guard = self.depth + 1, unit
        call = call if call in PAGES else call.title()
        calls = [call] if call in PAGES else [name for sign, name in _IMPLIED if sign in code]
        self._add(code + ("  // " + "".join(f"[{PAGES[one]}]" for one in calls) if calls else ""))

    def close(self) -> None:
        """End what belongs to one unit only."""
        if self.guard:
            self.depth, self.guard = self.depth - 1, ""
            self._add("}")

    def _add(self, code: str) -> None:
        self.lines.append("    " * self.depth + code)

    @contextmanager
    def inside(self, head: str, branch: bool) -> Iterator[None]:
        """Add a head and what stands inside of it; the caller adds the closing brace."""
        self.emit(head)
        self.depth += 1
        self.branches += branch
        self.scopes.append(set())
        yield
        self.close()
        self.scopes.pop()
        self.branches -= branch
        self.depth -= 1

    def fresh(self, name: str) -> str:
        """Return a C++ name that nothing has yet."""
        wanted, number = name, 1
        while wanted in self.names:
            number += 1
            wanted = f"{name}_{number}"
        self.names.add(wanted)
        return wanted

    def known(self, name: str) -> bool:
        """Return whether a C++ name is declared where the next line stands."""
        return any(name in scope for scope in self.scopes)

    def declare(self, kind: str, name: str) -> str:
        """Return what makes the next line declare a name; nothing where it is declared before."""
        if self.mixed or self.branches:
            self.hoisted.append(f"    {kind} {name};")
            self.scopes[0].add(name)
            return ""
        self.scopes[-1].add(name)
        return f"{kind} "

    def number(self, at: Expressions, name: str, found: Number) -> Number:
        """Add the assignment of a number and return the variable."""
        constant = found.value is not None and at.assigned[name] == 1
        variable = at.variables.get(name) or self.fresh(name)
        at.variables[name] = variable
        declared = f"const {found.kind} " if constant else f"{found.kind} "
        self.emit(f"{'' if self.known(variable) else declared}{variable} = {found.code};")
        self.scopes[-1].add(variable)
        return Number(variable, found.value if constant else None, found.kind)


def with_head(lines: Sequence[str]) -> list[str]:
    """Return the lines behind a comment that says what they are and lists the pages cited."""
    cited = {page for line in lines for page in _CITED.findall(line.rpartition("//")[2])}
    calls = ", ".join(f"{call} [{page}]" for call, page in PAGES.items() if page in cited)
    return [
        "// GENERATED for reading, from a Python kernel of the Accelerator Workbench.",
        "// Not compiled and not run here. Shapes are those of the arguments it was made for.",
        f"// [NNNN] after a call cites its public page, {BASE}NNNN.html",
        f"// Cited: {calls}",
        '#include "kernel_operator.h"',
        "",
        "__aicore__ inline int32_t MinOf(int32_t a, int32_t b) { return a < b ? a : b; }",
        "__aicore__ inline int32_t MaxOf(int32_t a, int32_t b) { return a > b ? a : b; }",
        "",
        *lines,
    ]


def entry_of(
    name: str, parameters: Sequence[Array], works: Mapping[str, str], mixed: bool, vector_cores: int
) -> list[str]:
    """Return the opening of the kernel: its type, parameters as global tensors, and the pipe."""
    names = ", ".join(f"GM_ADDR {one.name}_gm" for one in parameters)
    lines = [f'extern "C" __global__ __aicore__ void {name}({names})', "{"]
    if mixed:
        kind = f"KERNEL_TYPE_MIX_AIC_1_{vector_cores}"
        lines.append(f"    KERNEL_TASK_TYPE_DEFAULT({kind});  // [{PAGES['KernelType']}]")
    for one in parameters:
        cpp = CPP[one.dtype.name]
        lines.append(f"    AscendC::GlobalTensor<{cpp}> {one.name};")
        code = f"{one.name}.SetGlobalBuffer((__gm__ {cpp}*){one.name}_gm);"
        lines.append(f"    {code}  // [{PAGES['GlobalTensor']}]")
    lines.append(f"    AscendC::TPipe pipe;  // [{PAGES['TPipe']}]")
    if vector_cores > 1:
        block = "int32_t my_block = static_cast<int32_t>(AscendC::GetBlockIdx());"
        lines.append(f"    {block}  // [{PAGES['GetBlockIdx']}]")
        lines.append(f"    if ASCEND_IS_AIV {{ my_block /= {vector_cores}; }}")
    for dtype, work in works.items():
        begin, end = ("if ASCEND_IS_AIV { ", " }") if mixed else ("", "")
        lines += [
            f"    AscendC::TBuf<AscendC::TPosition::VECCALC> {work}_buf;  // [{PAGES['TBuf']}]",
            f"    AscendC::LocalTensor<{CPP[dtype]}> {work};  // scratch of the reductions",
            f"    {begin}pipe.InitBuffer({work}_buf, {WORK_BYTES});{end}  // [{PAGES['TPipe']}]",
            f"    {begin}{work} = {work}_buf.Get<{CPP[dtype]}>();{end}  // [{PAGES['TBuf']}]",
        ]
    return lines
