"""What finished runs cost, without reading whole records: for progress and forecasts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from predictor.records.parts import checked_part, collector_paused, damaged, part_files
from predictor.records.schema import moment
from predictor.records.store import stored_json
from predictor.spec import Model, Recipe, network_name

PIECES = """SELECT json_extract(record, ['$.run_id', '$.status', '$.started_at', '$.seconds', '$.energy',
    '$.environment.device', '$.spec.model', '$.spec.recipe.batch_size', '$.ended_at']) AS piece,
    json_extract(record, '$.spec.stages[*].image_steps') AS steps FROM read_parquet($1)"""  # one pass over the texts
COLUMNS = f"""SELECT piece[1]->>'$', piece[2]->>'$', piece[6]->>'$',
    piece[7]->>'$', (piece[8]->>'$')::INTEGER,
    coalesce(list_sum(steps::BIGINT[]), 0)::BIGINT,
    list_sum([coalesce((piece[4]->>('$.' || name))::DOUBLE, 0) FOR name IN ['load', 'compile', 'train', 'evaluate']]),
    (piece[5]->>'$.joules')::DOUBLE, piece[3]->>'$', piece[9]->>'$' FROM ({PIECES})"""
SIDE_BY_SIDE = 4  # parts in one query: each core takes one, and memory holds few


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One finished run.

    seconds : load, compile, train and evaluate together; joules : None where the machine did not tell
    network : (model, image size, batch size), what the speed of a run depends on beside the device
    started_at, ended_at : as the record states them, readable or not; `end` reads them
    """

    run_id: str
    status: str
    device: str | None
    network: tuple[str, int, int] | None
    image_steps: int
    seconds: float
    joules: float | None
    started_at: str | None
    ended_at: str | None = None

    @property
    def end(self) -> datetime | None:
        """When its record was about to be written; None where it states no readable time with a zone.

        A record without `ended_at` is taken to have ended its seconds after `started_at`: too late for a run that was
        stopped and continued, whose seconds are those of all its tries.

        >>> cost = Cost(run_id="0", status="completed", device="cpu", network=None, image_steps=1, seconds=30.0,
        ...             joules=None, started_at="2026-01-01T00:00:00+00:00")
        >>> str(cost.end)
        '2026-01-01 00:00:30+00:00'
        """
        if (ended := moment(self.ended_at)) is not None:
            return ended
        started = moment(self.started_at)
        try:
            return None if started is None else started + timedelta(seconds=self.seconds)
        except (OverflowError, ValueError):  # a damaged number
            return None


def read_costs(study_dir: str | Path) -> list[Cost]:
    """The cost of every run of a study that has a record; damaged records are left to `check`.

    Raises RegistryError for a part that cannot be read.

    >>> read_costs("no/such/folder")
    []
    """
    folder = Path(study_dir)
    with collector_paused():
        found = {cost.run_id: cost for cost in _loose(folder)}
        found |= {cost.run_id: cost for cost in _packed(part_files(folder))}
    return list(found.values())


def _loose(folder: Path) -> Iterator[Cost]:
    for stored in stored_json(folder):
        try:
            record = json.loads(stored.text)
            spec, energy, machine = (record.get(name) or {} for name in ("spec", "energy", "environment"))
            model, recipe = spec.get("model", {}), spec.get("recipe", {})
            yield _cost(
                record["run_id"],
                record.get("status"),
                machine.get("device"),
                model,
                recipe.get("batch_size"),
                sum(stage["image_steps"] for stage in spec.get("stages", [])),
                sum((record.get("seconds") or {}).values()),
                energy.get("joules"),
                record.get("started_at"),
                record.get("ended_at"),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue


def _packed(parts: Sequence[Path]) -> Iterator[Cost]:
    import duckdb

    for first in range(0, len(parts), SIDE_BY_SIDE):
        some = parts[first : first + SIDE_BY_SIDE]
        try:
            with duckdb.connect() as connection:
                rows = connection.execute(COLUMNS, [[checked_part(part, connection) for part in some]]).fetchall()
        except duckdb.Error as error:
            if len(some) > 1:  # which of them?
                for part in some:
                    yield from _packed([part])
                continue
            raise damaged(some[0], error) from None
        for run_id, status, device, model, *rest in rows:
            yield _cost(run_id, status, device, json.loads(model or "{}"), *rest)


def _cost(
    run_id: str,
    status: str | None,
    device: str | None,
    model: Mapping[str, Any],
    batch_size: int | None,
    image_steps: int,
    seconds: float,
    joules: float | None,
    started_at: object,
    ended_at: object,
) -> Cost:
    batch_size = batch_size or Recipe.model_fields["batch_size"].default
    size = model.get("image_size") or Model.model_fields["image_size"].default
    return Cost(
        run_id=run_id,
        status=status or "completed",
        device=device,
        network=(network_name(model), size, batch_size) if model.get("name") else None,
        image_steps=image_steps,
        seconds=seconds,
        joules=joules,
        started_at=None if started_at is None else str(started_at),
        ended_at=None if ended_at is None else str(ended_at),
    )
