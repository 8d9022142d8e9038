"""The grid that lies beside the records of a study, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from predictor.errors import PredictorError
from predictor.grids import load_grid
from predictor.records.rules.specs import written_id
from predictor.records.schema import RunRecord, Scalar
from predictor.records.store import GRID


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration stands in its design."""

    domain: str
    axes: dict[str, Scalar]


class GridDesign:
    """The runs of a grid, by id; the seeds of a configuration share their place."""

    def __init__(self, file: Path):
        grid = load_grid(file)
        self._file, self._held_out = file, grid.held_out
        self._places: dict[str, Place] = {}
        alike: dict[tuple[object, ...], Place] = {}
        for run in grid.runs:
            place = alike.setdefault((run.domain, *run.axes.items()), Place(run.domain, dict(run.axes)))
            self._places[run.spec.run_id] = place
        self._n_records = 0
        self._strange: list[str] = []

    def record_faults(self, record: RunRecord) -> list[str]:
        """Where a record departs from its place in the grid; records that the grid does not plan are counted."""
        if record.provenance != "trained":
            return []
        self._n_records += 1
        place = self._places.get(record.run_id)
        if place is None:
            if record.spec and written_id(record.spec) == record.run_id:
                self._strange.append(record.run_id)  # else its id is wrong, and that is said already
            return []
        faults = []
        if record.domain != place.domain:
            faults.append(f"domain is {record.domain!r}; {GRID} says {place.domain!r}")
        if record.held_out != self._held_out:
            faults.append(f"held_out is {_yaml(record.held_out)}; {GRID} says {_yaml(self._held_out)}")
        return faults if record.axes == place.axes else faults + _axis_faults(record.axes, place.axes)

    def faults(self) -> list[str]:
        """What is wrong between the grid and all records together."""
        n = len(self._strange)
        if not n:
            return []
        if n == self._n_records:
            return [f"{self._file}: plans none of the {n} records here; needed the grid that they were trained from"]
        return [f"{self._file}: does not plan {n} of the {self._n_records} records here, first {min(self._strange)}"]


def read_design(study_dir: Path) -> tuple[GridDesign | None, list[str]]:
    """The design of a study and why there is none; a study without a grid needs none."""
    file = study_dir / GRID
    if not file.exists():
        return None, []
    try:
        return GridDesign(file), []
    except PredictorError as error:
        return None, [f"{error.where or file}: {error.problem}"]


def _axis_faults(found: dict[str, Scalar], wanted: dict[str, Scalar]) -> list[str]:
    faults = []
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        if name not in found:
            faults.append(f"axis {name} is missing; {GRID} says {wanted[name]!r}")
        elif name not in wanted:
            faults.append(f"axis {name} is {found[name]!r}; {GRID} has no such axis for this run")
        elif found[name] != wanted[name]:
            faults.append(f"axis {name} is {found[name]!r}; {GRID} says {wanted[name]!r}")
    return faults


def _yaml(value: bool) -> str:
    return "true" if value else "false"
