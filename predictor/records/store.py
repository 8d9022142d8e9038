"""Run records in files: one JSON per run while a grid runs, Parquet parts afterwards. Readers take both.

runs/<study>/{grid.yaml, <run_id>.json, runs-NNN.parquet, attempts/<run_id>.<n>.json}
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from stat import S_ISREG

from predictor.errors import RegistryError, listed
from predictor.files import add_file
from predictor.reading import MIB, WITHOUT_WAITING, check_inside, read_bytes, read_text
from predictor.records.attempts import DUPLICATE, write_attempt
from predictor.records.parsing import SharedParser, parse_record
from predictor.records.parts import MAX_RECORD, PART, collector_paused, names_in, part_column, part_files, unreadable
from predictor.records.rules.record import contradictions
from predictor.records.schema import RUN_ID, RunRecord

NOT_RECORDS = {"fit.json"}  # `predictor fit` writes its result beside the runs
NOT_STUDIES = {"lost+found"}  # root's own, where a registry is a file system
GRID = "grid.yaml"
MAX_GRID = MIB  # bytes; no larger one was ever trained
WHOLE = b"}\n"  # how a record ends that was written whole
REPRESENTATIVE = re.compile(r"^representative:\s*true\b", re.MULTILINE)  # a grid whole would take longer than its runs


@dataclass(frozen=True, slots=True)
class Stored:
    """The text of one record, and the file (and row) it stands in."""

    study: str
    file: Path
    row: int | None
    text: str | bytes

    @property
    def where(self) -> str:
        """For messages."""
        return str(self.file) if self.row is None else f"{self.file}, row {self.row}"

    def parse(self) -> RunRecord:
        """Raises RegistryError where it is no record."""
        return parse_record(self.text, self.where)


def read_registry(
    path: str | Path, studies: Sequence[str] | None = None, only: Collection[str] | None = None
) -> list[RunRecord]:
    """Every record of a registry (or of one study's folder), sorted by study and run id.

    studies : only these
    only : ids of configurations; the others' records are not even read, where they are packed
    A run that stands in a part and in a JSON file is taken from the part.

    Raises RegistryError naming every damaged record, and where there is no record at all.
    """
    records: list[RunRecord] = []
    problems: list[RegistryError] = []
    shared = SharedParser()
    for study_dir in study_folders(path, studies):
        found: dict[str, RunRecord] = {}
        with collector_paused():
            for stored in stored_json(study_dir):
                _parse(stored, found, problems, shared)
            for part in part_files(study_dir):  # after the JSON files, as in stored_records; a part wins
                for stored in stored_part(part, only):
                    _parse(stored, found, problems, shared)
        if only is not None:
            found = {run_id: record for run_id, record in found.items() if record.configuration_id in only}
        if is_representative(study_dir):
            for record in found.values():
                record.__dict__["representative"] = True  # known of the study's folder, not of the record
        records += (found[run_id] for run_id in sorted(found))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        texts = [f"{error.where}: {error.problem}" for error in problems]
        raise RegistryError(
            f"{len(problems)} damaged records: {listed(texts)}",
            where=str(path),
            remedy="restore them from version control, or delete them and train the runs again",
        )
    if not records:
        where = ", ".join(studies) if studies else None
        raise RegistryError(
            f"no run records{f' of {where}' if where else ''}",
            where=str(path),
            remedy="train a grid into it with `trainer run GRID.yaml --runs DIR`, or name another registry",
        )
    return records


def inside(folder: Path, root: Path) -> Path:
    """A folder of a registry. Raises RegistryError where it is a link that leads out of it."""
    if folder != root and folder.is_symlink():
        try:
            check_inside(folder, root)
        except OSError as error:
            raise RegistryError(
                f"a folder of a registry {error.strerror}",
                where=str(folder),
                remedy="copy it in, or name that folder itself",
            ) from None
    return folder


def is_representative(study_dir: Path) -> bool:
    """Whether the study's grid says that its configurations were drawn as a user's would be."""
    try:
        return REPRESENTATIVE.search(read_text(study_dir / GRID, limit=MAX_GRID, root=study_dir)) is not None
    except (OSError, UnicodeDecodeError):  # no grid, or one that `runs check` reports
        return False


def _parse(stored: Stored, found: dict[str, RunRecord], problems: list[RegistryError], shared: SharedParser) -> None:
    try:
        text = stored.text if isinstance(stored.text, str) else stored.text.decode(errors="replace")
        record = shared.parse(text) or stored.parse()
    except RegistryError as error:
        problems.append(error)
    else:
        found[record.run_id] = record


def study_folders(path: str | Path, studies: Sequence[str] | None = None) -> list[Path]:
    """The folders of a registry's studies, sorted; `path` may be one study's folder itself.

    A record or a grid that lies at the top of a registry, beside its studies, makes no study of it: see `stray_files`.
    Raises RegistryError for a missing folder or study.
    """
    root = Path(path)
    if not root.is_dir():
        problem = "is a file; a registry is a folder" if root.exists() else "no such folder"
        raise RegistryError(problem, where=str(path), remedy="name a folder of run records, such as runs/")
    below = _folders(root)
    if _holds_records(root) and not any(map(_holds_records, below)):
        folders = {root.resolve().name: root}
    else:
        folders = {p.name: p for p in below}
    if studies is None:
        return [inside(p, root) for p in folders.values() if not p.is_symlink() or _holds_records(p)]
    unknown = [name for name in studies if name not in folders]
    if unknown:
        near = sorted({match for name in unknown for match in difflib.get_close_matches(name, folders)})
        known = f"did you mean {', '.join(near)}?" if near else f"choose of {', '.join(folders) or 'none'}"
        raise RegistryError(f"no study {listed([repr(name) for name in unknown])}", where=str(path), remedy=known)
    return [inside(folders[name], root) for name in dict.fromkeys(studies)]


def stored_records(study_dir: str | Path) -> Iterator[Stored]:
    """The text of every record of a study: JSON files first, then parts.

    In this order a reader misses nothing while another process packs: a JSON file that has just gone is in a part.
    Raises RegistryError for a part that cannot be read.
    """
    folder = Path(study_dir)
    yield from stored_json(folder)
    for part in part_files(folder):
        yield from stored_part(part)


def stored_json(study_dir: Path) -> Iterator[Stored]:
    """The text of every single record of a study."""
    for path in json_files(study_dir):
        try:
            text = read_bytes(path, limit=MAX_RECORD, root=study_dir)
        except OSError as error:
            if packed_since(path, error):
                continue
            raise unreadable(path, error) from None
        yield Stored(study_dir.resolve().name, path, None, text)


def packed_since(path: Path, error: OSError) -> bool:
    """Whether a record is not there any more; a link that leads nowhere was never packed."""
    return isinstance(error, FileNotFoundError) and not path.is_symlink()


def stored_part(part: Path, only: Collection[str] | None = None) -> Iterator[Stored]:
    """The text of every record of a part; only : of these configurations alone."""
    study = part.parent.resolve().name
    if only is None:
        for row, text in enumerate(part_column(part, "record"), start=1):
            yield Stored(study, part, row, text)
        return
    for row, own in enumerate(part_column(part, "if(configuration_id IN $2, record, '')", [list(only)]), start=1):
        if own:
            yield Stored(study, part, row, own)


def json_files(study_dir: Path) -> list[Path]:
    """Files of single records, sorted by name. Raises RegistryError where the folder cannot be listed."""
    return [study_dir / f"{run_id}.json" for run_id in sorted(_loose_ids(study_dir))]


def finished_ids(study_dir: str | Path) -> set[str]:
    """Ids of the runs that have a record, from file names and parts; empty where the folder is missing.

    A torn file is no record: its run counts as finished only where a part holds it.

    >>> finished_ids("no/such/folder")
    set()
    """
    folder = Path(study_dir)
    ids = {run_id for run_id in _loose_ids(folder) if _whole(f"{folder}/{run_id}.json")}
    for part in part_files(folder):  # after the JSON files, as in stored_records
        ids.update(part_column(part, "run_id"))
    return ids


def torn_ids(study_dir: str | Path) -> set[str]:
    """Ids of the JSON files of a study that are torn: empty, or without the end that a whole record has.

    A full disk or a power failure leaves such files, copying too. A part may hold the run all the same.

    >>> torn_ids("no/such/folder")
    set()
    """
    folder = Path(study_dir)
    return {run_id for run_id in _loose_ids(folder) if _whole(f"{folder}/{run_id}.json") is False}


def _loose_ids(folder: Path) -> list[str]:
    """Names of the files of single records, without their ending."""
    return [name[:-5] for name in names_in(folder) if name.endswith(".json") and name not in NOT_RECORDS]


def _whole(file: str) -> bool | None:
    """Whether a record's file has the end of a whole record; None where there is no file any more.

    Only a file that ends otherwise is read: somebody may have written it without the last line break. A file that
    cannot be read is not known to be torn.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | WITHOUT_WAITING)
        try:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                return True  # nothing that a write tore
            size = os.lseek(descriptor, 0, os.SEEK_END)
            os.lseek(descriptor, max(size - len(WHOLE), 0), os.SEEK_SET)
            if os.read(descriptor, len(WHOLE)) == WHOLE:
                return True
        finally:
            os.close(descriptor)
        json.loads(read_bytes(file, limit=MAX_RECORD))
    except FileNotFoundError:  # packed since the listing
        return None
    except OSError:
        return True
    except (ValueError, RecursionError):
        return False
    return True


