"""Fitting: honest validation, calibrated intervals, nothing canned, clear refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from synthetic import TARGET_SETS, registry, reported, with_accuracy

from predictor.errors import FitError, RegistryError
from predictor.fitting import fit_registry
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.rows import rows_for, select
from predictor.statistics.conformal import error_scale, fitted_tail, grouped_quantile, split_conformal, t_quantile

KEYS = {
    "outcome", "split", "family", "chosen", "mae", "rmse", "r2", "spearman", "decision_accuracy", "coverage", "width",
    "interval_score", "skill", "noise_ceiling", "n_configurations", "n_runs",
}  # fmt: skip


@pytest.fixture
def records(synthetic_records):
    return synthetic_records


@pytest.fixture
def fit(synthetic_fit):
    return synthetic_fit


def row(fit, outcome="accuracy", split="configuration", **wanted):
    wanted = wanted or {"chosen": True}
    found = [r for r in fit.validation if (r["outcome"], r["split"]) == (outcome, split)]
    return next(r for r in found if all(r[key] == value for key, value in wanted.items()))


def test_validation_rows_keep_the_contract(fit):
    assert {r["outcome"] for r in fit.validation} == {"accuracy", "robustness", "shift:noise"}
    assert {r["split"] for r in fit.validation} == {
        "configuration",
        "new_draws",
        "target_set",
        "domain",
        "extrapolation",
    }
    for r in fit.validation:
        assert set(r) >= KEYS
        assert set(r["skill"]) == {"mean", "log_n", "log_n_log_h", "nearest"}
    for key in {(r["outcome"], r["split"]) for r in fit.validation}:
        assert sum(r["chosen"] for r in fit.validation if (r["outcome"], r["split"]) == key) == 1


def test_the_planted_law_is_found_and_beats_every_baseline(fit):
    best = row(fit)
    assert best["family"] in ("classwise", "average")
    assert all(skill > 0.3 for skill in best["skill"].values())
    assert best["mae"] < 0.02 and best["spearman"] > 0.9 and best["decision_accuracy"] > 0.9
    assert (best["n_configurations"], best["n_runs"]) == (60, 180)
    assert row(fit, family="mean")["decision_accuracy"] == 0.5
    assert 0.9 < best["noise_ceiling"] <= 1 and best["noise_floor"] < best["mae"]


def test_coverage_is_near_nominal_and_carries_its_binomial_interval(fit):
    best = row(fit)
    assert best["coverage_low"]["0.9"] <= 0.9 <= best["coverage_high"]["0.9"]
    assert best["covered"]["0.9"][1] == 60
    assert best["width"]["0.8"] < best["width"]["0.9"] < best["width"]["0.95"]


def test_too_few_groups_are_said_not_hidden(fit):
    for split in ("target_set", "domain"):
        left = row(fit, split=split)
        assert left["coverage"]["0.9"] is None
        assert left["coverage_reason"].startswith("coverage not measured")
        assert left["mae_without_level"] < left["mae"]


def test_many_target_sets_measure_their_own_coverage():
    generator = np.random.default_rng(3)
    sets = tuple((f"t/{i:02d}", (f"domain{i % 3}", 5, float(generator.normal(-2.6, 0.4)))) for i in range(14))
    fit = fit_registry(registry(n_configurations=84, n_seeds=2, target_sets=sets), ["accuracy"], ["linear"])
    left = row(fit, split="target_set")
    assert left["coverage"]["0.9"] is not None and left["coverage"]["0.9"] > 0.6
    assert left["coverage"]["0.95"] is None  # 95 % needs 19 target sets


def test_the_fit_is_the_same_whatever_the_order_and_changes_with_the_records(records):
    few, chosen = records[:90], (["accuracy"], ["linear", "boosting"])
    fit = fit_registry(few, *chosen)
    assert fit_registry(few[::-1], *chosen).to_json() == fit.to_json()
    other = fit_registry([with_accuracy(few[0], 0.99), *few[1:]], *chosen)
    assert other.content["training"]["digest"] != fit.content["training"]["digest"]
    assert row(other)["mae"] != row(fit)["mae"]


def test_shuffled_outcomes_have_no_skill(records):
    generator = np.random.default_rng(0)
    values = [record.outcomes["accuracy"].value for record in records]
    by_configuration = generator.permutation(np.array(values).reshape(-1, 3))
    shuffled = [with_accuracy(r, float(v)) for r, v in zip(records, by_configuration.ravel(), strict=True)]
    best = row(fit_registry(shuffled, ["accuracy"], ["linear"]))
    assert best["skill"]["mean"] < 0.2


def test_seeds_of_a_configuration_stay_in_one_fold(records):
    rows = rows_for(select(records), "accuracy")
    configs = configurations(rows)
    folds = configuration_folds(rows, configs, 10)
    assert sorted(np.concatenate(folds).tolist()) == list(range(60))
    assert len(configs.ids) == len({r.configuration_id for r in rows}) == 60


def test_held_out_and_reported_records_enter_only_when_named(records):
    scoring = [r.model_copy(update={"held_out": True}) for r in registry(study="scoring", seed=9, n_configurations=12)]
    fit = fit_registry([*records, *scoring, *reported()], ["accuracy"], ["linear"])
    assert list(fit.content["training"]["studies"]) == ["synthetic"]
    assert [line.partition(":")[0] for line in fit.content["left_out"]] == ["scoring", "table"]
    named = fit_registry([*records, *scoring], ["accuracy"], ["linear"], ["synthetic", "scoring"])
    assert named.content["training"]["named"] == ["scoring"]
    assert row(named)["n_configurations"] == 72


def test_a_reported_table_can_be_fitted_by_name():
    fit = fit_registry(reported(20), studies=["table"])
    assert row(fit)["family"] == "linear"
    assert any("classwise" in line for line in fit.content["left_out"])
    assert any("target_set" in line for line in fit.content["left_out"])


def test_runs_of_another_recipe_are_left_out(records):
    """Flips are the target set's; every other change of the recipe moves the level of a network."""

    def with_recipe(record, **changes):
        return record.model_copy(update={"spec": {**record.spec, "recipe": {**record.spec["recipe"], **changes}}})

    flipped = [with_recipe(record, flip=False) for record in records[:3]]
    other = [with_recipe(record, learning_rate=0.5) for record in records[3:7]]
    selection = select([*flipped, *other, *records[7:]])
    assert {record.run_id for record in selection.records} == {r.run_id for r in records} - {r.run_id for r in other}
    assert any(
        "4 runs left out: another recipe than most runs of small-net 32 px" in line for line in selection.left_out
    )


