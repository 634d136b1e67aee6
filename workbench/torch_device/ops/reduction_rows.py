"""Reductions and scans as text: what a row kernel does, and what a fold over columns does.

``X`` is the row read, ``O`` and ``P`` what is written, ``T`` the type of the arithmetic, ``A`` the
accumulator's and ``R`` rounds where the CPU's 16-bit kernels do; see `codegen.rows` and
`codegen.columns`. It refuses to know tensors: `reductions` binds these to operators.
"""

from __future__ import annotations

_SUM = """
acc = A(0)
start = 0
while start < n:
    stop = min(n, start + 1024)
    part = T(0)
    for i in range(start, stop):
        part += {term}
    acc += A(part)
    start = stop
O[0] = {finish}
"""
_FOLD = """
acc = T({first})
for i in range(n):
    x = X[i]
    acc = {step}
O[0] = acc
"""
_HIGHEST = {"f": "-np.inf", "i": "-0x7fffffffffffffff - 1"}
_LOWEST = {"f": "np.inf", "i": "0x7fffffffffffffff"}
_GREATER = {"f": "maximum(acc, x)", "i": "x if x > acc else acc"}
_LESSER = {"f": "minimum(acc, x)", "i": "x if x < acc else acc"}
_SINGLE = """
acc = T({first})
size = i4(0)
for i in range(n):
    x = X[i]
    acc = {choose}(acc, x)
    size = max(size, i4(bits_of_f4(x) & 0x7fffffff))
O[0] = T(np.nan) if size > 0x7f800000 else acc
"""  # a NaN's bits are larger than infinity's; looking for them apart keeps the chain short
_ARG = """
acc = X[0]
for i in range(1, n):
    x = X[i]
    acc = {step}
at = 0
start = 0
while start < n:
    stop = min(n, start + 1024)
    met = False
    for i in range(start, stop):
        met |= X[i] == acc or X[i] != X[i]
    if met:
        at = start
        while X[at] != acc and X[at] == X[at]:
            at += 1
        stop = n
    start = stop
"""
_ARGMAX, _ARGMIN = ({k: _ARG.format(step=step[k]) for k in "fi"} for step in (_GREATER, _LESSER))

BODIES = {
    "sum": {k: _SUM.format(term="X[i]", finish="acc") for k in "fi"},
    "nansum": {"f": _SUM.format(term="number_or_zero(X[i])", finish="acc"),
               "i": _SUM.format(term="X[i]", finish="acc")},
    "mean": {"f": _SUM.format(term="X[i]", finish="acc / f_count")},
    "prod": {k: _FOLD.format(first=1, step="R(acc * x)") for k in "fi"},
    "amax": {k: _FOLD.format(first=_HIGHEST[k], step=_GREATER[k]) for k in "fi"}
    | {"f4": _SINGLE.format(first=_HIGHEST["f"], choose="maxnum")},
    "amin": {k: _FOLD.format(first=_LOWEST[k], step=_LESSER[k]) for k in "fi"}
    | {"f4": _SINGLE.format(first=_LOWEST["f"], choose="minnum")},
    "any": {k: _FOLD.format(first=0, step="T(1) if x != 0 else acc") for k in "fi"},
    "all": {k: _FOLD.format(first=1, step="acc if x != 0 else T(0)") for k in "fi"},
    "argmax": {k: _ARGMAX[k] + "O[0] = at" for k in "fi"},
    "argmin": {k: _ARGMIN[k] + "O[0] = at" for k in "fi"},
    "max": {k: _ARGMAX[k] + "O[0] = acc\nP[0] = at" for k in "fi"},
    "min": {k: _ARGMIN[k] + "O[0] = acc\nP[0] = at" for k in "fi"},
    "count_nonzero": {k: _SUM.format(term="(T(1) if X[i] != 0 else T(0))", finish="i8(acc)")
                      for k in "fi"},
    "cumsum": {k: "acc = A(0)\nfor i in range(n):\n    acc += X[i]\n    O[i] = acc" for k in "fi"},
    "cumprod": {k: "acc = A(1)\nfor i in range(n):\n    acc *= X[i]\n    O[i] = acc" for k in "fi"},
    "logcumsumexp": {"f": "acc = X[0]\nO[0] = acc\nfor i in range(1, n):\n"
                     "    acc = logaddexp(acc, X[i])\n    O[i] = acc"},
    "cummax": {k: "best = X[0]\nat = 0\nfor i in range(n):\n    x = X[i]\n"
               "    if x >= best or x != x:\n        best = x\n        at = i\n"
               "    O[i] = best\n    P[i] = at" for k in "fi"},
    "cummin": {k: "best = X[0]\nat = 0\nfor i in range(n):\n    x = X[i]\n"
               "    if x <= best or x != x:\n        best = x\n        at = i\n"
               "    O[i] = best\n    P[i] = at" for k in "fi"},
    "var": {"f": "mean = A(0)\nsquares = A(0)\nfor i in range(n):\n    mean += X[i]\n"
            "mean = mean / n\nfor i in range(n):\n    d = A(X[i]) - mean\n    squares += d * d\n"
            "O[0] = squares / max(n - f_correction, 0.0)\nP[0] = mean"},
    "norm1": {"f": _SUM.format(term="abs(X[i])", finish="acc")},
    "norm2": {"f": _SUM.format(term="X[i] * X[i]", finish="math.sqrt(acc)")},
    "norm0": {"f": _SUM.format(term="(T(1) if X[i] != 0 else T(0))", finish="acc")},
    "normp": {"f": _SUM.format(term="T(abs(X[i]) ** f_ord)", finish="acc ** (1 / f_ord)")},
    "norminf": {"f": _FOLD.format(first=0, step="maximum(acc, abs(x))")},
    "normneginf": {"f": _FOLD.format(first="np.inf",
                                     step="minimum(acc, abs(x))")},
}  # fmt: skip
"""Name -> kind of number (``f``, ``i``) -> text; ``A`` is the accumulator's type."""

_NONZERO = "(T(1) if x != 0 else T(0))"
FOLDS = {
    "sum": {k: ("0", "acc + x", "acc") for k in "fi"},
    "nansum": {"f": ("0", "acc + number_or_zero(x)", "acc"), "i": ("0", "acc + x", "acc")},
    "mean": {"f": ("0", "acc + x", "acc / n")},
    "prod": {k: ("1", "R(acc * x)", "acc") for k in "fi"},
    "amax": {k: (_HIGHEST[k], _GREATER[k], "acc") for k in "fi"},
    "amin": {k: (_LOWEST[k], _LESSER[k], "acc") for k in "fi"},
    "any": {k: ("0", "1 if x != 0 else acc", "acc") for k in "fi"},
    "all": {k: ("1", "acc if x != 0 else 0", "acc") for k in "fi"},
    "count_nonzero": {k: ("0", f"acc + {_NONZERO}", "acc") for k in "fi"},
    "norm1": {"f": ("0", "acc + abs(x)", "acc")},
    "norm2": {"f": ("0", "acc + x * x", "math.sqrt(acc)")},
}
"""Name -> kind -> a fold for `codegen.columns`: reductions that need not see a row in order."""

TWO_STAGE = {name: (name, name) for name in ("sum", "prod", "amax", "amin", "any", "all")}
TWO_STAGE |= {"nansum": ("nansum", "sum"), "mean": ("sum", "mean")}
"""How a long row is reduced in pieces, shared out between the cores, and how their results are."""
