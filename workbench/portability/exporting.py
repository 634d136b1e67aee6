"""From a PyTorch module to an ONNX model, with nothing quietly different from what was asked.

`export` drives PyTorch's own exporter (``torch.onnx.export(dynamo=True)``) and adds what it leaves
to chance: the opset that was asked for or an error; a dimension that was asked to be dynamic is
dynamic or an error; translations for operators that PyTorch has none for (see `translations`);
and, for every node, the source line that made it. It refuses to change the module it is given, and
to return a model that it has not checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ExecutionError, InputError
from workbench.portability._quiet import quiet
from workbench.portability.arguments import call_of, numbers_taken, sequence_of, tensors_of
from workbench.portability.bfloat16 import bfloat16_notes
from workbench.portability.sources import SourceLine, node_sources, user_frame

if TYPE_CHECKING:
    import onnx
    import torch

DEFAULT_OPSET = 20
"""What the exporter of torch 2.13 itself defaults to; the widest common ground of the providers."""

OPSETS = range(7, 28)
"""Opsets of the ``ai.onnx`` domain that onnx 1.23's converter can name."""


class ExportError(ExecutionError):
    """A module does not export, or not as it was asked to.

    Attributes
    ----------
    operator : str
        The PyTorch operator that has no translation, where that is the reason.
    """

    def __init__(self, happened: str, saw: str = "", advice: str = "", operator: str = ""):
        super().__init__(happened, saw, advice)
        self.operator = operator

    def __reduce__(self):
        return (type(self), (self.happened, self.saw, self.advice, self.operator))


@dataclass(frozen=True)
class Exported:
    """An exported model and where its nodes come from.

    Attributes
    ----------
    model : onnx.ModelProto
        Checked by onnx's own checker.
    module : torch.nn.Module
        What was exported.
    inputs : tuple
        The example inputs.
    opset : int
        Of the ``ai.onnx`` domain.
    sources : dict
        Node name to `SourceLine`, for the nodes whose origin the exporter recorded.
    notes : tuple of str
        What a reader must know: warnings of the exporter, one sentence each.
    captured : torch.export.ExportedProgram or None
        PyTorch's own graph, whose values carry the names that the ONNX values have.
    """

    model: onnx.ModelProto
    module: torch.nn.Module
    inputs: tuple[Any, ...]
    opset: int
    sources: dict[str, SourceLine] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    captured: Any = None

    def save(self, path: str | Path) -> Path:
        """Write the model to `path` and return the path.

        Raises
        ------
        InputError
            Where the file cannot be written.
        """
        path = Path(path)
        try:
            path.write_bytes(self.model.SerializeToString())
        except OSError as cause:
            raise InputError(
                f"The model cannot be written to {path}.",
                cause.strerror or str(cause),
                "a file in a folder that exists and that you may write to",
            ) from cause
        return path

    def feeds(self, inputs: Sequence[Any] | None = None) -> dict[str, Any]:
        """Return inputs (the example's by default) as NumPy arrays by the model's input names.

        Raises
        ------
        InputError
            Where they are no sequence, or hold another number of tensors than the model takes.
        """
        given = self.inputs if inputs is None else sequence_of(inputs)
        values = tensors_of(given, self.inputs, numbers_taken(self.captured))
        names = [value.name for value in self.model.graph.input]
        if len(names) != len(values):
            raise InputError(
                f"The model takes {len(names)} tensors ({', '.join(names)}).",
                f"{len(values)} in the inputs",
                "the arguments of forward() as they were exported",
            )
        return {n: _array(v) for n, v in zip(names, values, strict=True)}


def export(
    module: torch.nn.Module,
    inputs: Sequence[Any],
    *,
    opset: int = DEFAULT_OPSET,
    dynamic: Mapping[str, Any] | Sequence[Any] | None = None,
    custom: Mapping[Any, Callable | Sequence[Callable]] | None = None,
) -> Exported:
    """Export a module to ONNX.

    Parameters
    ----------
    module : torch.nn.Module
        Exported in eval mode; its own mode is put back, and that of each module in it.
    inputs : sequence
        Example inputs, in the order of ``forward``: tensors, lists and dicts of them, numbers and
        None, which become constants; a dict that comes last may be the keyword arguments. A
        dynamic dimension needs an example of at least 2: at 1 PyTorch specialises.
    opset : int
        The opset of the ``ai.onnx`` domain that the model must have.
    dynamic : mapping or sequence, optional
        ``{"x": {0: "batch"}}``, or anything that ``torch.export`` takes as dynamic shapes.
    custom : mapping, optional
        PyTorch operator (``torch.ops.demo.silu2.default``) to a function over ONNX operators
        (written with `onnxscript`), or to several. The other way, a node of a custom domain,
        needs no entry: call ``torch.onnx.ops.symbolic`` in the module.

    Raises
    ------
    InputError
        Where the opset, the inputs or the dynamic shapes cannot be meant.
    ExportError
        Where the module does not export, or not at this opset or with these dynamic dimensions.
    """
    inputs = exportable(module, inputs, opset)
    program, notes = _program(module, inputs, opset, dynamic, custom)
    model = _at_opset(_inlined(program.model_proto), opset)
    _check_dynamic(model, dynamic)
    sources, captured = node_sources(model), program.exported_program
    notes += bfloat16_notes(_checked(model))
    return Exported(model, module, inputs, opset, sources, notes, captured)


