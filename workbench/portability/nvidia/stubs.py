"""Makes the stand-in libraries for the CUDA provider, from what its own library asks for.

The list of functions is read from the provider's symbol table with ``nm``, and for cuDNN, which it
opens by name, from the names in its data, so that nothing here has to know a release. Each that is
not written in ``runtime.cpp``, ``blas.cpp`` or ``dnn.cpp`` is generated: it returns success, and
one that creates gives blank memory. They are loaded in a worker only, and never where the real
driver is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from workbench import cache
from workbench.errors import UnavailableError
from workbench.portability._compile import compiled

HERE = Path(__file__).parent
WRITTEN = {
    "libcudart": HERE / "runtime.cpp",
    "libcublas": HERE / "blas.cpp",
    "libcudnn": HERE / "dnn.cpp",
}
DRIVER, CUDNN = "libcuda.so.1", "libcudnn.so.9"
_NEEDED = re.compile(r"^lib(cudart|cublas|cublasLt|curand|cufft|cuda|nvrtc)\.so\.\d+$")


def provider_library(folder: Path) -> Path:
    """Return the CUDA provider's library in a build's environment."""
    found = sorted(folder.glob("lib/python*/site-packages/onnxruntime/capi/*providers_cuda.so"))
    if not found:
        raise UnavailableError(
            "The build has no CUDA provider.", str(folder), "`workbench providers add cuda`"
        )
    return found[0]


def asked_functions(library: Path) -> dict[str, list[str]]:
    """Return library name to the functions that the provider asks of it."""
    if not shutil.which("nm"):
        raise UnavailableError(
            "The provider's symbols cannot be read.", "there is no nm", "`apt install binutils`"
        )
    done = subprocess.run(
        ["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=True
    )
    needed = subprocess.run(
        ["readelf", "-d", str(library)], capture_output=True, text=True, check=True
    )
    names = re.findall(r"NEEDED.*\[(.*)\]", needed.stdout)
    asked: dict[str, list[str]] = {DRIVER: [], **{n: [] for n in names if _NEEDED.match(n)}}
    for line in done.stdout.splitlines():
        name, _, wanted = line.split()[-1].partition("@")
        if _NEEDED.match(wanted):
            asked.setdefault(wanted, []).append(name)
        elif not wanted and re.match(r"cu[A-Z]", name):
            asked[DRIVER].append(name)
    found = re.findall(rb"\0(cudnn[A-Z]\w+)(?=\0)", library.read_bytes())
    asked[CUDNN] = sorted({name.decode() for name in found})
    return asked


def _generated(function: str) -> str:
    """Return a function that succeeds; one that creates a handle gives blank memory."""
    if re.match(r"cudnn(Backend)?Create", function):
        pointer = "int, void** made" if "Backend" in function else "void** made"
        return f'extern "C" int {function}({pointer}) {{ *made = calloc(1, 4096); return 0; }}'
    return f'extern "C" int {function}() {{ return 0; }}'


def standin_libraries(library: Path) -> list[Path]:
    """Return the stand-ins, compiled, in the order in which they must be loaded."""
    made = []
    for name, functions in sorted(asked_functions(library).items()):
        written = next(
            (p for stem, p in WRITTEN.items() if name.partition(".")[0] in (stem, stem + "Lt")),
            None,
        )
        text = written.read_text() if written else ""
        have = set(re.findall(r"\b(\w+)\(", text))
        lines = [_generated(function) for function in functions if function not in have]
        folder = cache.folder("compiled", "nvidia-sources", holds="to keep what we compile")
        source, script = folder / f"{name}.cpp", folder / f"{name}.map"
        source.write_text(text + "\n" + "\n".join(lines) + "\n")
        script.write_text(f"{name} {{ global: *; }};\n")
        flags = ["-w", "-fno-builtin", f"-Wl,-soname,{name}"]
        if name != DRIVER:
            flags.append(f"-Wl,--version-script={script}")
        made.append(compiled(source, flags, name))
    return made
