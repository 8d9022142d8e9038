"""Texts of records -> columns: DuckDB reads what differs between runs, the rest is parsed once for all that share it.

A registry may hold 100,000 runs of a few thousand configurations. Runs are alike where everything that a frame takes
from a record, but ids, seeds, results and costs, is the same text; one of them, validated like any record read alone,
stands for all.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import RegistryError
from predictor.records.gate import one_scale, refuse_impossible
from predictor.records.parsing import parse_record
from predictor.records.parts import checked_part, part_files
from predictor.records.schema import RUN_ID, RunRecord
from predictor.records.store import read_registry, stored_json, study_folders

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

Source = tuple[int, str, object]  # number of the folder, query that gives row and text, its parameter
CHUNK = 5_000  # single records at once
SIDE_BY_SIDE = 2  # sources that are read at once: memory grows with them
OUTCOME = "STRUCT(value DOUBLE, scale VARCHAR, classes VARCHAR[], tested BIGINT[], correct BIGINT[])"
TYPES = """{"run_id": "VARCHAR", "configuration_id": "VARCHAR", "study": "VARCHAR", "provenance": "VARCHAR",
    "status": "VARCHAR", "held_out": "BOOLEAN", "target_set": "VARCHAR", "domain": "VARCHAR", "axes": "JSON",
    "spec": {"sources": "JSON", "stages": "JSON", "model": "JSON", "recipe": "JSON",
        "seeds": {"data": "BIGINT", "training": "BIGINT"}},
    "data": "JSON", "environment": "JSON", "images_per_second": "DOUBLE", "data_report": {"n_bad_images": "BIGINT"},
    "energy": {"joules": "DOUBLE"}, "citation": "VARCHAR",
    "seconds": {"load": "DOUBLE", "compile": "DOUBLE", "train": "DOUBLE", "evaluate": "DOUBLE"},
    "outcomes": "MAP(VARCHAR, OUTCOME)"}""".replace("OUTCOME", OUTCOME)
LIST = "SELECT unnest(range(len($1::VARCHAR[]))) AS row, unnest($1::VARCHAR[]) AS text"
PART = "SELECT file_row_number AS row, record AS text FROM read_parquet($1, file_row_number=true)"
READ = f"""CREATE OR REPLACE TEMP TABLE runs AS SELECT *, md5(to_json([
        to_json([study, provenance, status, target_set, domain]), to_json(held_out), axes, data, environment,
        spec.sources, spec.stages, spec.model, spec.recipe,
        to_json(map_keys(outcomes)), to_json(clean.classes), to_json(clean.tested)])::VARCHAR) AS alike
    FROM (SELECT row, text, unnest(typed), typed.outcomes['accuracy'] AS clean
          FROM (SELECT row, text, from_json_strict(text, '{TYPES}') AS typed FROM (TEXTS)))"""
OWN = """SELECT run_id, configuration_id, alike, spec.seeds.data::DOUBLE AS data_seed,
    spec.seeds.training::DOUBLE AS training_seed, images_per_second,
    seconds.load + seconds.compile + seconds.train + seconds.evaluate AS seconds,
    data_report.n_bad_images::DOUBLE AS n_bad_images, energy.joules AS joules, citation FROM runs ORDER BY row"""
FIRST = "SELECT alike, arg_min(text, row) FROM runs GROUP BY alike ORDER BY min(row)"
DAMAGED = f"""SELECT count(*) FROM runs WHERE NOT coalesce(
    regexp_full_match(run_id, '{RUN_ID}') AND regexp_full_match(configuration_id, '{RUN_ID}')
    AND len([1 FOR o IN map_values(outcomes) IF o.value IS NULL OR len(o.classes) <> len(o.tested)
             OR len(o.tested) <> len(o.correct) OR list_min(o.correct) < 0 OR list_min(o.tested) < 0]) = 0, false)"""
# noise: as `binomial_noise`, for whole tables
MEASURED = """SELECT row, name, value, coalesce(scale, 'accuracy') AS scale,
    CASE WHEN len(tested) > 0 AND coalesce(scale, 'accuracy') = 'accuracy' THEN sqrt(list_sum(
        [(pair[1] / greatest(pair[2], 1)) * (1 - pair[1] / greatest(pair[2], 1)) / greatest(pair[2], 1)
         FOR pair IN list_zip(correct, tested)])) / len(tested) END AS noise
    FROM (SELECT row, name, unnest(outcome) FROM
          (SELECT row, unnest(map_keys(outcomes)) AS name, unnest(map_values(outcomes)) AS outcome FROM runs))"""


@dataclass(frozen=True)
class Columns:
    """What a frame is made of.

    own : a row per run: run_id, configuration_id, seeds, costs, citation, and out_*, scale_* and noise_* of every
        outcome
    like : (n_runs,) which of `examples` a run is like
    examples : one record of each kind
    """

    own: pd.DataFrame
    like: np.ndarray
    examples: list[RunRecord]


def columns_of(
    runs: str | Path | Sequence[RunRecord], studies: Sequence[str] | None = None, *, gate: bool = True
) -> Columns:
    """The columns of a registry, sorted by study and run id, or of records in the order given.

    gate : refuse outcomes that their scale cannot hold; False: to list what there is
    Raises RegistryError naming every damaged record, and where there is no record at all.
    """
    if not isinstance(runs, str | Path):
        return _passed(_columns(_of_records(runs)), gate)
    import duckdb

    try:
        columns = _columns(_of_folders(study_folders(runs, studies)))
    except (duckdb.Error, UnicodeDecodeError, RegistryError):  # damage, or an older schema: one by one, with names
        return _passed(_columns(_of_records(read_registry(runs, studies))), gate)
    if columns.own.empty:
        read_registry(runs, studies)  # says why
    order = columns.own.drop_duplicates(["folder", "run_id"], keep="last").sort_values(["folder", "run_id"]).index
    return _passed(Columns(columns.own.loc[order].reset_index(drop=True), columns.like[order], columns.examples), gate)


def _passed(columns: Columns, gate: bool) -> Columns:
    """The columns, once every outcome passed the gate, where there is one."""
    if not gate:
        return columns
    own = columns.own
    for name in [column.removeprefix("out_") for column in own if column.startswith("out_")]:
        there = own[own[f"out_{name}"].notna()]
        one_scale(name, Counter(there[f"scale_{name}"].tolist()))

        def run(i: int, there: pd.DataFrame = there) -> str:
            return f"{columns.examples[columns.like[there.index[i]]].study}/{there['run_id'].iloc[i]}"

        refuse_impossible(name, there[f"scale_{name}"].iloc[0], there[f"out_{name}"].to_numpy(), run)
    return columns


def _of_records(records: Sequence[RunRecord]) -> Iterator[Source]:
    for start in range(0, len(records), CHUNK):
        yield 0, LIST, [record.to_json() for record in records[start : start + CHUNK]]


def _of_folders(folders: Sequence[Path]) -> Iterator[Source]:
    import duckdb

    for number, folder in enumerate(folders):
        single = (str(stored.text, "utf-8") for stored in stored_json(folder))
        while texts := list(islice(single, CHUNK)):
            yield number, LIST, texts
        for part in part_files(folder):  # after the JSON files, as in stored_records; a part wins
            with duckdb.connect() as connection:
                source = checked_part(part, connection)
            yield number, PART, source


def _columns(sources: Iterable[Source]) -> Columns:
    import pandas as pd

    tables = [pd.DataFrame({"run_id": [], "configuration_id": [], "alike": np.zeros(0, np.intp)})]
    place: dict[str, int] = {}
    examples: list[RunRecord] = []
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:  # DuckDB works outside the interpreter's lock
        for firsts, own in _ahead(pool, sources):
            for alike, text in firsts:
                if alike not in place:
                    place[alike] = len(place)
                    examples.append(parse_record(text, "a record"))
            own["alike"] = own["alike"].map(place)
            tables.append(own)
    own = pd.concat(tables[1:] or tables, ignore_index=True)
    return Columns(own, own.pop("alike").to_numpy(np.intp), examples)


def _ahead(pool: ThreadPoolExecutor, sources: Iterable[Source]) -> Iterator[tuple[list[tuple[str, str]], pd.DataFrame]]:
    """What `_read` makes of each source, in order; one for each thread is read ahead and no more held."""
    waiting: deque[Future[tuple[list[tuple[str, str]], pd.DataFrame]]] = deque()
    for source in sources:
        waiting.append(pool.submit(_read, source))
        if len(waiting) > SIDE_BY_SIDE:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(source: Source) -> tuple[list[tuple[str, str]], pd.DataFrame]:
    """(kind, text of its first run) of every kind of runs, and a row per run. Raises RegistryError for damage."""
    import duckdb

    folder, query, texts = source
    with duckdb.connect(config={"threads": 1}) as connection:  # a source has too few rows for more
        connection.execute(READ.replace("TEXTS", query), [texts])
        if connection.execute(DAMAGED).fetchall() != [(0,)]:
            raise RegistryError("damaged records")  # read_registry names them
        firsts, own = connection.execute(FIRST).fetchall(), connection.execute(OWN).df()
        return firsts, own.assign(folder=folder, **_measured(connection, len(own)))


def _measured(connection: duckdb.DuckDBPyConnection, n_runs: int) -> dict[str, np.ndarray]:
    """{out_*, noise_*: (n_runs,)} of every outcome, NaN where a run has none."""
    found = connection.execute(MEASURED).df()
    columns: dict[str, np.ndarray] = {}
    for name, rows in found.groupby("name", sort=False):
        scale = np.full(n_runs, None, dtype=object)
        scale[rows["row"]] = rows["scale"]
        columns[f"scale_{name}"] = scale
        for kind, values in (("out", rows["value"]), ("noise", rows["noise"])):
            column = np.full(n_runs, np.nan)
            column[rows["row"]] = values
            columns[f"{kind}_{name}"] = column
    return columns | _robustness(columns)


def _robustness(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Its noise is that of the mean of its shifts, where each has one."""
    own = columns.get("noise_robustness")
    shifts = sorted(name.removeprefix("out_") for name in columns if name.startswith("out_shift:"))  # one order
    if own is None or not shifts:
        return {}
    there = np.array([~np.isnan(columns[f"out_{name}"]) for name in shifts])
    variance = np.array([columns[f"noise_{name}"] ** 2 for name in shifts])
    n_shifts = there.sum(axis=0)
    mean = np.sqrt(np.where(there, variance, 0).sum(axis=0)) / np.maximum(n_shifts, 1)
    here = np.isnan(own) & ~np.isnan(columns["out_robustness"]) & (n_shifts > 0)
    return {"noise_robustness": np.where(here, mean, own)}
