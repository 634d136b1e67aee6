"""The names that generated code has for where a thread stands."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

INDEX_NAMES = {
    **{f"threadIdx.{axis}": f"_t{axis}" for axis in "xyz"},
    **{f"blockIdx.{axis}": f"_b{axis}" for axis in "xyz"},
    **{f"gridDim.{axis}": f"_g{axis}" for axis in "xyz"},
    "laneid": "(_t & 31)",
    "warpsize": "32",
}


CONTEXT = ("_tx", "_ty", "_tz", "_t", "_bx", "_by", "_bz", "_gx", "_gy", "_gz", "_blk", "_ctrl")
"""What device functions are handed besides their own arguments."""
