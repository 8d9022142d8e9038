"""JSON records of finished runs <-> Parquet parts, which are added and never rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from predictor.errors import RegistryError, listed
from predictor.files import add_file, beside, locked, publish, sync_folder, unwritable
from predictor.reading import read_bytes
from predictor.records.parts import MAX_RECORD, part_column, part_files
from predictor.records.schema import RunRecord
from predictor.records.store import Stored, stored_records, study_folders

# columns of a part, for people who query it; `record` holds the whole record and is what readers take
COLUMNS = {
    "run_id": "VARCHAR",
    "configuration_id": "VARCHAR",
    "study": "VARCHAR",
    "provenance": "VARCHAR",
    "status": "VARCHAR",
    "held_out": "BOOLEAN",
    "target_set": "VARCHAR",
    "domain": "VARCHAR",
    "accuracy": "DOUBLE",
    "robustness": "DOUBLE",
    "device": "VARCHAR",
    "started_at": "VARCHAR",
    "record": "VARCHAR",
}


def pack(runs_dir: str | Path, study: str) -> Path | None:
    """Move the JSON records of a study into one new part; returns the part, None where there was nothing to pack.

    Nothing is removed before the part is whole, durable and read back. Equal input gives equal bytes.
    Raises RegistryError for a damaged record and for one that differs from the record of its run in a part.
    """
    (folder,) = study_folders(runs_dir, [study])
    with _alone(folder):
        return _pack(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process packs or unpacks a study at a time; others wait, and find what it left."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, "pack"))
        except OSError as error:
            raise unwritable(folder, error) from error
        yield


def _pack(folder: Path) -> Path | None:
    loose: dict[str, Stored] = {}
    packed: dict[str, Stored] = {}
    differing = []
    for stored in stored_records(folder):
        run_id = stored.parse().run_id
        (loose if stored.row is None else packed)[run_id] = stored
    for run_id in loose.keys() & packed.keys():
        if loose[run_id].parse() != packed[run_id].parse():
            differing.append(f"{loose[run_id].where} and {packed[run_id].where}")
    if differing:
        raise RegistryError(
            f"different records of one run: {listed(sorted(differing))}",
            where=str(folder),
            remedy="delete the wrong one",
        )
    new = {run_id: loose[run_id] for run_id in sorted(loose.keys() - packed.keys())}
    part = write_part(folder, list(new.values())) if new else None
    if part and part_column(part, "record") != [_text(stored) for stored in new.values()]:
        raise RegistryError("reads back differently; the JSON records stay", where=str(part), remedy="delete the part")
    for stored in loose.values():
        stored.file.unlink(missing_ok=True)
    return part


def unpack(runs_dir: str | Path, study: str) -> list[Path]:
    """Turn the parts of a study into one JSON file per run again, and remove the parts.

    Raises RegistryError where a JSON file with another record of the run is there already; then nothing is removed.
    """
    (folder,) = study_folders(runs_dir, [study])
    with _alone(folder):
        return _unpack(folder)


def _unpack(folder: Path) -> list[Path]:
    parts = part_files(folder)
    packed = [stored for stored in stored_records(folder) if stored.row is not None]
    records = [(stored, stored.parse()) for stored in packed]
    paths, differing = [], []
    for stored, record in records:
        path = folder / f"{record.run_id}.json"
        if not add_file(path, f"{_text(stored)}\n".encode()):
            before = Stored(stored.study, path, None, read_bytes(path, limit=MAX_RECORD, root=folder))
            if before.parse() != record:
                differing.append(f"{path} and {stored.where}")
        paths.append(path)
    if differing:
        raise RegistryError(
            f"different records of one run: {listed(differing)}", where=str(folder), remedy="delete the wrong one"
        )
    sync_folder(folder)
    for part in parts:
        part.unlink(missing_ok=True)
    return paths


def write_part(study_dir: Path, records: list[Stored]) -> Path:
    """Add the records as the next part of a study, under the first free number."""
    import duckdb

    rows = [_row(stored.parse(), _text(stored)) for stored in records]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    selected = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in COLUMNS.items())
    temporary = beside(study_dir / "part")
    quoted = str(temporary).replace("'", "''")
    try:
        with duckdb.connect(config={"threads": 1}) as connection:  # one thread: equal input, equal bytes
            statement = f"COPY (SELECT {selected}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)"
            connection.execute(statement, columns)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        number = 1 + max((_number(part) for part in part_files(study_dir)), default=0)
        while not publish(temporary, part := study_dir / f"runs-{number:03d}.parquet"):
            number += 1
        sync_folder(study_dir)
        return part
    except (OSError, duckdb.IOException) as error:
        fault = error if isinstance(error, OSError) else OSError(str(error).splitlines()[0])
        raise unwritable(study_dir / "runs-NNN.parquet", fault) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _number(part: Path) -> int:
    digits = part.stem.removeprefix("runs-")
    return int(digits) if digits.isdecimal() else 0


def _text(stored: Stored) -> str:
    text = stored.text if isinstance(stored.text, str) else stored.text.decode()
    return text.strip()


def _row(record: RunRecord, text: str) -> dict[str, object]:
    outcomes = {name: outcome.value for name, outcome in record.outcomes.items()}
    return {
        **{name: getattr(record, name) for name in ("run_id", "configuration_id", "study", "provenance", "status")},
        "held_out": record.held_out,
        "target_set": record.target_set,
        "domain": record.domain,
        "accuracy": outcomes.get("accuracy"),
        "robustness": outcomes.get("robustness"),
        "device": record.environment.device if record.environment else None,
        "started_at": record.started_at,
        "record": text,
    }
