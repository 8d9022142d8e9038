"""What is wrong in a registry: every record by itself, against its study's grid, and records against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from pathlib import Path

from predictor.errors import RegistryError
from predictor.reading import MIB, read_bytes
from predictor.records.attempts import DUPLICATE, read_attempts
from predictor.records.parts import (
    MAX_RECORD,
    checked_part,
    collector_paused,
    damaged,
    part_column,
    part_files,
    unreadable,
)
from predictor.records.rules.grid import read_design
from predictor.records.rules.record import record_faults
from predictor.records.rules.specs import Specs
from predictor.records.schema import RunRecord
from predictor.records.store import (
    Stored,
    json_files,
    packed_since,
    result,
    stray_files,
    study_folders,
)
from predictor.text import command

CHUNK = 1_000  # records of a part at once
ENOUGH = 64 * MIB  # bytes of records from which more processes bring more than their start costs
PACKED = 10  # times smaller than the records in it is a part


def check(runs_dir: str | Path) -> list[str]:
    """Every fault of a registry, each with its file (and row); [] where it is clean.

    Checked: the ids are the hashes of the specs, counts are the recipe's, outcomes are those of the spec's tests,
    within range and follow from their counts, costs are possible, axes, domain and `held_out` are those of the study's
    grid, no run stands there twice with different content, nothing lies beside the studies.
    One record is held at a time: a large registry needs little memory. Its studies are read side by side.
    Raises RegistryError for a missing folder and for one without any record.
    """
    folders = study_folders(runs_dir)
    faults = [
        f"{path}: lies beside the studies, where nothing reads it; move it into its study's folder, or delete it"
        for path in stray_files(runs_dir)
    ]
    before: dict[str, _Seen] = {}
    n_records = 0
    for study in _side_by_side(folders):
        n_records += study.n_records
        faults += _with_others(study, before)
    if not n_records:
        raise RegistryError("no run records", where=str(runs_dir), remedy="name a folder of run records, such as runs/")
    return faults


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of a record: where it stands, its number in its study, and a hash of its text."""

    file: Path
    row: int | None
    number: int
    text: bytes

    @property
    def where(self) -> str:
        return Stored("", self.file, self.row, "").where


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in one study.

    faults : (number of the record that was read last, fault), in order
    first, kept : {run id: its first record; the one that later rows are compared with}
    """

    n_records: int
    faults: list[tuple[int, str]]
    first: dict[str, _Seen]
    kept: dict[str, _Seen]


def _side_by_side(folders: Sequence[Path]) -> Iterable[_Checked]:
    """Every study by itself, in order; the studies of a large registry in several processes."""
    from joblib import Parallel, cpu_count, delayed

    n = min(cpu_count(), len(folders)) if sum(map(_size, folders)) >= ENOUGH else 1
    if n == 1:
        return map(_checked, folders)
    return Parallel(n_jobs=n, return_as="generator", batch_size=1)(delayed(_checked)(folder) for folder in folders)


def _size(study_dir: Path) -> int:
    """About how many bytes a study's records have."""
    size = 0
    for times, paths in ((1, json_files(study_dir)), (PACKED, part_files(study_dir))):
        for path in paths:
            with suppress(OSError):  # packed since, or what the check names
                size += times * path.stat().st_size
    return size


def _checked(study_dir: Path) -> _Checked:
    study = _Study()
    with collector_paused():
        faults = [(study.n_records, fault) for fault in study.faults(study_dir)]
    return _Checked(study.n_records, faults, study.first, study.kept)


def _with_others(study: _Checked, before: dict[str, _Seen]) -> list[str]:
    """A study's faults, and runs that stood in a study before and found something else there.

    before : records of the studies before this one by run id; this one's join them
    """
    again = _Again()
    faults = list(study.faults)
    for run_id, seen in study.first.items():
        there = before.get(run_id)
        if there is None or there.text == seen.text:
            continue
        first, second = again.read(there), again.read(seen)
        if first is not None and second is not None and result(first) != result(second):
            fault = f"{seen.where}: run {run_id} differs from the one in {there.where}"
            faults.append((seen.number, fault))
    for run_id, seen in study.kept.items():
        before.setdefault(run_id, seen)
    return [fault for _, fault in sorted(faults, key=itemgetter(0))]


class _Again:
    """Reads records again that were met before; the part that was read last is kept."""

    def __init__(self) -> None:
        self._part: tuple[Path, list[str]] | None = None

    def read(self, seen: _Seen) -> RunRecord | None:
        """The record; None where it is gone, because somebody packs meanwhile."""
        try:
            if seen.row is None:
                return Stored("", seen.file, None, read_bytes(seen.file, limit=MAX_RECORD)).parse()
            if self._part is None or self._part[0] != seen.file:
                self._part = seen.file, part_column(seen.file, "record")
            return Stored("", seen.file, seen.row, self._part[1][seen.row - 1]).parse()
        except (OSError, RegistryError):
            return None


