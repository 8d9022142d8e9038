"""What is wrong in a registry: every record by itself, and records against each other."""

from __future__ import annotations

from pathlib import Path

from predictor.errors import RegistryError
from predictor.records.attempts import DUPLICATE, read_attempts
from predictor.records.faults import record_faults
from predictor.records.schema import RunRecord
from predictor.records.store import Stored, part_column, part_files, result, stored_json, stored_part, study_folders


def check(runs_dir: str | Path) -> list[str]:
    """Every fault of a registry, each with its file (and row); [] where it is clean.

    Checked: the ids are the hashes of the specs, counts are the recipe's, outcomes are within range and follow from
    their counts, no run stands there twice with different content.
    Raises RegistryError for a missing folder and for one without any record.
    """
    faults: list[str] = []
    n_records = 0
    for study_dir in study_folders(runs_dir):
        n_found, found_faults = _check_study(study_dir)
        n_records += n_found
        faults += found_faults
    if not n_records:
        raise RegistryError("no run records", where=str(runs_dir), remedy="name a folder of run records, such as runs/")
    return faults


def _check_study(study_dir: Path) -> tuple[int, list[str]]:
    faults: list[str] = []
    seen: dict[str, tuple[Stored, RunRecord]] = {}
    everything, unreadable = _everything(study_dir)
    for stored, listed_id in everything:
        try:
            record = stored.parse()
        except RegistryError as error:
            faults.append(f"{error.where}: {error.problem}")
            continue
        if listed_id != record.run_id:
            named = "file is named" if stored.row is None else "column run_id says"
            faults.append(f"{stored.where}: the {named} {listed_id!r}; the record's run_id is {record.run_id}")
        if record.study != stored.study:
            faults.append(f"{stored.where}: the record's study is {record.study!r}; its folder is {stored.study!r}")
        faults += [f"{stored.where}: {fault}" for fault in record_faults(record)]
        before = seen.setdefault(record.run_id, (stored, record))
        if before[1] != record:
            faults.append(f"{stored.where}: run {record.run_id} differs from the one in {before[0].where}")
    kept = {run_id: record for run_id, (_, record) in seen.items()}
    return len(everything) + len(unreadable), [*faults, *unreadable, *_lost_races(study_dir, kept)]


def _everything(study_dir: Path) -> tuple[list[tuple[Stored, str]], list[str]]:
    """Every stored record with the id it is listed under, and what is wrong with files that cannot be read."""
    found: list[tuple[Stored, str]] = []
    unreadable: list[str] = []
    try:
        found += [(stored, stored.file.stem) for stored in stored_json(study_dir)]
    except RegistryError as error:
        unreadable.append(f"{error.where}: {error.problem}")
    for part in part_files(study_dir):
        try:
            found += zip(stored_part(part), part_column(part, "run_id"), strict=True)
        except RegistryError as error:
            unreadable.append(f"{error.where}: {error.problem}")
    return found, unreadable


def _lost_races(study_dir: Path, kept: dict[str, RunRecord]) -> list[str]:
    """Second records of a run that say something else than the first."""
    try:
        attempts = read_attempts(study_dir)
    except RegistryError as error:
        return [f"{error.where}: {error.problem}"]
    faults = []
    for path, attempt in attempts.items():
        if attempt.get("status") != DUPLICATE:
            continue
        run_id = attempt.get("run_id")
        try:
            second = RunRecord.model_validate(attempt.get("record"))
        except ValueError:
            faults.append(f"{path}: holds no readable second record of run {run_id}")
            continue
        first = kept.get(second.run_id)
        if first is None or result(first) != result(second):
            faults.append(f"{path}: a second record of run {run_id} differs from the one that is kept")
    return faults
