"""Whole graphs for the simulated Ascend device: what the provider's graph mode compiles and runs.

In graph mode the provider hands an ONNX graph with fixed input shapes to the graph engine. Here
that graph is resolved once, to kernels in order, and run many times. An operator that nobody has a
kernel for fails the compile with its name: the provider claims whole graphs without asking.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from workbench.errors import ExecutionError
from workbench.portability.kernel_calls import call_kernel, require_shape
from workbench.portability.provider.graph import DTYPES, Node, Value
from workbench.portability.provider.table import KERNELS as NODE_KERNELS


class CompileError(ExecutionError):
    """The graph engine cannot compile a graph that the provider claimed."""


# ONNX operator -> the device's operator, and how ONNX's attributes are said there
ON_DEVICE: dict[str, tuple[str, Callable[[dict], dict]]] = {
    "MatMul": ("MatMul", lambda a: {}),
    "Conv": (
        "Conv2D",
        lambda a: {
            **a,
            "strides": [1, 1, *a.get("strides", [1, 1])],
            "dilations": [1, 1, *a.get("dilations", [1, 1])],
        },
    ),
    "Softmax": ("Softmax", lambda a: {"axis": a.get("axis", -1)}),
    "Gemm": (
        "GEMM",
        lambda a: {"transpose_a": a.get("transA", 0), "transpose_b": a.get("transB", 0), **a},
    ),
}


class Program:
    """A compiled graph.

    Parameters
    ----------
    onnx_bytes : bytes
    shapes : str
        ``name:1,3;other:2``: the inputs in order, as the provider says them.
    kernels : mapping
        The device's kernels by name, asked at each run so that a learner may change one.
    count : callable
        Called with the operator's name each time a kernel runs.
    """

    def __init__(
        self,
        onnx_bytes: bytes,
        shapes: str,
        kernels: Mapping[str, Callable[..., Any]],
        count: Callable[[str], None],
    ):
        import onnx

        self.kernels, self.count = kernels, count
        model = onnx.load_model_from_string(onnx_bytes)
        constants = {constant.name for constant in model.graph.initializer}
        inputs = [value.name for value in model.graph.input if value.name not in constants]
        sizes = _parse_shapes(shapes, inputs)
        self.input_names = list(sizes)
        values = inferred_values(model, sizes)
        self.constants = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
        version = {entry.domain: entry.version for entry in model.opset_import}
        self.nodes = [
            node_record(node, values, version.get(node.domain, 1)) for node in model.graph.node
        ]
        for node in self.nodes:
            self._require(node)
        self.output_names = [value.name for value in model.graph.output]
        self.inputs = [
            (_dtype_of(values[name]).str, list(sizes[name])) for name in self.input_names
        ]
        self.outputs = self._output_shapes(values)

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Run the nodes in order and return the outputs."""
        seen = {**self.constants, **dict(zip(self.input_names, arrays, strict=True))}
        for node in self.nodes:
            given = [seen[value.name] if value else None for value in node.inputs]
            name = ON_DEVICE.get(node.operator, (node.operator,))[0]
            results = call_kernel(name, self._kernel(node), *given)
            self.count(node.operator)
            for value, result in zip(node.outputs, results, strict=False):
                if value:
                    if value.dtype is not None and value.shape != (-1,):  # (-1,): rank not known
                        require_shape(name, result, value.shape)
                    seen[value.name] = np.asarray(result, value.dtype)
        return [seen[name] for name in self.output_names]

    def _kernel(self, node: Node) -> Callable[..., Any]:
        name, said = ON_DEVICE.get(node.operator, (node.operator, None))
        if said is not None and name in self.kernels:
            attributes = said(node.attributes)
            if node.operator == "Gemm":
                factors = (node.get("alpha", 1.0), node.get("beta", 1.0))
                return lambda a, b, c=None: self.kernels[name](attributes, a, b, c, *factors)
            return lambda *inputs: self.kernels[name](attributes, *inputs)
        return lambda *inputs: NODE_KERNELS[node.operator].function(node, *inputs)

    def _require(self, node: Node) -> None:
        name = ON_DEVICE.get(node.operator, (node.operator,))[0]
        if node.operator not in NODE_KERNELS and name not in self.kernels:
            raise CompileError(
                f"The graph engine has no operator {node.operator}.",
                f"node {node.name!r}; in its default mode the provider claims the whole graph "
                "without checking its operators",
                "enable_cann_subgraph=1 leaves such nodes to the CPU",
            )

    def _output_shapes(self, values: Mapping[str, Value]) -> list[tuple[str, list[int]]]:
        known = [values.get(name) for name in self.output_names]
        if all(
            value and value.dtype is not None and min((*value.shape, 0)) == 0 for value in known
        ):
            return [(v.dtype.str, list(v.shape)) for v in known if v and v.dtype is not None]
        # shapes that only a run can tell: run once on zeros, as a compiler's constant folder would
        count, self.count = self.count, lambda operator: None
        results = self.run([np.zeros(shape, dtype) for dtype, shape in self.inputs])
        self.count = count
        return [(result.dtype.str, list(result.shape)) for result in results]


def _parse_shapes(text: str, names: list[str]) -> dict[str, tuple[int, ...]]:
    """Return the size of each input; a scalar is its name alone, and names may hold ; and :."""
    shapes, left = {}, text
    for name in names:
        found = re.match(r"(?::(\d+(?:,\d+)*))?(?:;|$)", left[len(name) :])
        if not left.startswith(name) or found is None:
            raise CompileError(
                "The provider's input shapes do not fit its graph.", f"{text!r} for {names}"
            )
        shapes[name] = tuple(int(size) for size in (found.group(1) or "").split(",") if size)
        left = left[len(name) + found.end() :]
    return shapes


def _dtype_of(value: Value) -> np.dtype:
    if value.dtype is None:
        raise CompileError(
            "The graph engine here takes tensors of NumPy's types only.", f"input {value.name!r}"
        )
    return value.dtype


def inferred_values(model: Any, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, Value]:
    """Return what is known of each value once the inputs have these sizes; changes the model."""
    import onnx

    for value in model.graph.input:
        if value.name in sizes:
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            for size in sizes[value.name]:
                dims.dim.add().dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    found = {}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
        if not tensor.HasField("shape"):
            shape = (-1,)
        found[value.name] = Value(value.name, DTYPES.get(tensor.elem_type), shape, False)
    for constant in model.graph.initializer:
        dtype = DTYPES.get(constant.data_type)
        found[constant.name] = Value(constant.name, dtype, tuple(constant.dims), True)
    return found


def node_record(node: Any, values: Mapping[str, Value], version: int) -> Node:
    """Return an ONNX node as the record that kernels are written over."""
    import onnx

    def value(name: str) -> Value | None:
        return values.get(name, Value(name, None, (), False)) if name else None

    attributes = {}
    for attribute in node.attribute:
        found = onnx.helper.get_attribute_value(attribute)
        if isinstance(found, bytes):
            found = found.decode("utf-8", "replace")
        if isinstance(found, onnx.TensorProto):
            found = onnx.numpy_helper.to_array(found)
        attributes[attribute.name] = found
    return Node(
        node.name,
        node.op_type,
        node.domain,
        version,
        tuple(value(name) for name in node.input),
        tuple(value(name) for name in node.output),
        attributes,
    )
