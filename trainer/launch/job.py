"""What scheduler and workers say to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.grids import Grid, PlannedRun
from predictor.records import RunRecord

if TYPE_CHECKING:
    from trainer.data.source import BadImages
    from trainer.device import Precision

FAILED = ("failed", "out_of_memory")  # statuses that leave an attempt

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every worker needs to know, besides the run itself.

    side_by_side : runs that are trained at once
    precision, compiled : None takes what suits the device
    train : makes a record of a run; it calls its progress now and then and keeps its checkpoint below `checkpoints`
    """

    study: str
    held_out: bool
    files: Mapping[str, str | None]
    weights: str | None
    data_dir: Path
    runs_dir: Path
    device: str
    threads: int
    commit: str
    side_by_side: int = 1
    bad_images: BadImages = "error"
    precision: Precision | None = None
    compiled: bool | None = None
    train: Callable[[PlannedRun, Job, Progress], RunRecord] | None = None

    @classmethod
    def of(cls, grid: Grid, **settings: object) -> Job:
        """The job of a grid; `settings` are the fields that the grid does not state."""
        files = {name: source.file for name, source in grid.sources.items()}
        return cls(study=grid.study, held_out=grid.held_out, files=files, weights=grid.weights, **settings)  # type: ignore[arg-type]

    @property
    def study_dir(self) -> Path:
        """Folder of the study's records."""
        return self.runs_dir / self.study

    @property
    def checkpoints(self) -> Path:
        """Folder of half-done runs and of leases."""
        return self.study_dir / "checkpoints"


@dataclass(frozen=True, kw_only=True)
class TryOutcome:
    """How one try of a run ended.

    status : 'completed' and 'diverged' left a record, 'failed' and 'out_of_memory' an attempt; 'stopped' left a
        checkpoint; 'unwritable': the registry takes no record; 'elsewhere': another scheduler trained it
    result : of a run that was trained and tested, and whose record could not be made or written
    n_left_out : bad images that the run was trained and tested without
    n_leaked : test images of the same bytes as a training image
    """

    run_id: str
    status: str
    seconds: float = 0.0
    accuracy: float | None = None
    n_left_out: int = 0
    n_leaked: int = 0
    message: str = ""
    traceback: str = field(default="", repr=False)
    result: Mapping[str, Any] | None = field(default=None, repr=False)


def outcome_of(record: RunRecord) -> TryOutcome:
    """The outcome of a run that has its record."""
    accuracy = record.outcomes.get("accuracy")
    return TryOutcome(
        run_id=record.run_id,
        status=record.status,
        seconds=record.seconds.total if record.seconds else 0.0,
        accuracy=accuracy.value if accuracy else None,
        n_left_out=record.data_report.n_bad_images,
        n_leaked=sum(record.data_report.n_leaked.values()),
    )
