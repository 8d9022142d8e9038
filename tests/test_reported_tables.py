"""Somebody's tables of numbers: nothing is known of a column, shares sum to one, names hold blanks; sizes go on."""

from __future__ import annotations

import numpy as np
import pytest
from made_tables import TABLES, made, records
from sklearn.ensemble import HistGradientBoostingRegressor
from synthetic import registry
from threadpoolctl import threadpool_limits

from predictor.errors import FitError
from predictor.fitting import fit_registry, rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.validation import size_folds
from predictor.models.base import families, feature_matrix
from predictor.models.case import Case, check_features
from predictor.models.evaluate import evaluate
from predictor.models.features import reported, shares
from predictor.models.fit import parse_fit
from predictor.models.lengths import learnt_lengths
from predictor.models.links import expit, logit
from predictor.models.rows import Sample

N = 120
MOST = {  # of the peer's error
    "mixtures": (0.6, 0.6), "interactions": (0.8, 0.8), "takeoff": (0.45, 0.6), "curve": (0.8, 0.2),
}  # fmt: skip


def boosting_errors(rows: Sample) -> tuple[float, float]:
    """Mean absolute error of scikit-learn's boosting on the same folds, and on the largest fifth."""
    configs = configurations(rows)
    x, y = feature_matrix([rows[i] for i in configs.first], reported(rows)), logit(configs.measured)
    everything = np.arange(len(y))
    inside = [(np.setdiff1d(everything, held), held) for held in configuration_folds(rows, configs, 5)]
    errors = []
    for folds in (inside, size_folds(rows, configs)[:1]):
        off = []
        for rest, held in folds:
            with threadpool_limits(1):
                eta = HistGradientBoostingRegressor(random_state=0).fit(x[rest], y[rest]).predict(x[held])
            off.append(np.abs(configs.scale.values(expit(eta)) - configs.values[held]))
        errors.append(float(np.mean(np.concatenate(off))))
    return errors[0], errors[1]


@pytest.mark.parametrize("name", MOST)
def test_models_of_tables_follow_their_laws_inside_and_beyond(name: str) -> None:
    runs = made(name, N).records()
    fit = fit_registry(runs, studies=["table"], processes=1)
    found = {row["split"]: row for row in fit.validation if row["chosen"]}
    for split, peer, most in zip(("configuration", "extrapolation"),
                                 boosting_errors(Sample.of(rows_for(select(runs, ["table"]), "outcome"))),
                                 MOST[name], strict=True):  # fmt: skip
        inside, n = found[split]["covered"]["0.9"]
        assert found[split]["mae"] < most * peer, (split, found[split]["mae"] / peer)
        assert inside >= 0.8 * n, (split, inside, n)


def test_shares_of_a_whole_stay_as_they_are() -> None:
    table = made("mixtures", 80)
    names = reported(Sample.of(rows_for(select(table.records(), ["table"]), "outcome")))
    assert sorted(names) == sorted([*(f"share {k:02d}" for k in range(17)), "log n_samples"])
    rng = np.random.default_rng(0)
    two = np.column_stack([rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(4), 40), rng.random((40, 2))])
    assert shares(two).tolist() == [True] * 7 + [False] * 2, "two wholes beside numbers from 0 to 1"
    assert not shares(rng.random((40, 5))).any() and not shares(rng.dirichlet(np.ones(30), 40)).any(), "too few rows"


def test_a_wide_column_enters_by_its_log_where_it_has_one() -> None:
    steps = np.arange(20.0)
    columns = {"from zero": steps, "narrow": 2 + steps, "wide": 1 + 2 * steps}
    rows = Sample.of(rows_for(select(records(columns, steps / 40, "accuracy"), ["table"]), "outcome"))
    assert sorted(reported(rows)) == ["from zero", "log wide", "narrow"]


def test_names_of_columns_may_hold_blanks() -> None:
    case = Case(None, {"share of code": 0.5, "log loss": 2.0, "n": 10.0})
    found = case.features(["share of code", "log loss", "log n", "log share of code"])
    assert found == pytest.approx([0.5, 2.0, np.log(10), np.log(0.5)])
    check_features(["share of code", "log loss", "log share of code"], ["share of code", "log loss"])
    rng = np.random.default_rng(0)
    columns = {"learning rate": rng.uniform(0.2, 1, 40), "n_samples": 10 ** rng.uniform(2, 4, 40)}
    fit = fit_registry(records(columns, expit(columns["learning rate"] - 0.5), "accuracy"), studies=["table"])
    assert "learning rate" in fit.content["outcomes"]["outcome"]["families"]["gaussian_process"]["features"]


