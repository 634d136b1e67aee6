"""What a kernel says: memory, moves, the Cube and Vector operations, queues and flags."""
