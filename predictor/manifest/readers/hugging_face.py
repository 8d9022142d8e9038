"""Hugging Face data sets on disk: of `save_to_disk`, of the cache of `load_dataset`, and Parquet as on the Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import connected, quoted_path
from predictor.manifest.parts import Opened
from predictor.manifest.readers.arrow import arrow_table, check_pyarrow, unreadable
from predictor.manifest.readers.features import KEY, class_names, label_column, of_json, of_schema
from predictor.manifest.readers.files import common_folder, first_file, stems
from predictor.manifest.readers.limits import refuse
from predictor.manifest.readers.parquet import check_size
from predictor.manifest.readers.paths import files_of
from predictor.manifest.splits import chosen_splits, is_split, split_in
from predictor.manifest.table import Table
from predictor.manifest.table_parts import TablePart
from predictor.reading import opened as opened_file

if TYPE_CHECKING:
    import duckdb

DICT, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
MAX_JSON = 1 << 26  # bytes of a description or of a Parquet footer
ARROW = (b"ARROW1", b"\xff\xff\xff\xff")  # how a file and a stream begin
DEFAULT = "default"  # the configuration that `load_dataset` takes
CACHED = "cache-"  # results of Dataset.map that lie beside the data
PARTS = "part-*-of-*.arrow"  # of a cache of images; the description of its columns is written last


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file of rows. features : {} where they stand in the file itself; configuration : the folder that names one"""

    path: Path
    split: str
    features: dict[str, object]
    configuration: str = ""


def recognises(path: Path, head: bytes) -> bool:
    """A folder that `datasets` wrote, an Arrow file, or Parquet whose schema holds features."""
    if path.is_file():
        return _has_features(path) if head[:4] == b"PAR1" else head.startswith(ARROW) or path.suffix == ".arrow"
    if not path.is_dir():
        return False
    if any((path / name).is_file() for name in (DICT, STATE)) or _cached(path) or any(path.glob(PARTS)):
        return True
    parquet = first_file(path, (".parquet",))
    return parquet is not None and _has_features(parquet)


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """The files of the chosen split; a ClassLabel counts under its name.

    The column is 'label', or the only ClassLabel, or `request.label`; a cell that is a list gives its image several
    labels. A ClassLabel of -1 is missing, as `datasets` has it. Only the columns needed are read, a chunk at a time.

    Raises ManifestError for a folder that is not whole, several configurations, and a column that holds no labels.
    """
    refuse(request, "a Hugging Face data set", str(path), "header", "sheet")
    files = list(_files(path))
    if not files:
        raise ManifestError("holds no data", where=str(path), remedy="name the folder that save_to_disk wrote")
    files, notes = _configuration(path, files)
    taken: set[str] | None = None
    if {file.split for file in files} - {""}:
        taken, said = chosen_splits(dict.fromkeys(file.split for file in files), request, str(path))
        notes += said
    files = [file for file in files if taken is None or file.split in taken]
    with connected([file.path for file in files], str(path), "data set", "save it again") as connection:
        yield Opened(
            [TablePart(_table(f, i, connection, request), request) for i, f in enumerate(files)], notes, "image"
        )


def _table(file: _File, number: int, connection: duckdb.DuckDBPyConnection, request: ManifestRequest) -> Table:
    where = str(file.path)
    if _mark(file.path) == b"PAR1":
        table, features = _parquet(file.path, connection)
    else:
        check_pyarrow(file.path)
        table, features = arrow_table(file.path, connection, f"arrow{number}")
    features = features or file.features
    column = label_column(features, table.columns, request.label, where)
    names = {name: known for name in table.columns if (known := class_names(features.get(name)))}
    table = replace(table, split=file.split, names=names, default_label=None if request.label else column)
    return table


def _parquet(path: Path, connection: duckdb.DuckDBPyConnection) -> tuple[Table, dict[str, object]]:
    file = quoted_path(path)
    try:
        check_size(path, connection)
        metadata = dict(connection.execute(f"SELECT key, value FROM parquet_kv_metadata({file})").fetchall())
        relation = f"read_parquet({file}, hive_partitioning = false)"
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except ManifestError:
        raise
    except Exception as error:  # the engine's, of a damaged file
        raise unreadable(path, error) from None
    table = Table(path=path, connection=connection, relation=relation, columns={row[0]: row[1] for row in described})
    return table, of_schema(metadata, str(path))


