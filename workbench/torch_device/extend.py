"""The learner's seam: put a kernel of your own behind an operator, and take it back again.

A kernel is what stands on the shelf: a function ``launch(*inputs, *outputs)`` over arrays that
writes into the outputs. `register` gives it NumPy arrays over device memory; shapes and dtypes of
the outputs come from PyTorch's own meta functions, so a kernel need not check what PyTorch checks.
`stub` prints the skeleton of a kernel that is missing. It refuses operators that PyTorch does not
have, dtypes that NumPy does not have, and kernels that are not callable.
"""

from __future__ import annotations

import types as _types
import warnings
from collections.abc import Callable
from typing import Any

import torch

from workbench.errors import InputError, KernelError, UnknownNameError
from workbench.torch_device import ops, traffic
from workbench.torch_device.codegen import rows
from workbench.torch_device.core import streams, tensors
from workbench.torch_device.core.tensors import NAME, host
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices

LAYOUTS = ("contiguous", "strided", "memory")


class RegisteredKernelError(KernelError, RuntimeError):
    """A kernel put behind an operator raised, or cannot take what it was given."""


class Registration:
    """A kernel of your own behind an operator; `remove` brings the device's own back.

    Attributes
    ----------
    operator : str
    overloads : tuple of str
        The forms that the kernel answers now.
    calls : int
        How often it has run.
    """

    def __init__(self, operator: str, overloads: tuple[str, ...], library):
        self.operator, self.overloads, self._library = operator, overloads, library
        self.calls = 0

    def remove(self) -> None:
        """Put the device's own kernel back."""
        if self._library is not None:
            self._library._destroy()
            self._library = None
            ACTIVE.pop(self.operator, None)
            ops.allow_in_front(self.operator, True)

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *exc) -> None:
        self.remove()


ACTIVE: dict[str, Registration] = {}
"""The registrations in force, by operator."""


