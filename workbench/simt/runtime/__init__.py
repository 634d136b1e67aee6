"""What compiled kernels call: Numba intrinsics, each at the cost of its machine code."""
