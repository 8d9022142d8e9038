"""Model families: planted laws are found again, every family speaks the same interface."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic import LAW, registry

from predictor.errors import FitError
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.held_out import calibrate
from predictor.fitting.rows import rows_for, select
from predictor.models import Family, Row, families, gaussian_process
from predictor.models.average import stacked
from predictor.models.by_shift import by_shift
from predictor.models.case import Case
from predictor.models.classwise import slopes
from predictor.models.elastic_net import Terms
from predictor.models.evaluate import evaluate
from predictor.models.features import direction
from predictor.models.glm import Groups, fit_pooled
from predictor.models.linear import FEATURES, fit_linear
from predictor.models.links import expit, logit


@pytest.fixture(scope="module")
def rows():
    return rows_for(select(registry(n_configurations=80, noise=0.0)), "accuracy")


def reported_rows(columns, values):
    """Rows of a table without class counts, each its own configuration, of one target set."""
    return [
        Row(
            case=Case(None, {name: float(column[i]) for name, column in columns.items()}, level="all", domain="other"),
            run_id=f"{i:016x}",
            configuration_id=f"{i * 7919 % 1009:016x}",
            study="table",
            target_set="all",
            domain="other",
            value=float(value),
            tested=np.empty(0),
            correct=np.empty(0),
        )
        for i, value in enumerate(values)
    ]


def test_classwise_recovers_the_planted_law(rows):
    found = slopes(families()["classwise"].fit(rows))
    for name, planted in LAW.items():
        assert found[name] == pytest.approx(planted, abs=0.1), name
    assert found["log_count"] + found["log_mean_count"] == pytest.approx(0.5, abs=0.05)


def test_classwise_levels_are_partly_pooled(rows):
    parameters = families()["classwise"].fit(rows)
    assert len(parameters["levels"]) == 5
    assert abs(sum(parameters["domains"].values())) < 0.05
    for domain, offset in parameters["domains"].items():
        own = [value for name, value in parameters["levels"].items() if name.startswith(domain)]
        assert abs(np.mean(own) - offset) < 0.2 and min(own) < offset < max(own)
    assert parameters["levels"]["characters/b | small-net 32 px"] > parameters["levels"]["cifar100/c | small-net 32 px"]


@pytest.mark.parametrize("name", [name for name, item in families().items() if item.fit])
def test_every_family_gives_plain_parameters_that_predict_inside_0_and_1(rows, name):
    parameters = families()[name].fit(rows)
    assert json.loads(json.dumps(parameters, allow_nan=False)) == parameters
    predicted = evaluate(parameters, [row.case for row in rows])
    assert ((predicted >= 0) & (predicted <= 1)).all()
    assert families()[name].doc.endswith(".")
    again = families()[name].fit(rows)
    assert again == parameters


def test_the_gaussian_process_is_that_of_its_kernel(monkeypatch):
    """The stated weights are those of the stated kernel, noise and points, computed here from their definition."""
    own = rows_for(select(registry(n_configurations=40, n_seeds=2)), "accuracy")
    found = families()["gaussian_process"].fit(own)
    one = [own[i] for i in configurations(own).first]
    assert len(one) == len(found["weights"]) == 40
    points, variances = np.array(found["points"]), found["variances"]
    level, domain = np.array(found["level_of"]), np.array(found["domain_of"])

    def kernel(i, j):
        near = np.exp(-0.5 * np.sum((points[i] - points[j]) ** 2))
        same_level, same_domain = level[i] == level[j], domain[i] == domain[j]
        smooth = variances["shared"] + variances["target_set"] * same_level + variances["domain"] * same_domain
        return smooth * near + variances["target_set_level"] * same_level + variances["domain_level"] * same_domain

    covariance = np.array([[kernel(i, j) for j in range(40)] for i in range(40)])
    order = [configurations(own).names.index(row.configuration_id) for row in one]
    start = logit(np.clip(evaluate(found["base"], [row.case for row in one]), 0.02, 0.999))
    measured = configurations(own).measured[order]
    left = logit(np.clip(measured, 0.02, 0.999)) - start
    p = np.clip(expit(start), 0.05, 0.995)
    noise = found["noise"] / (4 * p * (1 - p)) / 2  # two seeds
    by = covariance @ np.linalg.solve(covariance + np.diag(noise), left)
    assert logit(evaluate(found, [row.case for row in one])) == pytest.approx(start + by, abs=1e-4)
    new = replace(one[0].case, level=None, domain=None)  # of another target set only what all share is known
    alone = np.array([variances["shared"] * np.exp(-0.5 * np.sum((points[0] - point) ** 2)) for point in points])
    base = logit(np.clip(evaluate(found["base"], [new]), 0.02, 0.999))
    if variances["shared"] == 0:
        assert logit(evaluate(found, [new])) == pytest.approx(base, abs=1e-9)
    else:
        assert np.isfinite(alone).all()
    monkeypatch.setattr(gaussian_process, "EXACT", 30)
    monkeypatch.setattr(gaussian_process, "INDUCING", 30)
    few = families()["gaussian_process"].fit(own)
    assert len(few["weights"]) == 30
    cases = [row.case for row in one]
    assert np.abs(logit(evaluate(few, cases)) - logit(evaluate(found, cases))).mean() < 0.1


def test_the_gaussian_process_finds_what_differs_between_domains_and_no_neighbour_is_better():
    own = rows_for(select(registry(n_configurations=60, n_seeds=2)), "accuracy")
    found = families()["gaussian_process"].fit(own)
    assert set(found["variances"]) == set(gaussian_process.KINDS)
    assert found["noise"] in gaussian_process.NOISES
    again = families()["gaussian_process"].fit(own[::-1])
    assert (again["variances"], again["noise"], again["lengths"]) == tuple(
        found[name] for name in ("variances", "noise", "lengths")
    )
    assert again["weights"] == pytest.approx(found["weights"], rel=1e-4, abs=1e-3)
    with pytest.raises(FitError, match="needs 20 configurations; found 12"):
        families()["gaussian_process"].fit(rows_for(select(registry(n_configurations=12, n_seeds=1)), "accuracy"))


def test_the_weights_of_an_average_are_those_of_held_out_predictions():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=400)
    good, bad = truth + generator.normal(0, 0.1, 400), truth + generator.normal(0, 1.0, 400)
    other = truth + generator.normal(0, 0.1, 400)
    weights = stacked(np.column_stack([bad, good, other]), truth)
    assert weights.sum() == pytest.approx(1) and weights[0] == 0 and abs(weights[1] - weights[2]) < 0.3
    assert stacked(np.column_stack([good, good]), truth).tolist() == [1, 0]  # as good: the first, and no half of each
    assert stacked(np.column_stack([good, good]), truth, 1).tolist() == [0, 1]


def test_robustness_is_the_mean_of_the_shifts_that_a_case_has():
    one = {"kind": "linear", "features": [], "center": [], "scale": [], "coefficients": [], "low": [], "high": [],
           "levels": {}}  # fmt: skip
    model = by_shift({"shift:a": {**one, "intercept": 0.0}, "shift:b": {**one, "intercept": 2.0}}, {})
    both, first, none = (Case(None, {}, shifts=shifts) for shifts in (("shift:a", "shift:b"), ("shift:a",), ()))
    values = evaluate(model, [both, first, none])
    assert values[:2] == pytest.approx([(0.5 + expit(2.0)) / 2, 0.5]) and np.isnan(values[2])
    assert np.isnan(evaluate(model, [Case(None, {}, shifts=("shift:c",))])).all()


def test_the_elastic_net_goes_with_every_direction(rows):
    """More of an indicator that helps never lowers a prediction, whatever the others are, inside the range."""
    parameters = families()["elastic_net"].fit(rows)
    names = parameters["net_features"]
    signs = [direction(name) for name in names]
    assert {"both", "either"} & {term["join"] for term in parameters["terms"]}, "no interaction was learnt"
    assert all(weight > 0 for weight in parameters["weights"])
    generator = np.random.default_rng(0)
    low, high = np.array(parameters["low"]), np.array(parameters["high"])
    here = low + (high - low) * generator.uniform(0, 0.9, (200, len(names)))
    weights = np.array(parameters["weights"])
    for j, sign in enumerate(signs):
        there = here.copy()
        there[:, j] += 0.1 * (high - low)[j]
        change = Terms.of(parameters).values(there) @ weights - Terms.of(parameters).values(here) @ weights
        if sign:
            assert (sign * change >= -1e-9).all(), names[j]
    assert 0 in signs and parameters["base"]["coefficients"][0] > 0


def test_the_elastic_net_weighs_terms_as_scikit_learn_with_levels_as_dummies():
    """Within-level centring is what an unpenalised dummy for every level does (Frisch and Waugh 1933)."""
    made = rows_for(select(registry(n_configurations=60, n_seeds=1, seed=3)), "accuracy")
    parameters = families()["elastic_net"].fit(made)
    terms = Terms.of(parameters).values(np.array([row.case.features(parameters["net_features"]) for row in made]))
    p = np.array([row.value for row in made])
    chance = np.array([row.case.chance for row in made])
    share = (np.clip(p, chance + 0.01, 0.99) - chance) / (1 - chance)
    _, level = np.unique([row.case.level for row in made], return_inverse=True)
    weight = share * (1 - share) * share * (1 - chance) / np.clip(p, chance + 0.01, 0.99)
    design = np.column_stack([terms, np.eye(level.max() + 1)[level]])
    root = np.sqrt(weight)
    solved = np.linalg.lstsq(design * root[:, None], np.log(share / (1 - share)) * root, rcond=None)[0]
    unpenalised = design @ solved
    fitted = design[:, : terms.shape[1]] @ np.array(parameters["weights"])
    for k in range(level.max() + 1):
        assert np.corrcoef(fitted[level == k], unpenalised[level == k])[0, 1] > 0.97


def test_interactions_are_found_where_they_were_planted():
    """Reported runs: neither column helps without the other; a sum of both cannot say so, the net can."""
    generator = np.random.default_rng(1)
    a, b = generator.uniform(1, 2, (2, 120))
    eta = -1 + 3 * (a - 1) * (b - 1) + generator.normal(0, 0.05, 120)
    made = reported_rows({"a": a, "b": b}, 1 / (1 + np.exp(-eta)))
    parameters = families()["elastic_net"].fit(made)
    heaviest = parameters["terms"][int(np.argmax(parameters["weights"]))]
    assert heaviest == {"of": [0, 1], "flip": [False, False], "join": "both"}
    own, linear = (
        np.abs(evaluate(families()[name].fit(made), [row.case for row in made]) - [row.value for row in made]).mean()
        for name in ("elastic_net", "linear")
    )
    assert own < 0.6 * linear


def test_linear_is_never_below_chance(rows):
    parameters = families()["linear"].fit(rows)
    poor = {"n_samples": 1.0, "n_classes": 10.0, "mean_log_count": -50.0, "power_difficulty@0.5": 50.0}
    case = Case(None, {**rows[0].case.indicators, **poor}, {"image_steps": 30_000.0}, chance=0.1)
    assert evaluate(parameters, [case])[0] >= 0.1


def test_a_class_without_images_scores_zero(rows):
    from predictor.distribution import LabelDistribution

    parameters = families()["classwise"].fit(rows)
    full = LabelDistribution.from_counts({"a": 100, "b": 100})
    half = LabelDistribution.from_counts({"a": 200}, targets=["a", "b"])
    steps = {"image_steps": 30_000.0}
    with_both, with_one = evaluate(parameters, [Case(full, {}, steps), Case(half, {}, steps)])
    assert 0 < with_one < with_both


def test_linear_features_are_never_all_three_of_n_h_v():
    assert not {"log n_samples", "log n_classes", "log samples_per_class"} <= set(FEATURES)


def test_pooled_regression_agrees_with_statsmodels_without_pooling():
    sm = pytest.importorskip("statsmodels.api")
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 2))
    trials = np.full(300, 50.0)
    y = generator.binomial(50, 1 / (1 + np.exp(-(0.3 + x @ [0.8, -0.5])))) / 50
    own = fit_pooled(x, [Groups(np.zeros(300, dtype=np.int64), 1)], y, trials, shrink=False)
    reference = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial(), var_weights=trials).fit()
    assert [own.intercept, *own.slopes] == pytest.approx(reference.params, abs=1e-4)


def test_an_outcome_is_refused_as_a_predictor(rows):
    for case in (row.case for row in rows):
        assert not any(name.startswith(("out_", "env_")) for name in case.indicators)

    def leaky(own):
        parameters = fit_linear(own, ["mean_log_count"], shrink=True)
        return {**parameters, "features": ["out_accuracy"]}

    configs = configurations(rows)
    with pytest.raises(FitError, match="'out_accuracy' is known only after training"):
        calibrate(Family("leaky", leaky), rows, configs, configuration_folds(rows, configs, 5))


def test_unknown_feature_names_near_ones(rows):
    def misspelt(own):
        return {**fit_linear(own, ["mean_log_count"], shrink=True), "features": ["mean_log_counts"]}

    configs = configurations(rows)
    with pytest.raises(FitError, match="did you mean mean_log_count"):
        calibrate(Family("misspelt", misspelt), rows, configs, configuration_folds(rows, configs, 5))
