"""Hugging Face data sets on disk: of `save_to_disk`, of the cache of `load_dataset`, and Parquet as on the Hub."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import ManifestError
from predictor.manifest.counted import Counted, Request
from predictor.manifest.engine import connected
from predictor.manifest.readers.columns import open_columns
from predictor.manifest.readers.features import KEY, LabelColumn, label_column, of_json
from predictor.manifest.readers.files import common_folder, first_file, stems
from predictor.manifest.readers.limits import Faults, refuse, without_label
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.splits import chosen_splits, split_in

if TYPE_CHECKING:
    import pyarrow as pa

DICT, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"
MAX_JSON = 1 << 26  # bytes of a description or of a Parquet footer
ARROW = (b"ARROW1", b"\xff\xff\xff\xff")  # how a file and a stream begin
CACHED = "cache-"  # results of Dataset.map that lie beside the data


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file of rows. features : {} where they stand in the file itself"""

    path: Path
    split: str
    features: dict[str, object]


def recognises(path: Path, head: bytes) -> bool:
    """A folder that `datasets` wrote, an Arrow file, or Parquet whose schema holds features."""
    if path.is_file():
        return _has_features(path) if head[:4] == b"PAR1" else head.startswith(ARROW) or path.suffix == ".arrow"
    if not path.is_dir():
        return False
    if any((path / name).is_file() for name in (DICT, STATE)) or _cached(path):
        return True
    parquet = first_file(path, (".parquet",))
    return parquet is not None and _has_features(parquet)


def read(path: Path, request: Request) -> Counted:
    """Count the labels of the chosen split; a ClassLabel counts under its name.

    The column is 'label', or the only ClassLabel, or `request.label`; a cell that is a list gives its image several
    labels. A ClassLabel of -1 is missing, as `datasets` has it. Only the columns needed are read, a chunk at a time.

    Raises ManifestError for a folder that is not whole, a column that holds no labels, and labels without a name.
    """
    refuse(request, "a Hugging Face data set", str(path), "count", "weight")
    files = list(_files(path))
    if not files:
        raise ManifestError("holds no data", where=str(path), remedy="name the folder that save_to_disk wrote")
    taken, notes = chosen_splits((file.split for file in files), request, str(path))
    counts: Counter[str] = Counter()
    faults = Faults()
    samples = labelled = 0
    files = [file for file in files if file.split in taken]
    with connected([file.path for file in files], str(path), "data set", "save it again") as connection:
        for file in files:
            with open_columns(file.path, connection) as table:
                column = label_column(table.features or file.features, table.names, request.label, str(file.path))
                if table.schema is not None:
                    _check_type(table.schema.field(column.name).type, column, file.path)
                cells, n, n_labelled = table.count(column, request)
            found, missing = _named(cells, column, file.path, faults)
            counts.update(found)
            samples += n
            labelled += n - missing if n_labelled is None else n_labelled
    faults.check(str(path), "a ClassLabel is a number below the number of its names, or -1 where there is no label")
    if counts.total() != labelled:
        notes += (f"{counts.total():,} labels on {labelled:,} images: each counts for all of its labels",)
    notes += without_label(samples - labelled, request, str(path))
    return Counted(rows=[(name, "", n) for name, n in counts.items()], n_samples=labelled, notes=notes)


def _named(
    cells: list[tuple[str | None, int]], column: LabelColumn, path: Path, faults: Faults
) -> tuple[Counter[str], int]:
    """(images per class, cells without a label)"""
    counts: Counter[str] = Counter()
    missing = 0
    for cell, n in cells:
        try:
            name = None if cell is None else column.text(cell)
        except ValueError:
            names = f"{len(column.names or ()):,} names"
            faults.add(f"{path.name}: {cell!r} in {n:,} cells of column {column.name!r}, which has {names}")
            continue
        if name is None:
            missing += n
        else:
            counts[name] += n
    return counts, missing


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
        features = _features(path)
        for file in cached or files_of(path, ".parquet"):
            yield _File(path=file, split=split_in(stems(file, path)), features=features)


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
        with file.open("rb") as stream:
            content = stream.read(MAX_JSON + 1)
    except OSError as error:
        raise _damaged(file, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_JSON:
        raise _damaged(file, f"holds more than {MAX_JSON:,} bytes")
    return content


def _has_features(file: Path) -> bool:
    """Whether the footer of a Parquet file holds features; its last bytes are the footer, its length, 'PAR1'."""
    try:
        with file.open("rb") as stream:
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


def _check_type(kind: pa.DataType, column: LabelColumn, path: Path) -> None:
    """Raise ManifestError where the stored type cannot be counted, whatever the features say."""
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, many = kind.value_type, True
    else:
        many = False
    fits = (types.is_integer, types.is_boolean, types.is_string, types.is_large_string)
    if many != column.many or not any(fit(kind) for fit in fits):
        raise ManifestError(
            f"column {column.name!r} holds {kind}, no labels", where=str(path), remedy="name another with --label"
        )


def _damaged(file: Path, problem: str, remedy: str = "save the data set again") -> ManifestError:
    return ManifestError(problem, where=str(file), remedy=remedy)
