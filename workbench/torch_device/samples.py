"""Find those of PyTorch's sample generators that reach an operator.

OpInfo names what people call (``nn.functional.silu``), the dispatcher what that call reaches
(``aten::silu``, and ``aten::silu_backward`` behind it). `reaching` goes from the second name to the
first: by PyTorch's own names, by the last part of a name, by `REACHED_BY`; a backward operator is
reached by the gradients of its forward one. The samples come from PyTorch's private test modules
and are imported only when asked for. It refuses operators that no sample reaches.
"""

from __future__ import annotations

import re

from workbench.errors import UnknownNameError

REACHED_BY = {
    "_cdist": "cdist",
    "_embedding_bag_forward_only": "nn.functional.embedding_bag",
    "_fft_c2c": "fft.fft",
    "_fft_c2r": "fft.irfft",
    "_fft_r2c": "fft.rfft",
    "_index_put_impl_": "index_put",
    "_pdist": "nn.functional.pdist",
    "_prelu_kernel": "nn.functional.prelu",
    "_scaled_dot_product_flash_attention_for_cpu": "nn.functional.scaled_dot_product_attention",
    "_slow_conv2d": "nn.functional.conv2d",
    "_unique2": "unique",
    "_upsample_nearest_exact1d": "nn_functional_interpolate_nearest-exact",
    "_upsample_nearest_exact2d": "nn_functional_interpolate_nearest-exact",
    "_upsample_nearest_exact3d": "nn_functional_interpolate_nearest-exact",
    "embedding_dense": "nn.functional.embedding",
    "grid_sampler_2d": "nn.functional.grid_sample",
    "grid_sampler_3d": "nn.functional.grid_sample",
    "index": "__getitem__",
    "linalg_matrix_exp": "matrix_exp",
    "log_sigmoid": "nn.functional.logsigmoid",
    "max_pool2d_with_indices": "nn.functional.max_pool2d",
    "max_pool3d_with_indices": "nn.functional.max_pool3d",
    "nll_loss2d": "nn.functional.nll_loss",
    "reflection_pad1d": "nn_functional_pad_reflect",
    "reflection_pad2d": "nn_functional_pad_reflect",
    "reflection_pad3d": "nn_functional_pad_reflect",
    "replication_pad1d": "nn_functional_pad_replicate",
    "replication_pad2d": "nn_functional_pad_replicate",
    "replication_pad3d": "nn_functional_pad_replicate",
    "upsample_bicubic2d": "nn_functional_interpolate_bicubic",
    "upsample_bilinear2d": "nn_functional_interpolate_bilinear",
    "upsample_linear1d": "nn_functional_interpolate_linear",
    "upsample_nearest1d": "nn_functional_interpolate_nearest",
    "upsample_nearest2d": "nn_functional_interpolate_nearest",
    "upsample_nearest3d": "nn_functional_interpolate_nearest",
    "upsample_trilinear3d": "nn_functional_interpolate_trilinear",
}
"""Operator -> the sample generator whose calls reach it, where the names do not tell."""


def reaching(operator: str) -> tuple[list, bool]:
    """Return the sample generators that reach an operator, and whether by their gradients.

    Parameters
    ----------
    operator : str
        PyTorch's name of it, of an overload, or of a function: ``"relu"``, ``"aten::add.out"``,
        ``"silu_backward"``, ``"nn.functional.silu"``.

    Raises
    ------
    UnknownNameError
        Where there are none, naming the near misses.
    """
    from torch.testing._internal.common_methods_invocations import op_db

    name = operator.removeprefix("aten::")
    plain = name.partition(".")[0]
    forward = re.sub(r"_backward(_data)?$", "", plain)
    for base in dict.fromkeys((name, plain, forward)):
        for wanted in _names(base):
            found = [op for op in op_db if wanted in (op.name, op.aten_name, op.formatted_name)]
            found = found or [op for op in op_db if op.name.rpartition(".")[2] == wanted]
            if found:
                return found, base != plain and base == forward
    raise UnknownNameError("operator with samples", name, {op.name for op in op_db})


def _names(base: str) -> list[str]:
    start = base.removesuffix("_forward")
    listed = REACHED_BY.get(base) or REACHED_BY.get(start)
    return [listed] if listed else [base, base.rstrip("_"), start, start.strip("_")]
