"""Softmax and log-softmax, forward and backward: four rows.

The largest element is subtracted first, so that nothing overflows. It refuses integers: they fall
back, as does nothing else.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

from __future__ import annotations

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out

_TOP = """
top = T(-np.inf)
for i in range(n):
    x = X[i]
    top = x if (x > top or x != x) else top
total = T(0)
"""
BODIES = {
    "_softmax": _TOP
    + """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = exp(X[i] - top)
for i in range(n):
    total += buffer[i]
for i in range(n):
    O[i] = buffer[i] / total
""",
    "_softmax_outer": _TOP
    + """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = exp(X[i] - top)
    total += buffer[i]
for i in range(n):
    O[i] = R(buffer[i]) / total
""",
    "_log_softmax": _TOP
    + """
for i in range(n):
    total += exp(X[i] - top)
shift = R(log(R(total)))
for i in range(n):
    O[i] = X[i] - top - shift
""",
    "_log_softmax_outer": _TOP
    + """
for i in range(n):
    total += exp(X[i] - top)
shift = top + log(total)
for i in range(n):
    O[i] = X[i] - shift
""",
    "_softmax_backward_data": """
total = T(0)
for i in range(n):
    total += X[i] * Y[i]
for i in range(n):
    O[i] = (X[i] - total) * Y[i]
""",
    "_log_softmax_backward_data": """
total = T(0)
for i in range(n):
    total += X[i]
for i in range(n):
    O[i] = X[i] - exp(Y[i]) * total
""",
}


def _along(name, inputs, dim, out):
    if not inputs[0].numel():
        return out
    dims = rows.dims_of(inputs[0], dim)
    moved = [rows.last(t, dims) for t in inputs]
    n = moved[0][1]
    made = tensors.empty(moved[0][0].shape, out.dtype, out.device.index)
    compute = types.KINDS[inputs[0].dtype].compute
    outer = f"{name}_outer"  # the CPU rounds elsewhere where the dimension is not the last
    body = BODIES[outer if outer in BODIES and dims and dims[0] < out.dim() - 1 else name]
    rows.run(
        name, types.rounded(body, inputs[0].dtype), compute, [t for t, _ in moved], [made], (n, n)
    )
    traffic.NATIVE[name] += 1
    return rows.deliver(made.movedim(-1, dims[0]) if out.dim() else made, out)


def _forward(name: str):
    op = overload(f"{name}.out")

    def kernel(self, dim, half_to_float, *, out):
        if not self.is_floating_point() or not types.supported(self.dtype, out.dtype):
            return fallback(op, self, dim, half_to_float, out=out)
        check_out(op, out, self.shape, None)
        return _along(name, [self], dim, out)

    return kernel


def _backward(name: str):
    op = overload(f"{name}.out")

    def kernel(grad_output, output, dim, input_dtype, *, out=None, grad_input=None):
        out = grad_input if out is None else out
        if not types.supported(output.dtype, out.dtype) or not output.is_floating_point():
            return fallback(op, grad_output, output, dim, input_dtype, out=out)
        check_out(op, out, output.shape, None)
        return _along(name, [grad_output, output], dim, out)

    return kernel


KERNELS = {
    "_softmax.out": _forward("_softmax"),
    "_log_softmax.out": _forward("_log_softmax"),
    "_softmax_backward_data.out": _backward("_softmax_backward_data"),
    "_log_softmax_backward_data.out": _backward("_log_softmax_backward_data"),
}
