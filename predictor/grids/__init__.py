"""Grid YAML -> run specs. A block crosses its axes fully; a random design draws from stated ranges."""

from predictor.grids.expand import load_grid, plan_grid, read_grid, read_sources
from predictor.grids.faults import near
from predictor.grids.limits import LargeGrid
from predictor.grids.schema import Grid, GridTargetSet, PlannedRun, Rate, SourceEntry

__all__ = [
    "Grid",
    "GridTargetSet",
    "LargeGrid",
    "PlannedRun",
    "Rate",
    "SourceEntry",
    "load_grid",
    "near",
    "plan_grid",
    "read_grid",
    "read_sources",
]
