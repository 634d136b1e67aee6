"""The frame of a generated file: what it is, what it cites, and how the kernel is entered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.aicore.ascend_c_expressions import CPP, Array
from workbench.aicore.ascend_c_pages import BASE, PAGES

_CITED = re.compile(r"\[(\d{4})\]")


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


def entry_of(name: str, parameters: Sequence[Array], needs_work: bool) -> list[str]:
    """Return the opening of the kernel: its parameters as global tensors, and the pipe."""
    names = ", ".join(f"GM_ADDR {one.name}_gm" for one in parameters)
    lines = [f'extern "C" __global__ __aicore__ void {name}({names})', "{"]
    for one in parameters:
        cpp = CPP[one.dtype.name]
        lines.append(f"    AscendC::GlobalTensor<{cpp}> {one.name};")
        code = f"{one.name}.SetGlobalBuffer((__gm__ {cpp}*){one.name}_gm);"
        lines.append(f"    {code}  // [{PAGES['GlobalTensor']}]")
    lines.append(f"    AscendC::TPipe pipe;  // [{PAGES['TPipe']}]")
    if needs_work:
        buffer = "AscendC::TBuf<AscendC::TPosition::VECCALC> work_buf;"
        take = "AscendC::LocalTensor<float> work = work_buf.Get<float>();"
        lines += [
            f"    {buffer}  // [{PAGES['TBuf']}]",
            f"    pipe.InitBuffer(work_buf, 8192);  // of the reductions [{PAGES['TPipe']}]",
            f"    {take}  // [{PAGES['TBuf']}]",
        ]
    return lines
