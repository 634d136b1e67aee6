"""From PyTorch to any accelerator through ONNX, and what really runs where.

The room's files, in reading order: `session` opens a session that runs where it was asked to;
`exporting` goes from a PyTorch module to ONNX, with `translations`, `loops` and `rewrites` for what
PyTorch leaves out; `comparing` finds the first divergence; `previewing`, `placement` and `sweeping`
say what a provider takes; `port` puts it all in one report. `provider` is an execution provider of
one's own, `ascend` and `nvidia` the simulated devices, `workers` other builds in processes of
their own, `recorded` what is played where these cannot be had.

Names are loaded when they are first touched: the room costs nothing until it is entered.
"""

from importlib import import_module as _import_module

_NAMES = {
    "AscendDevice": "ascend.device",
    "Place": "places",
    "Preview": "previewing",
    "Provider": "provider.engine",
    "compare": "comparing",
    "example_feeds": "feeds",
    "export": "exporting",
    "grade": "provider.grade",
    "load_model": "load",
    "open_session": "session",
    "port_model": "port",
    "preview": "previewing",
    "provider_availability": "session",
    "provider_place": "places",
    "reach": "recorded.reach",
    "sweep": "sweeping",
    "add_plugin": "plugins",
    "add_build": "workers.installing",
    "build_availability": "workers.environments",
}
__all__ = sorted(_NAMES)


def __getattr__(name: str):
    if name not in _NAMES:
        raise AttributeError(f"module 'workbench.portability' has no attribute {name!r}")
    value = getattr(_import_module(f"workbench.portability.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return [*__all__, "__all__", "__doc__"]
