"""Which line of a learner's program made which ONNX node.

PyTorch's exporter writes the call stack of every node into the node's metadata; a learner wants
the innermost line that is theirs. This module reads that, and refuses to guess where it is not
there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_FOUND = find_spec("torch")
_TORCH = str(Path(_FOUND.origin).parent) if _FOUND and _FOUND.origin else "torch"
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


@dataclass(frozen=True)
class SourceLine:
    """The line of a learner's program that made a node.

    Attributes
    ----------
    file : str
    line : int
        Counted from 1.
    function : str
    text : str
        The line itself, where the exporter kept it.
    """

    file: str
    line: int
    function: str
    text: str = ""

    def __str__(self) -> str:
        shown = f"{Path(self.file).name}:{self.line} in {self.function}"
        return f"{shown}: {self.text}" if self.text else shown


def node_sources(model: onnx.ModelProto) -> dict[str, SourceLine]:
    """Return the source line of each node from the exporter's metadata, innermost user frame."""
    found = {}
    for node in model.graph.node:
        trace = next(
            (m.value for m in node.metadata_props if m.key == "pkg.torch.onnx.stack_trace"), ""
        )
        line = user_frame(trace)
        if line is not None:
            found[node.name] = line
    return found


def user_frame(trace: str) -> SourceLine | None:
    """Return the innermost frame of a stack trace that is not PyTorch's own."""
    lines = trace.splitlines()
    best = None
    for index, text in enumerate(lines):
        match = _FRAME.search(text)
        if match and not match.group(1).startswith(_TORCH):
            code = lines[index + 1].strip() if index + 1 < len(lines) else ""
            best = SourceLine(match.group(1), int(match.group(2)), match.group(3), code)
    return best
