"""Many records at once: into one new part of a study, each run once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from predictor.errors import RegistryError, listed
from predictor.files import locked, unwritable
from predictor.records.pack import write_part
from predictor.records.rules.record import contradictions
from predictor.records.schema import RunRecord, former_imported_id, imported_id
from predictor.records.store import Stored, stored_records


@dataclass(frozen=True)
class AddedRuns:
    """What came of it: runs that are new, that were there already, and those that were there with other outcomes.

    differing_in : names of the files of the study that hold the latter
    """

    part: Path | None
    new: int
    there: int
    differing: tuple[str, ...]
    differing_in: tuple[str, ...] = ()


def add_records(runs_dir: str | Path, study: str, records: Sequence[RunRecord]) -> AddedRuns:
    """Add records to a study as one part. A run that is there already stays as it is.

    Raises RegistryError for a record that contradicts itself, for records of other studies, and where the folder
    cannot be written; then nothing is.
    """
    faults = [f"{record.run_id}: {fault}" for record in records for fault in contradictions(record)]
    faults += [f"{record.run_id}: is of study {record.study!r}" for record in records if record.study != study]
    folder = Path(runs_dir, study)
    if faults:
        raise RegistryError(f"{len(faults)} faults: {listed(faults)}", where=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, "pack"):
            return _add(folder, study, records)
    except OSError as error:
        raise unwritable(folder, error) from error


def _add(folder: Path, study: str, records: Sequence[RunRecord]) -> AddedRuns:
    wanted = {record.run_id: record for record in records}
    differing, there, files = [], set(), set()
    for stored in stored_records(folder):
        before = stored.parse()
        now = wanted.get(_own_id(before))
        if now is None or now.run_id in there:
            continue
        there.add(now.run_id)
        if before.outcomes != now.outcomes:
            differing.append(before.run_id)
            files.add(stored.file.name)
    new = [Stored(study, folder, None, record.to_json()) for run_id, record in sorted(wanted.items())
           if run_id not in there]  # fmt: skip
    part = write_part(folder, new) if new else None
    return AddedRuns(part, len(new), len(there), tuple(sorted(differing)), tuple(sorted(files)))


def _own_id(record: RunRecord) -> str:
    """The id that a run would have if it were added now: before 0.3.0 other rows had a part in it."""
    if record.provenance != "imported" or record.spec is not None or record.run_id != former_imported_id(record):
        return record.run_id
    return imported_id(
        study=record.study, target_set=record.target_set, domain=record.domain, axes=record.axes, data=record.data
    )
