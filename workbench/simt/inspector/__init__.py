"""What a launch asks of the memory system, per source line, and what a GPU would make of it."""

from workbench.simt.inspector.inspect import inspect
from workbench.simt.inspector.occupancy import Occupancy, occupancy
from workbench.simt.inspector.pattern import AccessPattern, access_pattern
from workbench.simt.inspector.report import AccessMetrics, InspectionReport

__all__ = [
    "AccessMetrics", "AccessPattern", "InspectionReport", "Occupancy", "access_pattern", "inspect",
    "occupancy",
]  # fmt: skip
