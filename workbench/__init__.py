"""The public door of the Accelerator Workbench.

What a notebook or a shelf kernel needs is here, loaded when it is first touched: `import workbench`
alone must stay under 0.2 s, so nothing heavy (torch, numba, onnxruntime, ipywidgets) is imported
at the top of this file. Everything else lives on the floors below, see ``CONTRIBUTING.md``.
"""

from importlib import import_module as _import_module

# name -> the module it lives in; a value without a colon is the module itself
_DOOR = {
    # rooms
    "aicore": "workbench.aicore",
    "cuda": "workbench.simt.cuda",
    "hardware": "workbench.hardware",
    "portability": "workbench.portability",
    "recording": "workbench.bench.recording",
    "targets": "workbench.targets",
    # a launch, watched
    "access_pattern": "workbench.simt.inspector:access_pattern",
    "inspect": "workbench.simt.inspector:inspect",
    "sanitize": "workbench.simt.sanitizer:sanitize",
    "sanitizing": "workbench.simt.sanitizer:sanitizing",
    "watch": "workbench.simt.trace.history:watch",
    # performance, compared and kept
    "RaceSession": "workbench.bench.session:RaceSession",
    "Store": "workbench.bench.store:Store",
    "Sweep": "workbench.bench.sweep:Sweep",
    "WorkbenchError": "workbench.errors:WorkbenchError",
    # pictures, one for each question
    "AccessMap": "workbench.widgets.access_map:AccessMap",
    "BufferMap": "workbench.widgets.buffer_map:BufferMap",
    "DivergenceView": "workbench.widgets.divergence_view:DivergenceView",
    "Findings": "workbench.widgets.findings:Findings",
    "LaunchView": "workbench.widgets.launch_view:LaunchView",
    "PipeTimeline": "workbench.widgets.pipe_timeline:PipeTimeline",
    "PlacementView": "workbench.widgets.placement_view:PlacementView",
    "Race": "workbench.widgets.race:Race",
    "Replay": "workbench.widgets.replay:Replay",
    "Roofline": "workbench.widgets.roofline:Roofline",
    "Scaling": "workbench.widgets.scaling:Scaling",
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