def test_lengths_tell_what_matters() -> None:
    rng = np.random.default_rng(3)
    x, one = rng.normal(size=(150, 4)), np.zeros(150, dtype=np.int64)
    found = learnt_lengths(x, np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] + rng.normal(0, 0.1, 150), np.ones(150), one)
    assert found.lengths[0] < found.lengths[1] < found.lengths[2:].min()
    assert found.shared > 0.2 and 0.005 < found.noise < 0.02 and found.own == found.level == 0
    assert np.allclose(np.log2(found.lengths) * 4, np.round(np.log2(found.lengths) * 4)), "quarters of an octave"


def test_what_differs_between_target_sets_is_not_told_of_the_columns() -> None:
    """Levels and slopes differ; a length that had to explain them would be short, and nothing learnt of a neighbour."""
    rng = np.random.default_rng(4)
    x, sets = rng.normal(size=(160, 2)), np.repeat(np.arange(8), 20)
    level, slope = rng.normal(0, 2, 8), rng.normal(1, 0.7, 8)
    y = level[sets] + slope[sets] * x[:, 0] + rng.normal(0, 0.1, 160)
    found = learnt_lengths(x, y, np.ones(160), sets)
    blind = learnt_lengths(x, y, np.ones(160), np.zeros(160, dtype=np.int64))
    assert found.level + found.own > 0.5 and found.noise < 0.03 < 1 < blind.noise
    assert found.lengths[0] > 1 and found.lengths[1] > 4 * found.lengths[0]


def test_every_law_is_the_same_for_a_seed() -> None:
    for name in TABLES:
        assert np.array_equal(made(name, 20).values, made(name, 20).values), name


def law_of(columns: dict[str, np.ndarray], values: np.ndarray, scale: str = "loss") -> tuple[dict, Sample]:
    rows = Sample.of(rows_for(select(records(columns, values, scale), ["table"]), "outcome"))
    return families()["law"].fit(rows), rows


def test_a_law_finds_its_own_parameters_and_goes_on_beyond_the_sizes() -> None:
    rng = np.random.default_rng(0)
    size, rate = 10 ** rng.uniform(2, 6, 200), rng.uniform(-1, 1, 200)

    def loss(size: np.ndarray, rate: np.ndarray) -> np.ndarray:
        return np.exp(0.3 * rate + 0.2 * rate**2) * (0.5 + 40 * size**-0.4)

    found, rows = law_of({"n_samples": size, "rate": rate}, loss(size, rate) * np.exp(rng.normal(0, 0.002, 200)))
    assert found["features"] == ["rate", "log n_samples"] and not found["breaks"] and len(found["parabolas"]) == 1
    assert found["curve"][2] == pytest.approx(0.4, abs=0.01)
    beyond = [Case(None, {"n_samples": 1e8, "rate": r}, level=rows[0].case.level) for r in (-0.5, 0.5)]
    predicted = rows[0].scale.values(evaluate(found, beyond))
    assert predicted == pytest.approx(loss(np.full(2, 1e8), np.array([-0.5, 0.5])), rel=0.01)
    at_edge = evaluate(found, beyond, clip=True)
    inside = [Case(None, {"n_samples": size.max(), "rate": r}, level=rows[0].case.level) for r in (-0.5, 0.5)]
    assert at_edge == pytest.approx(evaluate(found, inside))
    assert np.isnan(evaluate(found, [Case(None, {"n_samples": 1e4})])).all(), "a column is missing"


def test_a_law_bends_where_that_pays() -> None:
    table = made("curve", 300)
    found, _ = law_of(table.columns, table.values)
    assert len(found["breaks"]) == 2 and found["breaks"][0][0] > 0
    straight = 2 * table.columns["n_samples"] ** -0.3
    found, _ = law_of(table.columns, straight * np.exp(np.random.default_rng(1).normal(0, 0.02, 300)))
    assert not found["breaks"]


def test_a_law_needs_sizes() -> None:
    x = np.random.default_rng(0).uniform(1, 2, 40)
    for columns in ({"x": x}, {"x": x, "n_samples": x - 1.5}, {"x": x, "n_samples": np.full(40, 9.0)}):
        with pytest.raises(FitError, match="family law needs a column n_samples, above 0 in every run, that varies"):
            law_of(columns, x)
    with pytest.raises(FitError, match="family law needs 20 configurations; found 12"):
        law_of({"n_samples": x[:12]}, x[:12])


def test_a_law_competes_for_tables_alone_unless_it_is_named() -> None:
    trained = registry(n_configurations=24, n_seeds=1)
    assert "law" not in fit_registry(trained, ["accuracy"]).content["outcomes"]["accuracy"]["families"]
    named = fit_registry(trained, ["accuracy"], ["law"])
    assert named.outcomes["accuracy"].configuration.family == "law"
    again = parse_fit(named.to_json(), where="a fit")
    assert again.content["outcomes"] == named.content["outcomes"], "it is stored and read"
