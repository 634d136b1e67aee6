"""What the compiler made of a kernel, by source line."""

from __future__ import annotations

import html
import linecache
import pickle
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from workbench.errors import InputError, UnavailableError, WorkerError
from workbench.hardware import data_sheet
from workbench.simt.errors import KernelTypingError
from workbench.simt.host.arguments import prepare
from workbench.simt.kernel import Kernel, Launch
from workbench.simt.ptx.portable import portable

TIMEOUT_S = 120
_USED = {
    "registers": re.compile(r"Used (\d+) registers"),
    "shared_bytes": re.compile(r"(\d+) bytes smem"),
    "stack_bytes": re.compile(r"(\d+) bytes stack frame"),
    "spill_store_bytes": re.compile(r"(\d+) bytes spill stores"),
    "spill_load_bytes": re.compile(r"(\d+) bytes spill loads"),
}


@dataclass(frozen=True)
class MachineCode:
    """A compiled kernel.

    Attributes
    ----------
    kernel, path, architecture : str
    registers : int
        For each thread.
    shared_bytes : int
        Static shared memory of a block.
    stack_bytes, spill_store_bytes, spill_load_bytes : int
        For each thread; spills are registers that had to go to memory.
    ptx_by_line, sass_by_line : dict of int to tuple of str
        Instructions, by the Python line they come from; line 0 has what belongs to none.
    ptx, sass : str
        The whole listings.
    """

    kernel: str
    path: str
    architecture: str
    registers: int
    shared_bytes: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int
    ptx_by_line: dict[int, tuple[str, ...]]
    sass_by_line: dict[int, tuple[str, ...]]
    ptx: str
    sass: str

    def _summary(self) -> str:
        return (
            f"{self.kernel} for {self.architecture}: {self.registers} registers a thread, "
            f"{self.shared_bytes} bytes of shared memory, {self.spill_store_bytes} bytes of "
            f"spill stores and {self.spill_load_bytes} of spill loads"
        )

    def __str__(self) -> str:
        parts = [self._summary()]
        for line in sorted(set(self.sass_by_line) - {0}):
            parts.append(f"{line:5}  {linecache.getline(self.path, line).strip()}")
            parts += [f"           {one}" for one in self.sass_by_line[line]]
        return "\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{line}</td><td style='text-align:left'><pre>"
            f"{html.escape(linecache.getline(self.path, line).rstrip())}</pre></td>"
            f"<td style='text-align:left'><pre>{_lines(self.ptx_by_line, line)}</pre></td>"
            f"<td style='text-align:left'><pre>{_lines(self.sass_by_line, line)}</pre></td></tr>"
            for line in sorted(({*self.ptx_by_line, *self.sass_by_line}) - {0})
        )
        head = "<tr><th>line</th><th>Python</th><th>PTX</th><th>SASS</th></tr>"
        return f"<p>{html.escape(self._summary())}</p><table>{head}{rows}</table>"


def machine_code(kernel: Kernel | Launch, *arguments: Any, gpu: str = "nvidia_h100") -> MachineCode:
    """Compile a kernel for a GPU that need not be here.

    Parameters
    ----------
    kernel : Kernel or Launch
        The kernel, configured or not.
    *arguments
        As for a launch; only their types matter.
    gpu : str
        A data sheet with an ``sm_`` architecture.

    Raises
    ------
    UnavailableError
        Without the ``ptx`` extra.
    KernelTypingError
        Where Nvidia's compiler refuses the kernel.
    InputError
        Where the data sheet is no GPU of Nvidia's.
    """
    import numba

    kernel = kernel.kernel if isinstance(kernel, Launch) else kernel
    architecture = data_sheet(gpu).architecture
    if not architecture.startswith("sm_"):
        raise InputError(
            f"{gpu} is no GPU of Nvidia's.", f"its architecture is {architecture!r}", "nvidia_h100"
        )
    given = prepare(kernel.resolved, arguments)
    request = {
        "functions": portable(kernel.py_func),
        "types": tuple(numba.typeof(one) for one in given),
        "architecture": architecture,
    }
    reply = _ask(request)
    if "error" in reply:
        _refuse(kernel, *reply["error"])
    path = kernel.resolved.source.file_name
    used = {name: _first(pattern, reply["said"]) for name, pattern in _USED.items()}
    return MachineCode(
        kernel=kernel.__name__,
        path=path,
        architecture=architecture,
        ptx_by_line=ptx_lines(reply["ptx"], path),
        sass_by_line=sass_lines(reply["sass"], path),
        ptx=reply["ptx"],
        sass=reply["sass"],
        **used,
    )


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "workbench.simt.ptx.worker"]
    try:
        done = subprocess.run(
            command, input=pickle.dumps(request), capture_output=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise WorkerError(
            "Nvidia's compiler does not answer.", f"{TIMEOUT_S} s", "try a smaller kernel"
        ) from error
    if done.returncode:
        raise WorkerError(
            "The process that holds Nvidia's compiler has died.",
            done.stderr.decode(errors="replace")[-800:],
            "run `python -m workbench.simt.ptx.worker` by hand to see why",
        )
    return pickle.loads(done.stdout)


def _refuse(kernel: Kernel, kind: str, text: str) -> None:
    if kind == "missing":
        raise UnavailableError(
            "Real PTX, registers and SASS need Nvidia's compiler.",
            text,
            "pip install 'accelerator-workbench[ptx]' (about 600 MB, no GPU needed)",
        )
    raise KernelTypingError(
        f"Nvidia's compiler refuses {kernel.__name__}.", text, "see the line that it names"
    )


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


_LOC = re.compile(r"\s*\.loc\s+(\d+)\s+(\d+)")
_FILE = re.compile(r'\s*\.file\s+(\d+)\s+"([^"]*)"')
_SASS_LINE = re.compile(r'\s*//## File "([^"]*)", line (\d+)')
_SASS_CODE = re.compile(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?)\s*;")
_PTX_CODE = re.compile(r"\s+(@?!?[%a-z][^/{}]*;)")


def ptx_lines(ptx: str, path: str) -> dict[int, tuple[str, ...]]:
    """Return the instructions of a PTX listing by the line of `path` they come from."""
    files = {number: name for number, name in _FILE.findall(ptx)}
    found: dict[int, list[str]] = {}
    line = 0
    for text in ptx.splitlines():
        place = _LOC.match(text)
        if place:
            line = int(place[2]) if files.get(place[1]) == path else 0
            continue
        code = _PTX_CODE.match(text)
        if code and not code[1].startswith("."):
            found.setdefault(line, []).append(" ".join(code[1].split()))
    return {key: tuple(value) for key, value in found.items()}


def sass_lines(sass: str, path: str) -> dict[int, tuple[str, ...]]:
    """Return the instructions of ``nvdisasm -g`` by the line of `path` they come from."""
    found: dict[int, list[str]] = {}
    line = 0
    for text in sass.splitlines():
        place = _SASS_LINE.match(text)
        if place:
            line = int(place[2]) if place[1] == path else 0
            continue
        code = _SASS_CODE.match(text)
        if code:
            found.setdefault(line, []).append(" ".join(code[1].split()))
    return {key: tuple(value) for key, value in found.items()}


def _lines(by_line: dict[int, tuple[str, ...]], line: int) -> str:
    return html.escape("\n".join(by_line.get(line, ())))
