"""The child process that holds the real ``numba.cuda``: a pickled request in, a pickled answer out.

Run as ``python -m workbench.simt.ptx.worker``. Whatever goes wrong is answered as
``{"error": (kind, text)}``; it refuses to print to the pipe it answers on.
"""

# pyright: reportPrivateImportUsage=false, reportMissingImports=false
# numba-cuda is an optional extra, and its names are not declared public.
from __future__ import annotations

import ast
import contextlib
import importlib
import io
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def _tool(name: str) -> str:
    """Return the path of one of Nvidia's tools, from its package or the search path."""
    for folder in map(Path, sys.path):
        for found in sorted(folder.glob(f"nvidia/cu*/bin/{name}")):
            return str(found)
        packaged = folder / "nvidia" / name.replace("ptxas", "cuda_nvcc") / "bin" / name
        if packaged.is_file():
            return str(packaged)
    on_path = shutil.which(name)
    if on_path is None:
        raise FileNotFoundError(name)
    return on_path


def _build(functions: list[Any], cuda: Any) -> Any:
    """Return the Python function of the kernel, the last one, with the real names in it."""
    built: list[Any] = []
    for place, one in enumerate(functions):
        space = {name: _value(meaning, built, cuda) for name, meaning in one.names.items()}
        tree = ast.parse(one.text)
        tree.body = [_definition(tree, one.name)]
        ast.increment_lineno(tree, one.first_line - 1)
        exec(compile(tree, one.file_name, "exec"), space)
        function = space[one.name]
        last = place == len(functions) - 1
        built.append(function if last else cuda.jit(function, device=True, lineinfo=True))
    return built[-1]


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            node.decorator_list, node.returns = [], None
            return node
    raise LookupError(f"no function called {name}")


def _value(meaning: tuple[str, Any], built: list[Any], cuda: Any) -> Any:
    kind, what = meaning
    if kind == "module":
        return importlib.import_module(what)
    if kind == "function":
        return built[what]
    if kind == "value":
        return pickle.loads(what)
    value = cuda
    for part in filter(None, what.split(".")):
        value = getattr(value, part)
    return value


def _target(capability: tuple[int, int]) -> None:
    """Let device functions be compiled for the wanted GPU.

    `numba.cuda` asks the GPU in the machine for its capability there, even when it only compiles.
    """
    from numba.cuda import dispatcher

    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)


def _assemble(ptx: str, architecture: str) -> tuple[str, str]:
    """Return what ``ptxas -v`` says, and the disassembly with lines."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx)
        said = subprocess.run(
            [_tool("ptxas"), "-v", "-lineinfo", f"-arch={architecture}", str(source), "-o",
             str(binary)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        sass = subprocess.run(
            [_tool("nvdisasm"), "-g", "-c", str(binary)], capture_output=True, text=True, check=True
        )
    return said.stderr + said.stdout, sass.stdout


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Compile what was asked for."""
    try:
        import numba_cuda  # noqa: F401 - says plainly whether the extra is installed
        from numba import cuda
    except ImportError as error:
        return {"error": ("missing", f"{error}")}
    try:
        from numba import void

        capability = divmod(int(request["architecture"].removeprefix("sm_")), 10)
        _target(capability)
        kernel = _build(request["functions"], cuda)
        signature = void(*request["types"])
        ptx, _ = cuda.compile_ptx(kernel, signature, cc=capability, lineinfo=True)
        said, sass = _assemble(ptx, request["architecture"])
    except FileNotFoundError as error:
        return {"error": ("missing", f"{error.args[0]} is not installed")}
    except subprocess.CalledProcessError as error:
        return {"error": ("refused", error.stderr.strip())}
    except Exception as error:  # answered, and raised again by the parent
        return {"error": ("refused", f"{type(error).__name__}: {error}")}
    return {"ptx": ptx, "said": said, "sass": sass}


def main() -> None:
    """Answer the request on standard input."""
    request = pickle.load(sys.stdin.buffer)
    with contextlib.redirect_stdout(io.StringIO()):
        reply = answer(request)
    pickle.dump(reply, sys.stdout.buffer)


if __name__ == "__main__":
    main()
