"""Other builds of ONNX Runtime, each in a process and an environment of its own.

`environments` installs them on request, `process` starts a worker and talks to it, ``_main.py`` is
the program that runs in the worker, and ``_wire.py`` the messages. Stand-in libraries are loaded in
workers only.
"""
