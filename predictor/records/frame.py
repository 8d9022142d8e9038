"""Run records -> one table with a row per run, for statistics, models and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.records.context import indicator_context, indicator_key, shared_parts
from predictor.records.noise import outcome_noise
from predictor.records.schema import Reported, RunRecord
from predictor.records.store import collector_paused
from predictor.spec import Model, Recipe, Stage, StageData

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("run_id", "configuration_id", "study", "target_set", "domain", "provenance", "status", "held_out")


def frame(records: Sequence[RunRecord], indicators: Sequence[str] | None = None) -> pd.DataFrame:
    """One row per run, in the order given.

    Columns: run_id, configuration_id, study, target_set, domain, provenance, status, held_out, then the families
    axis_* (of the grid), spec_*, ind_* (float), out_* (float), noise_* (standard deviation of an outcome that comes
    from its finite test images), env_*. A cell that does not apply is missing.
    indicators : these alone; None: all of them
    `.attrs["reasons"]` says why indicators are missing: {column: {reason: number of runs}}.

    Indicators are computed once per distinct label distribution; reported ones are taken as they are.

    >>> frame([]).columns.tolist()[:2]
    ['run_id', 'configuration_id']
    """
    import pandas as pd

    with collector_paused():
        values, reasons = _indicators(records, indicators)
        contents = [record.__dict__ for record in records]  # quicker than eight times the attribute of each
        columns: dict[str, Any] = {key: [content[key] for content in contents] for key in KEYS}
        columns |= _family("axis_", [record.axes for record in records])
        columns |= _family("spec_", _specs(records))
        columns |= _family("spec_", [_seeds(record) for record in records])
        columns |= _family("ind_", values, kind="float64")
        columns |= _outcomes(records)
        noise = outcome_noise([record.outcomes for record in records])
        columns |= {f"noise_{name}": column for name, column in noise.items()}
        columns |= _family("env_", _machines(records))
        columns |= _family("env_", [_cost(record) for record in records])
        table = pd.DataFrame(columns)
        table.attrs["reasons"] = reasons
    return table


def _family(prefix: str, rows: Sequence[Mapping[str, Any]], kind: str | None = None) -> dict[str, Any]:
    """{prefix + name: column} over the union of the names, in order of first appearance.

    Runs that share one mapping cost one look at it: a registry may hold 100,000 runs of a few configurations.
    """
    import pandas as pd

    place: dict[int, int] = {}
    codes = np.fromiter((place.setdefault(id(row), len(place)) for row in rows), np.intp, len(rows))
    distinct = [rows[first] for first in np.unique(codes, return_index=True)[1]]
    names = dict.fromkeys(name for row in distinct for name in row)
    columns = {f"{prefix}{name}": pd.Series([row.get(name) for row in distinct], dtype=kind) for name in names}
    if len(distinct) == len(rows):
        return columns
    return {name: column.take(codes).reset_index(drop=True) for name, column in columns.items()}


def _outcomes(records: Sequence[RunRecord]) -> dict[str, Any]:
    import pandas as pd

    rows = [record.outcomes for record in records]
    names = dict.fromkeys(name for key in dict.fromkeys(map(tuple, rows)) for name in key)
    return {
        f"out_{name}": pd.Series([row[name].value if name in row else None for row in rows], dtype="float64")
        for name in names
    }


def _indicators(
    records: Sequence[RunRecord], names: Sequence[str] | None
) -> tuple[list[Mapping[str, float | None]], dict[str, dict[str, int]]]:
    from predictor.indicators import compute

    known: dict[object, tuple[dict[str, float | None], dict[str, str]]] = {}
    seen: dict[object, tuple[dict[str, float | None], dict[str, str]]] = {}
    rows: list[Mapping[str, float | None]] = []
    reasons: dict[str, dict[str, int]] = {}
    for record in records:
        if isinstance(record.data, Reported):
            reported = record.data.indicators
            rows.append(reported if names is None else {name: reported.get(name) for name in names})
            continue
        parts = shared_parts(record)
        if parts not in seen:
            key = indicator_key(record)
            if key not in known:
                computed = compute(record.data.stages[-1].distribution, names, indicator_context(record))
                known[key] = (
                    {name: result.value for name, result in computed.items()},
                    {
                        name: result.reason
                        for name, result in computed.items()
                        if result.value is None and result.reason
                    },
                )
            seen[parts] = known[key]
        values, missing = seen[parts]
        rows.append(values)
        for name, reason in missing.items():
            tally = reasons.setdefault(f"ind_{name}", {})
            tally[reason] = tally.get(reason, 0) + 1
    return rows, reasons


def _specs(records: Sequence[RunRecord]) -> list[Mapping[str, Any]]:
    """Flat settings of each spec but its seeds, one mapping for all specs that share their parts."""
    known: dict[tuple[int, ...], Mapping[str, Any]] = {(): {}}
    rows = []
    for record in records:
        spec = record.spec
        key = () if spec is None else tuple(id(spec.get(part)) for part in ("model", "recipe", "stages"))
        if key not in known:
            known[key] = _spec(spec or {})
        rows.append(known[key])
    return rows


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A setting left out of a spec has its default."""
    model, recipe = (spec.get(part, {}) for part in ("model", "recipe"))
    stages = spec.get("stages", [])
    last = stages[-1].get("data", {}) if stages else {}
    return {
        "model": model.get("name"),
        "image_size": model.get("image_size", _default(Model, "image_size")),
        "image_steps": sum(stage.get("image_steps", 0) for stage in stages),
        "learning_rate": recipe.get("learning_rate"),
        "batch_size": recipe.get("batch_size", _default(Recipe, "batch_size")),
        "weight_decay": recipe.get("weight_decay", _default(Recipe, "weight_decay")),
        "augmentation": recipe.get("augmentation", _default(Recipe, "augmentation")),
        "samples_per_class": last.get("samples_per_class"),
    }


def _seeds(record: RunRecord) -> dict[str, Any]:
    if record.spec is None:
        return {}
    seeds = record.spec.get("seeds", {})
    return {"data_seed": seeds.get("data"), "training_seed": seeds.get("training")}


def _default(part: type[Model | Recipe | Stage | StageData], field: str) -> Any:
    return part.model_fields[field].default


def _machines(records: Sequence[RunRecord]) -> list[Mapping[str, Any]]:
    known: dict[int, Mapping[str, Any]] = {id(None): {}}
    rows = []
    for record in records:
        machine = record.environment
        if machine is not None and id(machine) not in known:
            known[id(machine)] = {name: getattr(machine, name) for name in ("device", "device_name", "threads")}
        rows.append(known[id(machine)])
    return rows


def _cost(record: RunRecord) -> dict[str, Any]:
    if record.environment is None:
        return {}
    return {
        "seconds": record.seconds.total if record.seconds else None,
        "images_per_second": record.images_per_second,
        "n_bad_images": record.data_report.n_bad_images,
    }
