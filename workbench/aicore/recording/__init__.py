"""One launch as a list of instructions: plain Python, run once for each core."""
