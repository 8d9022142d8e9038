"""Run records -> one table with a row per run, for statistics, models and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from predictor.records.context import indicator_context, indicator_key
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
        columns: dict[str, Any] = {key: [getattr(record, key) for record in records] for key in KEYS}
        columns |= _family("axis_", [record.axes for record in records])
        columns |= _family("spec_", [_spec(record) for record in records])
        columns |= _family("ind_", values, kind="float64")
        outcomes = [{name: outcome.value for name, outcome in record.outcomes.items()} for record in records]
        columns |= _family("out_", outcomes, kind="float64")
        columns |= _family("noise_", outcome_noise([record.outcomes for record in records]), kind="float64")
        columns |= _family("env_", [_environment(record) for record in records])
        table = pd.DataFrame(columns)
        table.attrs["reasons"] = reasons
    return table


def _family(prefix: str, rows: Sequence[Mapping[str, Any]], kind: str | None = None) -> dict[str, Any]:
    """{prefix + name: column} over the union of the names, in order of first appearance."""
    import pandas as pd

    names = dict.fromkeys(name for row in rows for name in row)
    return {f"{prefix}{name}": pd.Series([row.get(name) for row in rows], dtype=kind) for name in names}


def _indicators(
    records: Sequence[RunRecord], names: Sequence[str] | None
) -> tuple[list[Mapping[str, float | None]], dict[str, dict[str, int]]]:
    from predictor.indicators import compute

    known: dict[object, tuple[dict[str, float | None], dict[str, str]]] = {}
    rows: list[Mapping[str, float | None]] = []
    reasons: dict[str, dict[str, int]] = {}
    for record in records:
        if isinstance(record.data, Reported):
            reported = record.data.indicators
            rows.append(reported if names is None else {name: reported.get(name) for name in names})
            continue
        key = indicator_key(record)
        if key not in known:
            computed = compute(record.data.stages[-1].distribution, names, indicator_context(record))
            known[key] = (
                {name: result.value for name, result in computed.items()},
                {name: result.reason for name, result in computed.items() if result.value is None and result.reason},
            )
        values, missing = known[key]
        rows.append(values)
        for name, reason in missing.items():
            tally = reasons.setdefault(f"ind_{name}", {})
            tally[reason] = tally.get(reason, 0) + 1
    return rows, reasons


def _spec(record: RunRecord) -> dict[str, Any]:
    """Flat settings of a spec; a setting left out of it has its default."""
    if record.spec is None:
        return {}
    model, recipe, seeds = (record.spec.get(part, {}) for part in ("model", "recipe", "seeds"))
    stages = record.spec.get("stages", [])
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
        "data_seed": seeds.get("data"),
        "training_seed": seeds.get("training"),
    }


def _default(part: type[Model | Recipe | Stage | StageData], field: str) -> Any:
    return part.model_fields[field].default


def _environment(record: RunRecord) -> dict[str, Any]:
    if record.environment is None:
        return {}
    machine = record.environment
    return {
        "device": machine.device,
        "device_name": machine.device_name,
        "threads": machine.threads,
        "seconds": record.seconds.total if record.seconds else None,
        "images_per_second": record.images_per_second,
        "n_bad_images": record.data_report.n_bad_images,
    }
