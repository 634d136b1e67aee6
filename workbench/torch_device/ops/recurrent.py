"""Cells of recurrent networks: PyTorch asks every device but the CPU for LSTM and GRU in one piece.

The formulas are those of ``torch.nn.LSTM`` and ``torch.nn.GRU``'s documentation and their
derivatives, written with the device's own operators. The workspace, which only the backward sees,
holds the activated gates.
"""

from __future__ import annotations

import torch


def _gates(first, second, first_bias, second_bias) -> torch.Tensor:
    total = first + second
    return total if first_bias is None else total + first_bias + second_bias


def lstm_cell(input_gates, hidden_gates, cx, input_bias=None, hidden_bias=None):
    """Return the new hidden state and cell, and the workspace: gates i, f, g, o, activated."""
    i, f, g, o = _gates(input_gates, hidden_gates, input_bias, hidden_bias).chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cy = f * cx + i * g
    return o * cy.tanh(), cy, torch.cat([i, f, g, o], 1)


def lstm_cell_backward(grad_hy, grad_cy, cx, cy, workspace, has_bias):
    """Return the gradients of the gates, of the old cell, and of a bias."""
    i, f, g, o = workspace.chunk(4, 1)
    squashed = cy.tanh()
    grad_hy = torch.zeros_like(cy) if grad_hy is None else grad_hy
    grad_cell = grad_hy * o * (1 - squashed * squashed)
    grad_cell = grad_cell if grad_cy is None else grad_cell + grad_cy
    grad_gates = torch.cat(
        [
            grad_cell * g * i * (1 - i),
            grad_cell * cx * f * (1 - f),
            grad_cell * i * (1 - g * g),
            grad_hy * squashed * o * (1 - o),
        ],
        1,
    )
    bias = grad_gates.sum(0) if has_bias else torch.empty(0, device=cx.device)
    return grad_gates, grad_cell * f, bias


def gru_cell(input_gates, hidden_gates, hx, input_bias=None, hidden_bias=None):
    """Return the new hidden state, and the workspace: r, z, n, the old state, n's hidden part."""
    if input_bias is not None:
        input_gates, hidden_gates = input_gates + input_bias, hidden_gates + hidden_bias
    (input_r, input_z, input_n), (hidden_r, hidden_z, hidden_n) = (
        input_gates.chunk(3, 1),
        hidden_gates.chunk(3, 1),
    )
    r, z = (input_r + hidden_r).sigmoid(), (input_z + hidden_z).sigmoid()
    n = (input_n + r * hidden_n).tanh()
    return n + z * (hx - n), torch.cat([r, z, n, hx, hidden_n], 1)


def gru_cell_backward(grad_hy, workspace, has_bias):
    """Return the gradients of both gates, of the old state, and of both biases."""
    r, z, n, hx, hidden_n = workspace.chunk(5, 1)
    grad_n = grad_hy * (1 - z) * (1 - n * n)
    grad_z = grad_hy * (hx - n) * z * (1 - z)
    grad_r = grad_n * hidden_n * r * (1 - r)
    grad_input = torch.cat([grad_r, grad_z, grad_n], 1)
    grad_hidden = torch.cat([grad_r, grad_z, grad_n * r], 1)
    biases = [
        grad.sum(0) if has_bias else torch.empty(0, device=hx.device)
        for grad in (grad_input, grad_hidden)
    ]
    return grad_input, grad_hidden, grad_hy * z, *biases


KERNELS = {
    "_thnn_fused_lstm_cell": lstm_cell,
    "_thnn_fused_lstm_cell_backward_impl": lstm_cell_backward,
    "_thnn_fused_gru_cell": gru_cell,
    "_thnn_fused_gru_cell_backward": gru_cell_backward,
    # There are no nested tensors here: a transformer then keeps its padding, which is as right.
    "_nested_tensor_from_mask_left_aligned": lambda tensor, mask: False,
}