def exportable(module: Any, inputs: Any, opset: int = DEFAULT_OPSET) -> tuple[Any, ...]:
    """Return the inputs as a tuple where all is of the kind that exports.

    Raises
    ------
    InputError
        Where it is not.
    """
    import torch

    if opset not in OPSETS:
        raise InputError(
            "This opset cannot be exported to.", repr(opset), f"{OPSETS[0]} to {OPSETS[-1]}"
        )
    if not isinstance(module, torch.nn.Module):
        raise InputError("Only a torch.nn.Module exports.", repr(type(module)), "wrap it in one")
    return sequence_of(inputs)


def _program(
    module: torch.nn.Module, inputs: tuple[Any, ...], opset: int, dynamic: Any, custom: Any
) -> tuple[Any, tuple[str, ...]]:
    """Return what PyTorch's exporter made, and the notes; the module is left as it was."""
    import torch

    from workbench.portability.rewrites import Rewrites
    from workbench.portability.translations import translation_table

    positional, keywords = call_of(module, inputs)
    was_training = [(part, part.training) for part in module.modules()]
    try:
        with quiet() as notes, Rewrites() as rewrites:
            program = torch.onnx.export(
                module.eval(),
                (*positional, keywords),  # PyTorch takes a dict that comes last for the keywords
                dynamo=True,
                verbose=False,
                opset_version=max(opset, 18),
                dynamic_shapes=dynamic,
                custom_translation_table={**translation_table(), **dict(custom or {})},
            )
    except Exception as cause:
        raise _explained(cause) from cause
    finally:
        for part, training in was_training:  # train() would set the parts to the whole's mode
            part.training = training
    notes += [f"{name} was rewritten so that it exports" for name in rewrites.used]
    return program, tuple(dict.fromkeys(notes))


def _check_dynamic(model: onnx.ModelProto, dynamic: Any) -> None:
    if not isinstance(dynamic, Mapping):
        return
    shapes = {v.name: v.type.tensor_type.shape.dim for v in model.graph.input}
    for name, dims in dynamic.items():
        for axis in dims if isinstance(dims, Mapping) else ():
            if name in shapes and shapes[name][axis].HasField("dim_value"):
                raise ExportError(
                    f"Dimension {axis} of {name!r} was asked to be dynamic and is not.",
                    f"it is fixed at {shapes[name][axis].dim_value} in the exported graph",
                    "give an example of at least 2 in that dimension; look in forward() for an "
                    "int(), a shape written out, or an if on the size",
                )


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its own functions inlined: some providers take nodes only."""
    if not model.functions:
        return model
    from onnx import inliner

    return inliner.inline_local_functions(model)


def _at_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """Return the model at `opset`, converting where the exporter has no implementation for it."""
    from onnx import version_converter

    found = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if found == opset:
        return model
    try:
        with quiet():
            return version_converter.convert_version(model, opset)
    except Exception as cause:
        raise ExportError(
            f"The model was asked for at opset {opset} and exists only at {found}.",
            f"the exporter writes opset 18 or later, and the conversion failed: {cause}",
            f"export at opset {found}, or take out the operator that the converter names",
        ) from cause


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as cause:
        raise ExportError(
            "The exporter wrote a model that ONNX's own checker refuses.",
            str(cause).strip(),
            "report it to PyTorch with the module; try another opset meanwhile",
        ) from cause
    return model


def _explained(cause: Exception) -> ExportError:
    """Return the exporter's exception as one of ours, with the way round where we know it."""
    from workbench.portability.advice import advice_for

    deepest: BaseException = cause
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    text = f"{cause}\n{deepest}"
    match = re.search(r"target=torch\.ops\.([\w.]+)|No (?:ONNX|decompositions).*?'([\w:.]+)'", text)
    operator = (match.group(1) or match.group(2)) if match else ""
    lines = str(deepest).strip().splitlines() or [type(deepest).__name__]
    frame = user_frame(text)
    saw = lines[0] + (f" ({frame})" if frame else "")
    what = (
        f"The operator {operator} does not export." if operator else "The module does not export."
    )
    return ExportError(what, saw, advice_for(text, operator), operator)


def _array(tensor: Any) -> Any:
    import torch

    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