def register(operator: str, kernel: Any, layout: str = "contiguous") -> Registration:
    """Put a kernel behind an operator of the device.

    Parameters
    ----------
    operator : str
        ``"aten::relu"`` or ``"relu"``, with an overload (``"add.Tensor"``) for that form alone.
    kernel : callable or module
        ``kernel(*inputs, *outputs)``, writing into the outputs; a shelf module's ``launch``. It may
        also return the result instead. Tensors arrive as NumPy arrays, other arguments as they are.
    layout : str
        ``"contiguous"``: operands are copied into row-major order first where they are not;
        ``"strided"``: arrays with the tensors' own strides; ``"memory"``: one-dimensional arrays
        over the memory from each tensor's first element, as a bare pointer would be. The last is
        right for contiguous tensors of one shape only.

    Raises
    ------
    InputError
        For an unknown layout or a kernel that cannot be called.
    UnknownNameError
        For an operator that PyTorch does not have.
    """
    if layout not in LAYOUTS:
        raise InputError("The layout cannot be used.", repr(layout), "one of " + ", ".join(LAYOUTS))
    launch = kernel.launch if isinstance(kernel, _types.ModuleType) else kernel
    if not callable(launch):
        raise InputError(
            "The kernel cannot be called.",
            repr(kernel),
            "a function launch(*inputs, *outputs), or a module that has one",
        )
    name = operator.removeprefix("aten::")
    forms = _forms(name)
    if name in ACTIVE:
        ACTIVE[name].remove()
    library = torch.library.Library("aten", "IMPL")
    made = Registration(name, tuple(forms), library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that a kernel is overridden: that is meant
        for form in forms:
            library.impl(form, _wrapped(made, form, launch, layout), "PrivateUse1",
                         allow_override=True)  # fmt: skip
    ACTIVE[name] = made
    ops.allow_in_front(name, False)
    return made


def _forms(name: str) -> list[str]:
    """Return the overloads of an operator that reach the device."""
    base, _, which = name.partition(".")
    if which:
        overload_or_raise(name)
        return [name]
    packet = getattr(torch.ops.aten, base, None)
    if packet is None:
        raise UnknownNameError("operator", base, dir(torch.ops.aten))
    known = [f for f in (*ops.KERNELS, *ops.COMPOSITES) if f.partition(".")[0] == base]
    if known:
        return known
    missing = [f"{base}.{o}" if o != "default" else base for o in packet.overloads()]
    return [f for f in missing if ops.composites.needs_kernel(f"aten::{f}")] or missing[:1]


def overload_or_raise(name: str):
    """Return an overload, or raise naming the near misses."""
    try:
        return overload(name)
    except AttributeError:
        raise UnknownNameError("operator", name, dir(torch.ops.aten)) from None


def _wrapped(made: Registration, form: str, launch: Callable, layout: str) -> Callable:
    op = overload(form)
    arguments = op._schema.arguments
    outs = [a.name for a in arguments if a.is_out]
    in_place = not outs and arguments[0].alias_info is not None
    names = [a.name for a in arguments if not a.is_out]

    def kernel(*args, **kwargs):
        given = dict(zip([a.name for a in arguments], args, strict=False)) | kwargs
        inputs = [given.get(n, _default(arguments, n)) for n in names]
        check_devices(op.name(), args, kwargs)
        device = next(v for v in inputs if isinstance(v, torch.Tensor) and v.device.type == NAME)
        if outs or in_place:
            results = [given[o] for o in outs] or [args[0]]
        else:
            results = _allocate(op, dict(zip(names, inputs, strict=True)), device.device.index)
        made.calls += 1
        traffic.NATIVE[form] += 1
        _call(form, launch, layout, _trimmed(inputs), results)
        return results[0] if len(results) == 1 else tuple(results)

    return kernel


def _default(arguments, name: str):
    return next(a.default_value for a in arguments if a.name == name)


def _trimmed(inputs: list) -> list:
    """Leave out trailing arguments that were not given or are a neutral scale of 1."""
    while inputs and not isinstance(inputs[-1], torch.Tensor) and inputs[-1] in (None, 1, False):
        inputs = inputs[:-1]
    return inputs


def _allocate(op, inputs: dict, device: int) -> list[torch.Tensor]:
    """Return outputs as PyTorch's meta function of the operator shapes them."""
    like = {
        n: torch.empty_like(v, device="meta") if isinstance(v, torch.Tensor) else v
        for n, v in inputs.items()
    }
    keywords = {a.name for a in op._schema.arguments if a.kwarg_only}
    shapes = op(*[v for n, v in like.items() if n not in keywords],
                **{n: v for n, v in like.items() if n in keywords})  # fmt: skip
    shapes = shapes if isinstance(shapes, tuple) else (shapes,)
    return [tensors.empty(s.shape, s.dtype, device) for s in shapes]


def _array(form: str, value: Any, layout: str) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    try:
        alias = host(value) if value.device.type == NAME else value
        array = alias.detach().numpy()
    except TypeError as error:
        raise RegisteredKernelError(
            f"The kernel behind {form} cannot take this tensor.", str(error),
            "NumPy has no such dtype; use float32",
        ) from None  # fmt: skip
    if layout != "memory":
        return array
    flat = torch.as_strided(alias, [value.numel()], [1]) if value.numel() else alias.reshape(-1)
    return flat.detach().numpy()


def _call(form: str, launch: Callable, layout: str, inputs: list, results: list) -> None:
    """Run a kernel over arrays, on the current stream."""
    if layout == "contiguous":
        shape = results[0].shape
        inputs = [
            rows.contiguous(v) if isinstance(v, torch.Tensor) and v.device.type == NAME else v
            for v in inputs
        ]
    staged = [
        r if layout == "strided" or r.is_contiguous() else
        tensors.empty(r.shape, r.dtype, r.device.index)
        for r in results
    ]  # fmt: skip
    shape = results[0].shape
    if layout == "contiguous" and _pointwise(inputs, shape):
        inputs = [
            rows.contiguous(v.expand(shape)) if isinstance(v, torch.Tensor) else v for v in inputs
        ]

    def work():
        arrays = [_array(form, v, layout) for v in (*inputs, *staged)]
        try:
            answer = launch(*arrays)
        except Exception as error:
            raise RegisteredKernelError(
                f"The kernel behind {form} failed.", f"{type(error).__name__}: {error}",
                "run it on plain NumPy arrays of this shape: "
                + ", ".join(str(getattr(a, "shape", a)) for a in arrays),
            ) from error  # fmt: skip
        if answer is not None:
            arrays[-1][...] = answer

    streams.launch(f"aten::{form} (registered)", work)
    for made, asked in zip(staged, results, strict=True):
        if made is not asked:
            rows.copy(made, asked)


def _pointwise(inputs: list, shape) -> bool:
    """Whether all tensors broadcast to the result's shape, as elementwise operators' do."""
    found = [v.shape for v in inputs if isinstance(v, torch.Tensor)]
    try:
        return bool(found) and torch.broadcast_shapes(*found) == shape
    except RuntimeError:
        return False


def stub(operator: str) -> str:
    """Return the skeleton of a kernel for an operator, ready to fill in.

    Parameters
    ----------
    operator : str
        As for `register`.
    """
    name = operator.removeprefix("aten::")
    form = _forms(name)[0]
    schema = overload_or_raise(form)._schema
    inputs = [a.name for a in schema.arguments if not a.is_out]
    outputs = [a.name for a in schema.arguments if a.is_out] or [
        f"out{i or ''}" for i in range(len(schema.returns))
    ]
    arguments = ", ".join(f"{n}_" if n in ("self", "from", "lambda") else n for n in inputs)
    return (
        f'"""{form}: {schema}"""\n\n'
        "from workbench import torch_device as wb\n\n\n"
        f"def launch({arguments}, {', '.join(outputs)}):\n"
        f"    # arrays over device memory; write into {' and '.join(outputs)}\n"
        f"    raise NotImplementedError({form!r})\n\n\n"
        f"wb.register({name!r}, launch)\n"
        f"print(wb.score({name.partition('.')[0]!r}))\n"
    )
