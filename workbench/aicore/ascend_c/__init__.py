"""A kernel printed as Ascend C source, to read beside its Python."""
