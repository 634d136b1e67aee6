"""Kernels for recurrent layers: LSTM, GRU and RNN, one step of time after another.

The formulas are those of ONNX's operator reference (https://onnx.ai/onnx/operators, LSTM, GRU and
RNN): ``iofc``, ``zrh`` and ``i`` are the order of the gates in W, R and B. It refuses activations
that need parameters of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.portability.provider.engine import Kernel
from workbench.portability.provider.kernels_elementwise import floating, widened

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}


@dataclass(frozen=True)
class Layer:
    """One direction of a layer: its weights and the functions of its gates.

    Attributes
    ----------
    w : (gates * hidden, input) array
    r : (gates * hidden, hidden) array
    wb, rb : (gates * hidden,) arrays
    p : (3 * hidden,) array
        Of the peepholes; zeros where there are none.
    functions : list of callable
    clip : float
        Bound of what goes into a gate.
    linear_before_reset, input_forget : bool
    """

    w: np.ndarray
    r: np.ndarray
    wb: np.ndarray
    rb: np.ndarray
    p: np.ndarray
    functions: list[Callable[[np.ndarray], np.ndarray]]
    clip: float
    linear_before_reset: bool
    input_forget: bool

    def at(self, index: int, value: np.ndarray) -> np.ndarray:
        """Return one of the functions of a bounded value."""
        return self.functions[index](np.clip(value, -self.clip, self.clip))


State = tuple[np.ndarray, ...]


def lstm_step(layer: Layer, x: np.ndarray, state: State) -> State:
    """Return (H, C) after a step."""
    h, c = state
    i, o, f, g = np.split(x @ layer.w.T + h @ layer.r.T + layer.wb + layer.rb, 4, axis=-1)
    pi, po, pf = np.split(layer.p, 3)
    i = layer.at(0, i + pi * c)
    f = 1 - i if layer.input_forget else layer.at(0, f + pf * c)
    c = f * c + i * layer.at(1, g)
    return layer.at(0, o + po * c) * layer.functions[2](c), c


def gru_step(layer: Layer, x: np.ndarray, state: State) -> State:
    """Return (H,) after a step."""
    (h,) = state
    size = h.shape[-1]
    given = x @ layer.w.T + layer.wb
    zr = given[:, : 2 * size] + h @ layer.r[: 2 * size].T + layer.rb[: 2 * size]
    z, r = np.split(layer.at(0, zr), 2, axis=-1)
    rh, rbh = layer.r[2 * size :], layer.rb[2 * size :]
    kept = r * (h @ rh.T + rbh) if layer.linear_before_reset else (r * h) @ rh.T + rbh
    return ((1 - z) * layer.at(1, given[:, 2 * size :] + kept) + z * h,)


def rnn_step(layer: Layer, x: np.ndarray, state: State) -> State:
    """Return (H,) after a step."""
    (h,) = state
    return (layer.at(0, x @ layer.w.T + h @ layer.r.T + layer.wb + layer.rb),)


def recurrent(step: Callable[[Layer, np.ndarray, State], State], names: tuple[str, ...]):
    """Return the kernel of a layer with this step and these usual activations."""
    states = 2 if step is lstm_step else 1

    def kernel(node, x, w, r, b=None, lengths=None, h=None, c=None, p=None):
        by_batch = bool(node.get("layout", 0))
        x = np.swapaxes(x, 0, 1) if by_batch else x
        steps, batch, size = len(x), x.shape[1], r.shape[-1]
        first = [np.swapaxes(s, 0, 1) if by_batch and s is not None else s for s in (h, c)]
        lengths = np.full(batch, steps) if lengths is None else lengths.astype(int)
        ways, ends = [], []
        for way in range(len(w)):
            empty = np.zeros((batch, size), x.dtype)
            state = tuple(empty if s is None else s[way] for s in first[:states])
            backwards = node.get("direction", "forward") == "reverse" or way == 1
            layer = _layer(node, way, names, (w, r, b, p))
            seen, state = _walk(step, layer, x, state, lengths, backwards)
            ways.append(seen)
            ends.append(state)
        y = np.stack(ways, axis=1)
        last = [np.stack(rows) for rows in zip(*ends, strict=True)]
        if by_batch:
            y, last = y.transpose(2, 0, 1, 3), [np.swapaxes(s, 0, 1) for s in last]
        return (y, *last)

    return kernel


def _walk(step, layer, x, state, lengths, backwards):
    """Go through time; a sequence that has ended keeps its state, and its output stays zero."""
    rows = np.arange(x.shape[1])
    seen = np.zeros((*x.shape[:2], state[0].shape[-1]), x.dtype)
    for time in range(len(x)):
        going = time < lengths
        at = np.where(going, lengths - 1 - time if backwards else time, 0)
        after = step(layer, x[at, rows], state)
        state = tuple(np.where(going[:, None], a, b) for a, b in zip(after, state, strict=True))
        seen[at[going], rows[going]] = state[0][going]
    return seen, state


def _layer(node, way, names, weights) -> Layer:
    w, r, b, p = weights
    size = w.shape[1]
    bias = np.zeros(2 * size, w.dtype) if b is None else b[way]
    peephole = np.zeros(3 * r.shape[-1], w.dtype) if p is None else p[way]
    said = [name.lower() for name in _activations(node)] or [*names, *names]
    mine = said[way * len(names) :][: len(names)]
    return Layer(
        w[way],
        r[way],
        bias[:size],
        bias[size:],
        peephole,
        [ACTIVATIONS[name] for name in mine],
        node.get("clip") or np.inf,
        bool(node.get("linear_before_reset", 0)),
        bool(node.get("input_forget", 0)),
    )


def _activations(node) -> list[str]:
    said = node.get("activations") or []
    return [name.decode() if isinstance(name, bytes) else name for name in said]


def known_functions(node) -> bool:
    """Accept floats, and activations that have no parameters of their own."""
    return floating(node) and all(name.lower() in ACTIVATIONS for name in _activations(node))


KERNELS = [
    Kernel(name, widened(recurrent(step, names)), since=7, accepts=known_functions)
    for name, step, names in (
        ("LSTM", lstm_step, ("sigmoid", "tanh", "tanh")),
        ("GRU", gru_step, ("sigmoid", "tanh")),
        ("RNN", rnn_step, ("tanh",)),
    )
]