def test_diverged_runs_are_left_out_and_mixed_scales_refused(records):
    diverged = records[0].model_copy(update={"status": "diverged"})
    assert any("status diverged" in line for line in select([diverged, *records[1:]]).left_out)
    loss = records[0].outcomes["accuracy"].model_copy(update={"scale": "loss"})
    with pytest.raises(RegistryError, match="accuracy is on several scales: accuracy in 179 runs, loss in 1 runs"):
        select([records[0].model_copy(update={"outcomes": {"accuracy": loss}}), *records[1:]])


@pytest.mark.parametrize(
    ("records", "arguments", "message"),
    [
        ([], {}, "no run to fit on"),
        (registry(n_configurations=5), {}, "5 configurations; at least 10 are needed"),
        (reported(), {}, "reported, not trained here"),
        ([with_accuracy(r, 0.5) for r in registry(n_configurations=12)], {"outcomes": ["accuracy"]}, "never varies"),
        (registry(n_configurations=12), {"outcomes": ["shift:snow"]}, "no run measured shift:snow"),
        (registry(n_configurations=12), {"family_names": ["linaer"]}, "near: linear"),
        (registry(n_configurations=12), {"studies": ["nope"]}, "no study nope; found: synthetic"),
    ],
)
def test_bad_input_is_refused_in_words(records, arguments, message):
    with pytest.raises(FitError, match=message):
        fit_registry(records, **arguments)


def test_one_target_set_fits_and_says_what_it_cannot_measure():
    one = tuple(list(TARGET_SETS.items())[:1])
    fit = fit_registry(registry(n_configurations=20, target_sets=one), ["accuracy"], ["linear"])
    assert {r["split"] for r in fit.validation} <= {"configuration", "new_draws", "extrapolation"}
    assert any("at least 3 are needed to leave one out" in line for line in fit.content["left_out"])
    assert (
        "one target set cannot tell"
        in fit.content["outcomes"]["accuracy"]["target_set"]["spread"]["new_domain"]["reason"]
    )


def test_an_indicator_that_some_runs_lack_is_not_used_and_a_baseline_that_needs_it_says_so():
    own = registry(n_configurations=12, n_seeds=1)
    table = [r.model_copy(update={"outcomes": {"accuracy": r.outcomes["accuracy"]}}) for r in reported(14)]
    bare = table[0].model_copy(update={"data": table[0].data.model_copy(update={"indicators": {"n_samples": 5e4}})})
    fit = fit_registry([*own, bare, *table[1:]], ["accuracy"], ["linear", "classwise"], ["synthetic", "table"])
    assert fit.content["outcomes"]["accuracy"]["families"]["linear"]["features"] == ["log n_samples"]
    said = "\n".join(fit.content["left_out"])
    assert "family log_n_log_h left out: family linear needs log n_classes, which some runs lack" in said
    assert "family classwise left out: needs class counts and results per class" in said


def test_fit_json_is_plain_data(fit):
    content = json.loads(fit.to_json())
    assert content["digest"] == fit.digest and content["schema_version"] == 3


def test_intervals_cover_exchangeable_residuals_at_every_accuracy():
    generator = np.random.default_rng(7)
    p = generator.uniform(0.05, 0.98, 40_000)
    residuals = generator.normal(size=len(p)) * error_scale(p, 1.0)
    assert fitted_tail(residuals, p) == 1.0
    inside = np.zeros(len(p), dtype=bool)
    for start in range(0, len(p), 80):  # 40 to calibrate, 40 to test
        own, new = slice(start, start + 40), slice(start + 40, start + 80)
        half = split_conformal(residuals[own] / error_scale(p[own], 1.0), 0.9)
        inside[new] = np.abs(residuals[new]) <= half * error_scale(p[new], 1.0)
    tested = np.arange(len(p)) % 80 >= 40
    assert 0.89 < inside[tested].mean() < 0.92
    for low, high in ((0.05, 0.5), (0.9, 0.98)):  # alone: one width for all would cover too much here, too little there
        assert 0.88 < inside[tested & (p > low) & (p < high)].mean() < 0.93


def test_quantiles_against_scipy():
    stats = pytest.importorskip("scipy.stats")
    for df in (1.0, 2.0, 4.5, 30.0):
        for p in (0.9, 0.95, 0.975):
            assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-3)
    assert grouped_quantile(np.arange(20.0), [str(i) for i in range(20)], 0.95) == 19.0
