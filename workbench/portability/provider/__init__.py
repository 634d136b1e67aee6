"""An execution provider of one's own, with kernels in Python.

Reading order: `library` (compile and load the C++ file), `graph` (what the runtime says about a
graph), `engine` (claim, compile, run: the class `Provider`), and `kernels_*`, one file for each
family of operators. Import `Provider` from `engine`.
"""
