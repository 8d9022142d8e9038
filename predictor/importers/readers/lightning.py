"""Folders of Lightning's CSVLogger -> a table: hparams.NAME, and the last value of each column of metrics.csv."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from predictor.errors import RegistryError, listed
from predictor.grids.expand import read_mapping
from predictor.importers.readers.files import read_table
from predictor.importers.readers.flat import MAX_RUNS, files_below, flat, folder_of
from predictor.importers.table import Cell, ImportedTable, is_missing
from predictor.reading import opened_text

METRICS, HPARAMS = "metrics.csv", "hparams.yaml"


def read(source: str | Path) -> ImportedTable:
    """The table of the runs below a folder, such as lightning_logs/.

    A run that died before it measured anything is left out. Raises RegistryError where there is no other, and for a
    damaged metrics.csv; SpecError for a damaged hparams.yaml.
    """
    root = folder_of(Path(source), "a folder such as lightning_logs/")
    found = files_below(root, METRICS)
    if not found:
        raise RegistryError(f"no {METRICS} in it", where=str(root), remedy="name the logger's folder")
    if len(found) > MAX_RUNS:
        raise RegistryError(f"more than {MAX_RUNS:,} runs", where=str(root), remedy="import them in parts")
    empty = [path for path in found if not _has_rows(path)]
    names = listed([_name(path, root) for path in empty])
    if len(empty) == len(found):
        raise RegistryError(f"no row in {METRICS} of its runs: {names}", where=str(root),
                            remedy="name the folder of runs that measured something")  # fmt: skip
    notes = [f"{len(empty)} runs left out, without a row in {METRICS}: {names}"] if empty else []
    rows = [(f"run {_name(path, root)}", _cells(path, root)) for path in found if path not in set(empty)]
    return ImportedTable.of_records(str(root), rows, notes)


def _has_rows(path: Path) -> bool:
    """Whether a file has more than a header; what cannot be read is left to the reader of tables."""
    try:
        with opened_text(path) as stream:
            return len(list(islice((line for line in stream if line.strip()), 2))) > 1
    except (OSError, UnicodeDecodeError):
        return True


def _name(path: Path, root: Path) -> str:
    return path.parent.relative_to(root).as_posix() if path.parent != root else root.resolve().name


def _cells(path: Path, root: Path) -> dict[str, Cell]:
    cells: dict[str, Cell] = {"run": _name(path, root)}
    settings = path.parent / HPARAMS
    if settings.is_file() and settings.stat().st_size > 3:  # '{}' where a run has none
        cells |= flat("hparams", read_mapping(settings, HPARAMS))
    metrics = read_table(path)
    for position, name in enumerate(metrics.columns):
        filled = [row[position] for row in metrics.rows if not is_missing(row[position])]
        cells[f"metrics.{name}"] = filled[-1] if filled else None
    return cells
