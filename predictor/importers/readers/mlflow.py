"""A local store of MLflow -> a table: a row a finished run, the last value of each metric. It is only read.

mlflow.db (SQLite; tables of MLflow's own schema), or a folder mlruns/EXPERIMENT/RUN/ with meta.yaml, params/, metrics/
and tags/. Both are read without MLflow, which would make folders and tables of its own when it opens a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from predictor.errors import RegistryError, listed
from predictor.grids.expand import read_mapping
from predictor.importers.readers.flat import MAX_RUNS, folder_of
from predictor.importers.table import Cell, ImportedTable, shown
from predictor.reading import MIB, check_regular, read_text

DATABASE = "mlflow.db"
FINISHED = {"FINISHED", "3"}  # as text in a database, as a number in meta.yaml
OWN_TAGS = "mlflow."  # MLflow's own tags: user, source, ...
RUNS = """SELECT r.run_uuid, r.name, e.name, r.status FROM runs r JOIN experiments e USING (experiment_id)
          WHERE r.lifecycle_stage = 'active' ORDER BY r.start_time, r.run_uuid"""
VALUES = {
    "params": "SELECT run_uuid, key, value FROM params",
    "metrics": "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics",
    "tags": "SELECT run_uuid, key, value FROM tags",
}
PARTS = ("metrics", "params", "tags")  # folders of a run in mlruns/
Run = tuple[str, str | None, dict[str, Cell]]  # id, status, cells


def read(source: str | Path) -> ImportedTable:
    """The table of a store: its database, or the folder that holds either kind.

    Raises RegistryError where there is no store, or it is damaged.
    """
    path = Path(source)
    torn: list[str] = []
    if path.is_file():
        runs = list(_database(path))
    elif (path / DATABASE).is_file():
        runs = list(_database(path / DATABASE))
    else:
        folder = folder_of(path, f"{DATABASE} or mlruns/")
        runs = list(_folders(folder / "mlruns" if (folder / "mlruns").is_dir() else folder, torn))
    if len(runs) > MAX_RUNS:
        raise RegistryError(f"{len(runs):,} runs; at most {MAX_RUNS:,} are read", where=str(path))
    left = [name for name, status, _ in runs if status not in FINISHED]
    kept = [(f"run {name}", cells) for name, status, cells in runs if status in FINISHED]
    notes = [f"{len(left)} runs left out, not finished: {listed(left)}"] if left else []
    notes += [f"{len(torn)} folders left out, without a meta.yaml that names the run: {listed(torn)}"] if torn else []
    if not kept:
        problem = f"no finished run; {'; '.join(notes)}" if notes else "no run"
        raise RegistryError(problem, where=str(path), remedy=f"name MLflow's {DATABASE}, or its folder mlruns/")
    return ImportedTable.of_records(str(path), kept, notes)


def _database(path: Path) -> Iterator[Run]:
    try:
        check_regular(path)
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            cells: dict[str, dict[str, Cell]] = {}
            for kind, query in VALUES.items():
                for run, key, value in connection.execute(query):
                    if not key.startswith(OWN_TAGS):
                        cells.setdefault(run, {})[f"{kind}.{key}"] = value
            for run, name, experiment, status in connection.execute(RUNS).fetchall():
                yield run, status, {"run_id": run, "run_name": name, "experiment": experiment, **cells.get(run, {})}
    except (sqlite3.Error, OSError) as error:
        raise RegistryError(f"is no readable store of MLflow: {error}", where=str(path),
                            remedy=f"name {DATABASE}, or mlruns/") from None  # fmt: skip


def _folders(root: Path, torn: list[str]) -> Iterator[Run]:
    """The runs of mlruns/; torn : gets the folders that are one, as far as can be seen, and do not say so."""
    for experiment in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        there = (experiment / "meta.yaml").is_file()
        about = read_mapping(experiment / "meta.yaml", "meta.yaml") if there else {}
        for run in sorted(p for p in experiment.iterdir() if p.is_dir()):
            own = (run / "meta.yaml").is_file()
            meta = read_mapping(run / "meta.yaml", "meta.yaml") if own and there else {}
            if meta.get("lifecycle_stage", "active") != "active":
                continue
            if "run_id" not in meta:
                if any((run / part).is_dir() for part in PARTS):
                    torn.append(run.relative_to(root).as_posix())
                continue
            cells: dict[str, Cell] = {
                "run_id": str(meta["run_id"]), "run_name": meta.get("run_name"), "experiment": about.get("name")
            }  # fmt: skip
            for kind in VALUES:
                for name, text in _files(run / kind):
                    if not name.startswith(OWN_TAGS):
                        value = _last(text, str(run / kind / name)) if kind == "metrics" else text
                        cells[f"{kind}.{name}"] = value
            yield str(meta["run_id"]), str(meta.get("status")), cells


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every file below a folder; names of MLflow may hold slashes."""
    if not folder.is_dir():
        return
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            yield path.relative_to(folder).as_posix(), read_text(path, limit=64 * MIB, root=folder)
        except (OSError, UnicodeDecodeError) as error:
            raise RegistryError(f"cannot be read: {error}", where=str(path)) from None


def _last(text: str, where: str) -> str | None:
    """The value of the last step of a metric's lines: time, value, step. Raises RegistryError for another line."""
    last: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            _, value, *more = line.split()
            step = int(more[0]) if more else 0
        except ValueError:
            raise RegistryError(f"line {number}: {shown(line)} is no line of a metric; needed time, value, step",
                                where=where, remedy="copy the run's folder again, or remove it") from None  # fmt: skip
        last = (step, value) if last is None or step >= last[0] else last
    return None if last is None else last[1]
