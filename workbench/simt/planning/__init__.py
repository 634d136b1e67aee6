"""The plan of a compiled kernel: what loops over threads, and what the block does as one."""
