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
_EXTREME = """
acc = order_of(X[0], {nan})
for i in range(n):
    acc = {choose}(acc, order_of(X[i], {nan}))
O[0] = of_order(acc)
"""
_GREATER = "x if (x > acc or x != x) else acc"
_LESSER = "x if (x < acc or x != x) else acc"
_ARG = """
best = X[0]
at = 0
for i in range(1, n):
    x = X[i]
    if (x {sign} best or x != x) and best == best:
        best = x
        at = i
"""
_ARG_OF_SINGLE = """
best = rank_of(X[0], {nan})
for i in range(n):
    best = {choose}(best, rank_of(X[i], {nan}))
at = 0
start = 0
while start < n:
    stop = min(n, start + 1024)
    met = False
    for i in range(start, stop):
        met |= rank_of(X[i], {nan}) == best
    if met:
        at = start
        while rank_of(X[at], {nan}) != best:
            at += 1
        stop = n
    start = stop
"""
_ARGMAX4 = _ARG_OF_SINGLE.format(choose="max", nan="0x7fffffff")
_ARGMIN4 = _ARG_OF_SINGLE.format(choose="min", nan="-0x80000000")
_ARGMAX, _ARGMIN = _ARG.format(sign=">"), _ARG.format(sign="<")

BODIES = {
    "sum": {k: _SUM.format(term="X[i]", finish="acc") for k in "fi"},
    "nansum": {"f4": _SUM.format(term="f4_of_bits(bits_of_f4(X[i]) & -i4(X[i] == X[i]))",
                                 finish="acc"),
               "f": _SUM.format(term="(X[i] if X[i] == X[i] else T(0))", finish="acc"),
               "i": _SUM.format(term="X[i]", finish="acc")},
    "mean": {"f": _SUM.format(term="X[i]", finish="acc / n")},
    "prod": {k: _FOLD.format(first=1, step="R(acc * x)") for k in "fi"},
    "amax": {k: _FOLD.format(first=_HIGHEST[k], step=_GREATER) for k in "fi"}
    | {"f4": _EXTREME.format(choose="max", nan="0x7fffffff")},
    "amin": {k: _FOLD.format(first=_LOWEST[k], step=_LESSER) for k in "fi"}
    | {"f4": _EXTREME.format(choose="min", nan="-0x80000000")},
    "any": {k: _FOLD.format(first=0, step="T(1) if x != 0 else acc") for k in "fi"},
    "all": {k: _FOLD.format(first=1, step="acc if x != 0 else T(0)") for k in "fi"},
    "argmax": {k: _ARGMAX + "O[0] = at" for k in "fi"} | {"f4": _ARGMAX4 + "O[0] = at"},
    "argmin": {k: _ARGMIN + "O[0] = at" for k in "fi"} | {"f4": _ARGMIN4 + "O[0] = at"},
    "max": {k: _ARGMAX + "O[0] = best\nP[0] = at" for k in "fi"}
    | {"f4": _ARGMAX4 + "O[0] = X[at]\nP[0] = at"},
    "min": {k: _ARGMIN + "O[0] = best\nP[0] = at" for k in "fi"}
    | {"f4": _ARGMIN4 + "O[0] = X[at]\nP[0] = at"},
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
    "norminf": {"f": _FOLD.format(first=0, step="abs(x) if (abs(x) > acc or x != x) else acc")},
    "normneginf": {"f": _FOLD.format(first="np.inf",
                                     step="abs(x) if (abs(x) < acc or x != x) else acc")},
}  # fmt: skip
"""Name -> kind of number (``f``, ``i``) -> text; ``A`` is the accumulator's type."""

_NONZERO = "(T(1) if x != 0 else T(0))"
FOLDS = {
    "sum": {k: ("0", "acc + x", "acc") for k in "fi"},
    "nansum": {
        "f4": ("0", "acc + f4_of_bits(bits_of_f4(x) & -i4(x == x))", "acc"),
        "f": ("0", "acc + (x if x == x else T(0))", "acc"),
        "i": ("0", "acc + x", "acc"),
    },
    "mean": {"f": ("0", "acc + x", "acc / n")},
    "prod": {k: ("1", "R(acc * x)", "acc") for k in "fi"},
    "amax": {k: (_HIGHEST[k], _GREATER, "acc") for k in "fi"},
    "amin": {k: (_LOWEST[k], _LESSER, "acc") for k in "fi"},
    "any": {k: ("0", "1 if x != 0 else acc", "acc") for k in "fi"},
    "all": {k: ("1", "acc if x != 0 else 0", "acc") for k in "fi"},
    "count_nonzero": {k: ("0", f"acc + {_NONZERO}", "acc") for k in "fi"},
    "norm1": {"f": ("0", "acc + abs(x)", "acc")},
    "norm2": {"f": ("0", "acc + x * x", "math.sqrt(acc)")},
}
"""Name -> kind -> a fold for `codegen.columns`: reductions that need not see a row in order."""

TWO_STAGE = {"sum", "nansum", "prod", "amax", "amin", "any", "all"}
"""Reductions whose partial results reduce by the same text: a long row is cut into pieces."""