class _Study:
    """The records of one study met so far."""

    def __init__(self) -> None:
        self.n_records = 0
        self.first: dict[str, _Seen] = {}
        self.kept: dict[str, _Seen] = {}
        self._specs = Specs()
        self._again = _Again()
        self._doubles: Counter[tuple[Path, Path]] = Counter()  # runs that stand in two parts, or twice in one

    def faults(self, study_dir: Path) -> Iterator[str]:
        """Every fault of one study by itself."""
        design, faults = read_design(study_dir)
        yield from faults
        for found in _everything(study_dir):
            self.n_records += 1
            if isinstance(found, str):
                yield found
                continue
            stored, listed_id = found
            try:
                record = stored.parse()
            except RegistryError as error:
                yield f"{error.where}: {error.problem}"
                continue
            faults = _place_faults(stored, listed_id, record) + record_faults(record, self._specs)
            if design:
                faults += design.record_faults(record)
            faults += self._twice(stored, record)
            yield from (f"{stored.where}: {fault}" for fault in faults)
        if design:
            yield from design.faults()
        yield from self._doubled(study_dir)
        yield from self._lost_races(study_dir)

    def _twice(self, stored: Stored, record: RunRecord) -> list[str]:
        """Whether the run was met before and said something else."""
        text = stored.text.encode() if isinstance(stored.text, str) else stored.text
        seen = _Seen(stored.file, stored.row, self.n_records, blake2b(text.strip(), digest_size=8).digest())
        before = self.kept.setdefault(record.run_id, seen)
        if before is seen:
            self.first[record.run_id] = seen
            return []
        differs = before.text != seen.text and self._again.read(before) not in (record, None)
        if not differs and before.row is not None and seen.row is not None:
            self._doubles[before.file, seen.file] += 1
        elif before.row is None and seen.row is not None:
            self.kept[record.run_id] = seen  # packed: a second row is compared with this one
        return [f"run {record.run_id} differs from the one in {before.where}"] if differs else []

    def _doubled(self, study_dir: Path) -> Iterator[str]:
        """Runs that were packed twice, a line for each two parts."""
        for (first, second), n in self._doubles.items():
            place = "twice" if first == second else f"in {first.name} too"
            runs = "1 run stands" if n == 1 else f"{n} runs stand"
            unpack, pack = (command("predictor", "runs", word, study_dir) for word in ("unpack", "pack"))
            yield f"{second}: {runs} there {place}; `{unpack}`, then `{pack}` leave each of them once"

    def _lost_races(self, study_dir: Path) -> Iterator[str]:
        """Second records of a run that say something else than the first."""
        try:
            attempts = read_attempts(study_dir)
        except RegistryError as error:
            yield f"{error.where}: {error.problem}"
            return
        for path, attempt in attempts.items():
            if attempt.get("status") != DUPLICATE:
                continue
            try:
                second = RunRecord.model_validate(attempt.get("record"))
            except ValueError:
                yield f"{path}: holds no readable second record of run {attempt.get('run_id')}"
                continue
            seen = self.kept.get(second.run_id)
            first = self._again.read(seen) if seen else None
            if first is None or result(first) != result(second):
                yield f"{path}: a second record of run {second.run_id} differs from the one that is kept"


def _place_faults(stored: Stored, listed_id: str | None, record: RunRecord) -> list[str]:
    faults = []
    if listed_id != record.run_id:
        named = "file is named" if stored.row is None else "column run_id says"
        faults.append(f"the {named} {listed_id!r}; the record's run_id is {record.run_id}")
    if record.study != stored.study:
        faults.append(f"the record's study is {record.study!r}; its folder is {stored.study!r}")
    return faults


def _everything(study_dir: Path) -> Iterator[tuple[Stored, str | None] | str]:
    """Every stored record with the id it is listed under, or what is wrong with a file or row that cannot be read."""
    study = study_dir.resolve().name
    for path in json_files(study_dir):
        try:
            text = read_bytes(path, limit=MAX_RECORD, root=study_dir)
        except OSError as error:
            if not packed_since(path, error):
                yield str(unreadable(path, error))
            continue
        yield Stored(study, path, None, text), path.stem
    for part in part_files(study_dir):  # after the JSON files, as in stored_records
        yield from _rows(part, study)


def _rows(part: Path, study: str) -> Iterator[tuple[Stored, str | None] | str]:
    """The records of a part, a chunk at a time."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            source = checked_part(part, connection)
            found = connection.execute("SELECT run_id, record FROM read_parquet($1)", [source])
            chunks = iter(lambda: found.fetchmany(CHUNK), [])
            for row, (run_id, text) in enumerate(chain.from_iterable(chunks), start=1):
                stored = Stored(study, part, row, text)
                yield (stored, run_id) if isinstance(text, str) else f"{stored.where}: column 'record' holds no text"
    except duckdb.Error as error:
        yield str(damaged(part, error))
    except RegistryError as error:
        yield str(error)