class Finished:
    """Runs of one study that have a record, whoever writes them meanwhile: `run_id in finished`.

    Asking for a run costs a look at the end of its file, not a listing of the folder; a torn file is no record.
    """

    def __init__(self, study_dir: str | Path):
        self._folder = Path(study_dir)
        self._ids = finished_ids(self._folder)
        self._parts = {part.name for part in part_files(self._folder)}

    def __contains__(self, run_id: object) -> bool:
        if run_id in self._ids:
            return True
        if _whole(f"{self._folder}/{run_id}.json"):
            self._ids.add(str(run_id))
        else:
            self._look_for_parts()  # after the look at the JSON file, as in stored_records
        return run_id in self._ids

    def _look_for_parts(self) -> None:
        while (part := self._folder / f"runs-{len(self._parts) + 1:03d}.parquet").exists():
            self._parts.add(part.name)
            self._ids.update(part_column(part, "run_id"))


def write_record(runs_dir: str | Path, record: RunRecord) -> Path:
    """Add a record to its study, whole or not at all. A record already there wins and stays as it is.

    Where the one already there differs in spec, data or outcomes, the new one is kept in attempts/ and named by
    `check`. Raises RegistryError for a record that contradicts itself or cannot be written.
    """
    faults = contradictions(record)
    where = Path(runs_dir, record.study, f"{record.run_id}.json")
    if faults:
        raise RegistryError(f"the record contradicts itself: {listed(faults)}", where=str(where))
    while not add_file(where, f"{record.to_json()}\n".encode()):
        try:
            before = parse_record(read_bytes(where, limit=MAX_RECORD, root=where.parent), str(where))
        except FileNotFoundError:  # packed since; the next pack compares this one with it
            continue
        except OSError as error:
            raise unreadable(where, error) from None
        if result(before) != result(record):
            attempt = {"status": DUPLICATE, "message": f"{where.name} was there already", "record": _plain(record)}
            write_attempt(runs_dir, study=record.study, run_id=record.run_id, attempt=attempt)
        break
    return where


def result(record: RunRecord) -> dict[str, object]:
    """What two records of one run must agree on: not time, place or machine."""
    return {"spec": record.spec, "data": record.data, "outcomes": record.outcomes, "status": record.status}


def _plain(record: RunRecord) -> object:
    return json.loads(record.to_json())


def stray_files(path: str | Path) -> list[Path]:
    """Records, parts and a grid at the top of a registry, beside its studies: nothing reads them there."""
    root = Path(path)
    if not any(map(_holds_records, _folders(root))):  # one study's folder
        return []
    return sorted(root / name for name in names_in(root) if _of_a_study(name))


def _folders(root: Path) -> list[Path]:
    return sorted(path for name in names_in(root) if name not in NOT_STUDIES and (path := root / name).is_dir())


def _holds_records(folder: Path) -> bool:
    return any(map(_of_a_study, names_in(folder)))


def _of_a_study(name: str) -> bool:
    """Whether a file's name is that of a record, of a part or of a grid."""
    stem, _, ending = name.rpartition(".")
    return name == GRID or (ending == "json" and bool(re.match(RUN_ID, stem))) or fnmatch(name, PART)
