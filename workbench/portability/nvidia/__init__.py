"""NVIDIA's execution provider, unmodified, over stand-ins: what it takes, not what it computes.

`stubs` makes the stand-ins at run time from the list of functions that the provider's library asks
for; `runtime.cpp` has the few that must answer something. No number that a model computes on them
means anything, and none is given.
"""
