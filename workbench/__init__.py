"""The public door of the Accelerator Workbench.

What a notebook or a shelf kernel needs is here, loaded when it is first touched: `import workbench`
alone must stay under 0.2 s, so nothing heavy (torch, numba, onnxruntime, ipywidgets) is imported
at the top of this file. Everything else lives on the floors below, see ``CONTRIBUTING.md``.
"""

from importlib import import_module as _import_module

# name -> the module it lives in; a value without a colon is the module itself
_DOOR = {
    "watch": "workbench.simt.trace.history:watch",
    "access_pattern": "workbench.simt.inspector:access_pattern",
    "LaunchView": "workbench.widgets.launch_view:LaunchView",
    "AccessMap": "workbench.widgets.access_map:AccessMap",
    "DivergenceView": "workbench.widgets.divergence_view:DivergenceView",
    "PlacementView": "workbench.widgets.placement_view:PlacementView",
    "portability": "workbench.portability",
    "inspect": "workbench.simt.inspector:inspect",
    "Findings": "workbench.widgets.findings:Findings",
    "Race": "workbench.widgets.race:Race",
    "RaceSession": "workbench.bench.session:RaceSession",
    "Replay": "workbench.widgets.replay:Replay",
    "Roofline": "workbench.widgets.roofline:Roofline",
    "Scaling": "workbench.widgets.scaling:Scaling",
    "Store": "workbench.bench.store:Store",
    "Sweep": "workbench.bench.sweep:Sweep",
    "hardware": "workbench.hardware",
    "recording": "workbench.bench.recording",
    "targets": "workbench.targets",
    "sanitize": "workbench.simt.sanitizer:sanitize",
    "sanitizing": "workbench.simt.sanitizer:sanitizing",
    "cuda": "workbench.simt.cuda",
    "WorkbenchError": "workbench.errors:WorkbenchError",
    "aicore": "workbench.aicore",
    "BufferMap": "workbench.widgets.buffer_map:BufferMap",
    "PipeTimeline": "workbench.widgets.pipe_timeline:PipeTimeline",
}

__all__ = sorted(_DOOR)


def __getattr__(name: str):
    where = _DOOR.get(name)
    if where is None:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    module, _, attribute = where.partition(":")
    value = _import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__():
    return [*_DOOR, "__all__", "__doc__"]
