"""Somebody's tables of numbers: nothing is known of a column, shares sum to one, names hold blanks; sizes go on."""

from __future__ import annotations

import numpy as np
import pytest
from made_tables import TABLES, made, records
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from predictor.fitting import fit_registry, rows_for, select
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds
from predictor.fitting.validation import size_folds
from predictor.models.base import feature_matrix
from predictor.models.case import Case, check_features
from predictor.models.features import reported, shares
from predictor.models.lengths import learnt_lengths
from predictor.models.links import expit, logit
from predictor.models.rows import Sample

N = 120
MOST = {"mixtures": (0.6, 0.6), "interactions": (0.8, 0.8), "takeoff": (0.45, 0.6)}  # of the peer's error


def boosting_errors(rows: Sample) -> tuple[float, float]:
    """Mean absolute error of scikit-learn's boosting on the same folds, and on the largest fifth."""
    configs = configurations(rows)
    x, y = feature_matrix([rows[i] for i in configs.first], reported(rows)), logit(configs.measured)
    everything = np.arange(len(y))
    inside = [(np.setdiff1d(everything, held), held) for held in configuration_folds(configs, 5)]
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
    x = rng.normal(size=(150, 4))
    lengths, signal, noise = learnt_lengths(
        x, np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] + rng.normal(0, 0.1, 150), np.ones(150)
    )
    assert lengths[0] < lengths[1] < lengths[2:].min() and signal > 0.2 and 0.005 < noise < 0.02
    assert np.allclose(np.log2(lengths) * 4, np.round(np.log2(lengths) * 4)), "quarters of an octave"


def test_every_law_is_the_same_for_a_seed() -> None:
    for name in TABLES:
        assert np.array_equal(made(name, 20).values, made(name, 20).values), name
