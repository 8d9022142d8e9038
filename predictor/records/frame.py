"""Run records -> one table with a row per run, for statistics, models and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.records.columns import Columns, columns_of
from predictor.records.indicator_inputs import indicator_context, indicator_key, probes_of
from predictor.records.parts import collector_paused
from predictor.records.schema import Reported, RunRecord
from predictor.spec import Model, Recipe, Stage, StageData

if TYPE_CHECKING:
    import pandas as pd

    from predictor.images.results import Probe

SHARED = ("study", "target_set", "domain", "provenance", "status", "held_out")
MACHINE = ("device", "device_name", "threads")
COSTS = ("seconds", "images_per_second")
SEEDS = ("data_seed", "training_seed")


def frame(
    runs: str | Path | Sequence[RunRecord],
    indicators: Sequence[str] | None = None,
    *,
    studies: Sequence[str] | None = None,
    probes: Mapping[str, Probe] | None = None,
) -> pd.DataFrame:
    """One row per run: of a registry, sorted by study and run id; of records, in the order given.

    Columns: run_id, configuration_id, study, target_set, domain, provenance, status, held_out, then the families
    axis_* (of the grid), spec_*, ind_* (float), out_* (float), scale_* (of outcomes that are no accuracy), noise_*
    (standard deviation of an accuracy that comes from its finite test images), env_*. A cell that does not apply is
    missing.
    runs : a folder of records, without a record in memory for each of them, or records
    indicators : these alone; None: all of them, those of a probe of the images where there are probes
    studies : of a folder, only these
    probes : {key: probe} of training images; None: those of the folder's `probes.json`, none of records
    `.attrs["reasons"]` says why indicators are missing: {column: {reason: number of runs}}.

    Indicators are computed once per distinct label distribution; reported ones are taken as they are.
    Raises RegistryError naming every damaged record, where a folder holds no record at all, and where an outcome has
    a value that its scale cannot hold or is on several scales.

    >>> frame([]).columns.tolist()[:2]
    ['run_id', 'configuration_id']
    """
    with collector_paused():
        if probes is None:
            probes = probes_of(runs) if isinstance(runs, str | Path) else {}
        return frame_of(columns_of(runs, studies), indicators, probes=probes)


def frame_of(
    found: Columns, indicators: Sequence[str] | None = None, *, probes: Mapping[str, Probe] | None = None
) -> pd.DataFrame:
    """The same of columns that are read already; probes : None where there are none."""
    import pandas as pd

    with collector_paused():
        own, like, examples = found.own, found.like, found.examples
        first = np.unique(like, return_index=True)
        order = first[0][np.argsort(first[1])]  # columns stand in the order of their first run

        def family(prefix: str, rows: Sequence[Mapping[str, Any]], kind: str | None = None) -> dict[str, Any]:
            names = dict.fromkeys(name for number in order for name in rows[number])
            values = {name: pd.Series([row.get(name) for row in rows], dtype=kind) for name in names}
            return {f"{prefix}{name}": column.take(like).reset_index(drop=True) for name, column in values.items()}

        values, reasons = _indicators(examples, indicators, probes or {})
        outcomes = list(dict.fromkeys(name for number in order for name in examples[number].outcomes))
        noises = [name for name in outcomes if own[f"noise_{name}"].notna().any()]
        columns: dict[str, Any] = {key: own[key] for key in ("run_id", "configuration_id")}
        columns |= family("", [{key: getattr(record, key) for key in SHARED} for record in examples])
        columns |= family("axis_", [record.axes for record in examples])
        columns |= family("spec_", [{} if record.spec is None else _spec(record.spec) for record in examples])
        if any(record.spec is not None for record in examples):
            columns |= {f"spec_{name}": _whole(own[name]) for name in SEEDS}
        columns |= family("ind_", values, kind="float64")
        columns |= {f"out_{name}": own[f"out_{name}"] for name in outcomes}
        columns |= {f"scale_{name}": own[f"scale_{name}"] for name in outcomes if _other_scale(own[f"scale_{name}"])}
        columns |= {f"noise_{name}": own[f"noise_{name}"] for name in noises}
        columns |= family("env_", [_machine(record) for record in examples])
        known = np.array([record.environment is not None for record in examples], bool)[like]
        if known.any():
            columns |= {f"env_{name}": own[name].where(known) for name in COSTS}
            columns["env_n_bad_images"] = _whole(own["n_bad_images"].where(known))
        table = pd.DataFrame(columns)
        table.attrs["reasons"] = _tally(reasons, like)
    return table


def _other_scale(scales: pd.Series) -> bool:
    return not scales.dropna().eq("accuracy").all()


def _indicators(
    examples: Sequence[RunRecord], names: Sequence[str] | None, probes: Mapping[str, Probe]
) -> tuple[list[Mapping[str, float | None]], list[Mapping[str, str]]]:
    """The indicators of each example, and why they are missing."""
    from predictor.indicators import compute

    known: dict[object, tuple[Mapping[str, float | None], Mapping[str, str]]] = {}
    rows = []
    for record in examples:
        if isinstance(record.data, Reported):
            reported = record.data.indicators
            rows.append((reported if names is None else {name: reported.get(name) for name in names}, {}))
            continue
        key = indicator_key(record, probes)
        if key not in known:
            computed = compute(record.data.stages[-1].distribution, names, indicator_context(record, probes))
            values = {name: result.value for name, result in computed.items()}
            missing = {name: result.reason for name, result in computed.items() if result.value is None}
            known[key] = values, {name: reason for name, reason in missing.items() if reason}
        rows.append(known[key])
    return [values for values, _ in rows], [missing for _, missing in rows]


def _tally(reasons: Sequence[Mapping[str, str]], like: np.ndarray) -> dict[str, dict[str, int]]:
    tally: dict[str, dict[str, int]] = {}
    for missing, n_runs in zip(reasons, np.bincount(like, minlength=len(reasons)).tolist(), strict=True):
        for name, reason in missing.items():
            told = tally.setdefault(f"ind_{name}", {})
            told[reason] = told.get(reason, 0) + n_runs
    return tally


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


def _default(part: type[Model | Recipe | Stage | StageData], field: str) -> Any:
    return part.model_fields[field].default


def _whole(column: pd.Series) -> pd.Series:
    """Whole numbers again where none is missing."""
    return column.astype("int64") if column.notna().all() else column


def _machine(record: RunRecord) -> dict[str, Any]:
    machine = record.environment
    return {} if machine is None else {name: getattr(machine, name) for name in MACHINE}
