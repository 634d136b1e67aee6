"""What kernels call besides the language: libdevice, half precision, vectors, random, ufuncs."""
