"""Says at export where bfloat16 stops ONNX Runtime's CPU, and not only when a session refuses.

Which operators the CPU has for a type is the runtime's own knowledge, so the runtime is asked. It
refuses to turn the answer into an error: a provider of a GPU may take the same model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.portability._quiet import quiet
from workbench.portability.advice import advice_for
from workbench.portability.session import CPU, SessionError, open_session

if TYPE_CHECKING:
    import onnx


def bfloat16_notes(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return a note where a model computes in bfloat16 and the CPU refuses it."""
    import onnx

    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    types = {value.type.tensor_type.elem_type for value in values}
    types |= {tensor.data_type for tensor in model.graph.initializer}
    if onnx.TensorProto.BFLOAT16 not in types:
        return ()
    try:
        with quiet():
            open_session(model)
    except SessionError as refused:
        found = re.search(r"implementation for (\w+)", refused.saw)
        where = f"has no {found.group(1)} for it" if found else f"refuses it: {refused.saw}"
        return (f"bfloat16: {CPU} {where}; {advice_for('bfloat16')}",)
    return ()
