"""The compiled tier: generated modules made into machine code, kept on disk, and launched."""
