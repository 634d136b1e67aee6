"""From a plan to the source text of a module for `numba.njit`, with accesses proven or checked."""
