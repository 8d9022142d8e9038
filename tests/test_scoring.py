"""Scoring on held-out studies: never part of a fit, known levels only, skill with its bound."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic import TARGET_SETS, registry

from predictor.fitting import fit_registry, score_held_out
from predictor.fitting.configurations import configurations
from predictor.fitting.metrics import decision_accuracy
from predictor.fitting.rows import rows_for, select
from predictor.fitting.scoring import skill_with_bound, standard_errors
from predictor.render.validation import held_out_blocks

SETS = tuple(list(TARGET_SETS.items())[:2])


def held(**changes):
    records = registry(study="scoring", seed=9, n_configurations=24, n_seeds=2, **changes)
    return [record.model_copy(update={"held_out": True}) for record in records]


@pytest.fixture(scope="module")
def records():
    return registry(n_configurations=24, n_seeds=2, target_sets=SETS)


@pytest.fixture(scope="module")
def fit(records):
    return fit_registry(records, ["accuracy"], ["linear", "classwise"])


def test_held_out_runs_are_scored_and_never_fitted(records, fit):
    everything = [*records, *held(target_sets=SETS)]
    assert fit_registry(everything, ["accuracy"], ["linear"]).content["training"]["n_runs"] == len(records)
    rows = {row["family"]: row for row in score_held_out(fit, everything)}
    best = next(row for row in rows.values() if row["chosen"])
    assert (best["n_configurations"], best["n_runs"], best["n_left_out"]) == (24, 48, 0)
    assert best["studies"] == ["scoring"] and best["covered"][1] == 24
    assert best["skill"]["log_n_log_h"] > best["skill_low"]["log_n_log_h"] > 0
    assert rows["mean"]["decision_accuracy"] == 0.5


def test_unknown_target_sets_are_counted_not_scored(records, fit):
    rows = score_held_out(fit, held(target_sets=tuple(list(TARGET_SETS.items())[1:3])))
    assert {(row["n_runs"], row["n_left_out"]) for row in rows} == {(24, 24)}
    assert score_held_out(fit, records) == []
    own = fit_registry([*records, *held(target_sets=SETS)], ["accuracy"], ["linear"], ["synthetic", "scoring"])
    assert score_held_out(own, held(target_sets=SETS)) == []  # it was fitted on them


def test_every_held_out_study_is_scored_alone(records, fit):
    random = held(target_sets=SETS)
    planned = registry(study="plans", seed=4, n_configurations=12, n_seeds=2, target_sets=SETS)
    planned = [record.model_copy(update={"held_out": True}) for record in planned]
    both = score_held_out(fit, [*records, *random, *planned])
    assert {(*row["studies"], row["n_configurations"], row["n_runs"]) for row in both} == {
        ("scoring", 24, 48), ("plans", 12, 24)
    }  # fmt: skip
    assert [row for row in both if row["studies"] == ["scoring"]] == score_held_out(fit, random)
    titles = [title for title, _ in held_out_blocks(both)]
    assert ["for scoring alone: plans   n = 12" in title for title in titles] == [True, False]
    assert "for scoring alone: scoring   n = 24 configurations, 48 runs" in titles[1]


def test_pairs_closer_than_two_standard_errors_do_not_count():
    measured, predicted = np.array([0.10, 0.11, 0.50]), np.array([2.0, 1.0, 3.0])
    groups, error = np.array(["a"] * 3), np.full(3, 0.01)
    assert decision_accuracy(measured, predicted, groups) == pytest.approx(2 / 3)
    assert decision_accuracy(measured, predicted, groups, None, error) == 1.0


def test_the_bound_of_a_skill_lies_below_it():
    generator = np.random.default_rng(1)
    measured = generator.uniform(size=60)
    skill, low = skill_with_bound(measured, measured + generator.normal(0, 0.05, 60), np.full(60, 0.5))
    assert 0.8 < low < skill < 1


def test_the_bound_is_the_lower_end_of_a_bootstrap_interval_at_90_per_cent():
    generator = np.random.default_rng(2)
    measured = generator.uniform(size=40)
    predicted, baseline = measured + generator.normal(0, 0.15, 40), np.full(40, 0.5)
    skill, low = skill_with_bound(measured, predicted, baseline)
    found = stats.bootstrap(
        ((measured - predicted) ** 2, (measured - baseline) ** 2), lambda a, b: 1 - a.sum() / b.sum(), paired=True,
        vectorized=False, n_resamples=2000, confidence_level=0.9, method="percentile", rng=7,
    )  # fmt: skip
    assert low == pytest.approx(found.confidence_interval.low, abs=0.15 * (skill - low))


def test_the_standard_error_is_of_the_mean_over_the_seeds():
    """Variance of one run pooled over all configurations, by their degrees of freedom, over a configuration's seeds."""
    every = registry(n_configurations=6, n_seeds=4, target_sets=SETS)
    kept = [record for i, record in enumerate(every) if i not in (1, 2, 3, 6)]  # of one seed, three and four
    configs = configurations(rows_for(select(kept), "accuracy"))
    runs = pd.DataFrame({"name": r.configuration_id, "value": r.outcomes["accuracy"].value} for r in kept)
    groups = runs.groupby("name").value
    pooled = ((groups.count() - 1) * groups.var()).sum() / (groups.count() - 1).sum()
    expected = np.sqrt(pooled / groups.count())
    assert standard_errors(configs) == pytest.approx([expected[name] for name in configs.names])
    assert sorted(set(configs.seeds.tolist())) == [1, 3, 4]
