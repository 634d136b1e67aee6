"""How work reaches the device: a stream's ring of pieces, the loop that drains it, the cores."""
