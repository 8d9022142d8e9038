"""Run records <-> the registry `runs/`.

>>> from predictor.records import frame
>>> table = frame("runs", studies=["published-table3"])  # doctest: +SKIP
"""

from predictor.records.attempts import failed_ids, read_attempts, write_attempt
from predictor.records.check import check
from predictor.records.costs import Cost, read_costs
from predictor.records.frame import frame
from predictor.records.pack import pack, unpack
from predictor.records.rules.record import record_faults
from predictor.records.schema import (
    SCHEMA_VERSION,
    Counted,
    DataReport,
    Energy,
    Environment,
    Intersection,
    Outcome,
    Reported,
    RunRecord,
    Seconds,
    StageCounts,
    content_id,
)
from predictor.records.store import Finished, finished_ids, read_registry, study_folders, torn_ids, write_record

__all__ = [
    "SCHEMA_VERSION",
    "Cost",
    "Counted",
    "DataReport",
    "Energy",
    "Environment",
    "Finished",
    "Intersection",
    "Outcome",
    "Reported",
    "RunRecord",
    "Seconds",
    "StageCounts",
    "check",
    "content_id",
    "failed_ids",
    "finished_ids",
    "frame",
    "pack",
    "read_attempts",
    "read_costs",
    "read_registry",
    "record_faults",
    "study_folders",
    "torn_ids",
    "unpack",
    "write_attempt",
    "write_record",
]
