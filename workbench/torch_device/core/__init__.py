"""The part of the device to read in an afternoon: memory, allocator, tensors, views, streams."""
