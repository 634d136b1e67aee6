"""From one line of a table to a compiled loop: how the device's own kernels are made."""
