"""The front end: a Python function -> a tree of resolved names, one thing per statement."""