def _mark(path: Path) -> bytes:
    try:
        with opened_file(path) as file:
            return file.read(4)
    except OSError as error:
        raise ManifestError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _configuration(path: Path, files: list[_File]) -> tuple[list[_File], list[str]]:
    """The files of the only configuration, or of the one called 'default'.

    Raises ManifestError where there are several others: they hold the same images in other ways.
    """
    names = {file.configuration for file in files} - {""}
    if len(names) < 2:
        return files, []
    if DEFAULT in names:
        left = listed([repr(name) for name in sorted(names) if name != DEFAULT])
        taken = [file for file in files if file.configuration in ("", DEFAULT)]
        return taken, [f"configuration {DEFAULT!r} taken; left out: {left}"]
    some = sorted(names)
    raise ManifestError(
        f"holds {len(names)} configurations: {listed([repr(name) for name in some])}",
        where=str(path),
        remedy=f"name one of them: {path / some[0]}",
    )


def _files(path: Path) -> Iterator[_File]:
    """The files of rows of a layout, whatever their split."""
    if not path.is_dir():
        files = files_of(path)
        base = common_folder(files)
        for file in files:
            yield _File(path=file, split="" if files == [path] else split_in(stems(file, base)), features={})
    elif (path / DICT).is_file():
        splits = _json(path / DICT).get("splits")
        if not isinstance(splits, list) or not splits:
            raise _damaged(path / DICT, "names no splits")
        for split in splits:
            folder = _inside(path, split, path / DICT)
            yield from (_File(path=f.path, split=split, features=f.features) for f in _saved(folder))
    elif (path / STATE).is_file():
        yield from _saved(path)
    else:
        cached = _cached(path)
        if not cached and any(path.glob(PARTS)):
            raise ManifestError(
                f"holds parts of a cache of images and no {INFO}: it was not written to its end",
                where=str(path),
                remedy="give the same `trainer cache` command again, it writes the rest",
            )
        features = _features(path)
        for file in cached or files_of(path, ".parquet"):
            parts = stems(file, path)
            top = parts[0] if len(parts) > 1 and not cached else ""
            own = "" if top.lower() in ("", "data") or "=" in top or is_split(top) else top
            yield _File(path=file, split=split_in(parts[bool(own) :]), features=features, configuration=own)


def _saved(folder: Path) -> Iterator[_File]:
    """What `Dataset.save_to_disk` wrote: state.json names the files, dataset_info.json holds the features."""
    state = _json(folder / STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise _damaged(folder / STATE, "selects rows by indices, as datasets 1 saved them", "save it with datasets 2")
    listed_files = state.get("_data_files")
    if not isinstance(listed_files, list):
        raise _damaged(folder / STATE, "names no '_data_files'")
    for each in listed_files:
        file = _inside(folder, each.get("filename") if isinstance(each, dict) else each, folder / STATE)
        if not file.is_file():
            raise _damaged(folder / STATE, f"names {file.name!r}, and there is no such file")
        yield _File(path=file, split=str(state.get("_split") or ""), features=_features(folder))


def _cached(folder: Path) -> list[Path]:
    """The Arrow files in a folder of the cache of `load_dataset`."""
    if not (folder / INFO).is_file():
        return []
    return sorted(file for file in folder.glob("*.arrow") if not file.name.startswith(CACHED))


def _features(folder: Path) -> dict[str, object]:
    file = folder / INFO
    return of_json(_bytes(file), str(file)) if file.is_file() else {}


def _inside(folder: Path, name: object, where: Path) -> Path:
    """A file or folder that a description names: one that lies in its own folder, never elsewhere."""
    if not isinstance(name, str) or not name or name in (".", "..") or set(name) & set("/\\\0"):
        raise _damaged(where, f"names {name!r}, which is no file beside it")
    return folder / name


def _json(file: Path) -> dict[str, object]:
    try:
        value = json.loads(_bytes(file))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _damaged(file, "is no JSON object")
    return value


def _bytes(file: Path) -> bytes:
    try:
        with opened_file(file) as stream:
            content = stream.read(MAX_JSON + 1)
    except OSError as error:
        raise _damaged(file, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_JSON:
        raise _damaged(file, f"holds more than {MAX_JSON:,} bytes")
    return content


def _has_features(file: Path) -> bool:
    """Whether the footer of a Parquet file holds features; its last bytes are the footer, its length, 'PAR1'."""
    try:
        with opened_file(file) as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(end - 8, 0))
            length = int.from_bytes(stream.read(4), "little")
            if length > min(end, MAX_JSON):
                return False
            stream.seek(max(end - 8 - length, 0))
            footer = stream.read(length)
    except OSError:
        return False
    return KEY in footer and b'"features"' in footer


def _damaged(file: Path, problem: str, remedy: str = "save the data set again") -> ManifestError:
    return ManifestError(problem, where=str(file), remedy=remedy)
