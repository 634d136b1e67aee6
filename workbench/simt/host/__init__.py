"""The host's side of CUDA: device, memory, streams, engines, and a launch's limits."""
