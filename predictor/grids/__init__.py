"""Grid YAML -> run specs. A block crosses its axes fully; a random design draws from stated ranges."""

from predictor.grids.expand import load_grid, plan_grid
from predictor.grids.faults import near
from predictor.grids.schema import Grid, GridTargetSet, PlannedRun, Source

__all__ = ["Grid", "GridTargetSet", "PlannedRun", "Source", "load_grid", "near", "plan_grid"]
