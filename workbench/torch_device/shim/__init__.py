"""The optional C++ tier of the device: one small file, compiled once, answered by Python."""
