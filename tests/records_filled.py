"""A registry of made records."""

from __future__ import annotations

from pathlib import Path

from records_made import made_record

from predictor import records
from predictor.records import (
    write_record,
)


def filled(runs: Path, n: int = 4) -> list[records.RunRecord]:
    made = sorted((made_record(seed) for seed in range(n)), key=lambda record: record.run_id)
    for record in made:
        write_record(runs, record)
    return made
