"""The unit of a fold is what was trained, not how it was written."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import registry, reported

from predictor.fitting import fit_registry
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.rows import rows_for, select
from predictor.records import RunRecord
from predictor.spec import RunSpec, planned_counts

RECORDS = registry(n_configurations=16, n_seeds=2)


def rewritten(record: RunRecord, **changes) -> RunRecord:
    """The same training under other ids."""
    spec = RunSpec.model_validate({**record.spec, **changes})
    content = {"spec": json.loads(spec.canonical()), "run_id": spec.run_id, "configuration_id": spec.configuration_id}
    return record.model_copy(update=content)


def written_out(record: RunRecord) -> RunRecord:
    """Its profile as a list of counts."""
    spec = RunSpec.model_validate(record.spec)
    counts = sorted(planned_counts(spec).target_counts.tolist(), reverse=True)
    data = {**record.spec["stages"][0]["data"], "profile": {"shape": "explicit", "counts": counts}}
    return rewritten(record, stages=[{**record.spec["stages"][0], "data": data}])


def other_head(record: RunRecord) -> RunRecord:
    return rewritten(record, model={**record.spec["model"], "head": 512})


@given(st.lists(st.sampled_from(["as it is", "written out", "head", "twice"]), min_size=16, max_size=16), st.randoms())
@settings(max_examples=15)
def test_one_training_under_two_ids_is_one_unit(ways, random):
    numbers = {name: i for i, name in enumerate(dict.fromkeys(r.configuration_id for r in RECORDS))}
    records = list(RECORDS)
    for record in RECORDS:
        way = ways[numbers[record.configuration_id]]
        again = {"written out": written_out, "head": other_head, "twice": lambda r: r}.get(way)
        records += [again(record)] if again else []
    random.shuffle(records)
    selection = select(records)
    assert len({r.run_id for r in selection.records}) == len(selection.records)
    rows = rows_for(selection, "accuracy")
    assert {row.configuration_id for row in rows} <= set(selection.units)
    trained = {(row.target_set, tuple(np.sort(row.case.tested_counts)), row.case.distribution.n_samples,
                row.case.recipe["image_steps"]) for row in rows}  # fmt: skip
    configs = configurations(rows)
    assert len(configs.ids) == len(trained)
    held = Counter(i for fold in configuration_folds(rows, configs, 5) for i in fold.tolist())
    assert set(held.values()) == {1} and len(held) == len(configs.ids)
    twice = sum(way == "twice" for way in ways)
    assert any("listed already" in line for line in selection.left_out) == bool(twice)


@given(st.integers(0, 100))
@settings(max_examples=5)
def test_a_table_of_noise_that_was_measured_twice_predicts_nothing(seed):
    """Rows that were measured again, held out apart, would tell each other's outcomes."""
    rng = np.random.default_rng(seed)
    rows = []
    for number, row in enumerate(reported(30)):
        value = float(rng.uniform(0.2, 0.8))
        indicators = dict(zip(row.data.indicators, rng.uniform(1, 100, 3).tolist(), strict=True))
        for again in range(2):
            data = row.data.model_copy(update={"indicators": indicators})
            outcome = row.outcomes["accuracy"].model_copy(update={"value": value + 0.001 * again})
            name = f"{2 * number + again:016x}"
            rows.append(row.model_copy(update={"data": data, "outcomes": {"accuracy": outcome}, "run_id": name,
                                               "configuration_id": name}))  # fmt: skip
    fit = fit_registry(rows, ["accuracy"], ["linear"], ["table"])
    (nearest,) = [r for r in fit.validation if r["family"] == "nearest" and r["split"] == "configuration"]
    assert nearest["n_configurations"] == 30
    assert nearest["spearman"] is None or abs(nearest["spearman"]) < 0.6


def test_other_counts_steps_or_recipes_are_other_units():
    record = RECORDS[0]
    steps = rewritten(record, stages=[{**record.spec["stages"][0], "image_steps": 12_345}])
    stage = steps.data.stages[0].model_copy(update={"image_steps": 12_345})
    steps = steps.model_copy(update={"data": steps.data.model_copy(update={"stages": (stage,)})})
    assert select([*RECORDS, steps]).units[steps.configuration_id] == steps.configuration_id
    assert len(set(select(RECORDS).units.values())) == 16


@pytest.mark.parametrize("order", [1, -1])
def test_a_unit_has_the_first_of_its_ids_whatever_the_order(order):
    again = [other_head(record) for record in RECORDS]
    units = select([*RECORDS, *again][::order]).units
    for a, b in zip(RECORDS, again, strict=True):
        assert units[a.configuration_id] == units[b.configuration_id] == min(a.configuration_id, b.configuration_id)
