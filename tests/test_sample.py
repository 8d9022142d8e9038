"""What makes a fit fast changes no figure: cut samples, merged seeds, cells of the design matrix, several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import registry

from predictor.fitting.configurations import configurations
from predictor.fitting.metrics import noise
from predictor.fitting.rows import rows_for, select
from predictor.models.base import families, feature_matrix, level_index, replicate_weights
from predictor.models.elastic_net import _Squares
from predictor.models.glm import Groups, _design, fit_pooled
from predictor.models.rows import Sample

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def whole():
    return Sample.of(rows_for(select(registry(n_configurations=80, n_seeds=2)), "accuracy"))


def some(whole, share=3):
    configuration = whole.labelled("configuration")[2]
    return whole.part(np.flatnonzero(configuration % share > 0))


def test_a_part_is_what_its_runs_alone_are(whole):
    part = some(whole)
    alone = Sample.of(list(part))
    assert part != alone and part == some(whole) and hash(part) == hash(some(whole))
    names = ["log n_samples", "mean_log_count", "log passes"]
    assert np.array_equal(feature_matrix(part, names), feature_matrix(list(part), names))
    assert level_index(part)[0] == level_index(list(part))[0]
    assert np.array_equal(level_index(part)[1], level_index(list(part))[1])
    assert np.array_equal(replicate_weights(part), np.full(len(part), 0.5))
    first, index = part.replicates()
    assert [part[i].configuration_id for i in first[index]] == [row.configuration_id for row in part]
    cases, at = part.cases()
    assert all(cases[i] is row.case for i, row in zip(at, part, strict=True))


def test_some_configurations_keep_what_is_theirs(whole):
    """Of different numbers of seeds, as where a grid is half trained: each keeps its own variance and replicates."""
    _, first, index = whole.labelled("configuration")
    place = np.arange(len(whole)) - first[index]
    uneven = whole.part(np.flatnonzero((index % 2 == 0) | (place == 0)))
    configs = configurations(uneven)
    assert {1, 2} == set(configs.seeds.tolist())
    chosen = np.flatnonzero(configs.seeds > 1)[::2]
    part = configs.among(chosen, configs.measured[chosen], configs.seeds[chosen])
    for field in fields(part):
        there, every = getattr(part, field.name), getattr(configs, field.name)
        if field.name not in ("index", "scale"):
            assert list(there) == [every[i] for i in chosen], field.name
    assert noise(part) == noise(configs, chosen)
    rows = np.isin(configs.index, chosen)
    assert np.allclose(part.mean(uneven.values[rows]), part.measured)
    alone = np.flatnonzero(configs.seeds == 1)
    assert noise(configs.among(alone, configs.measured[alone], configs.seeds[alone])) == (None, None)


@pytest.mark.parametrize("name", [name for name, item in families().items() if item.default and item.fit])
def test_a_family_learns_the_same_from_a_part_and_from_its_runs_alone(whole, name):
    part = some(whole)
    assert families()[name].fit(part) == families()[name].fit(list(part))


def test_merged_seeds_give_the_parameters_of_all_runs():
    generator = np.random.default_rng(0)
    features, group = generator.normal(size=(40, 2)), np.arange(40) % 4
    x, groups = np.repeat(features, 3, axis=0), np.repeat(group, 3)
    eta = 0.2 + x @ [0.7, -0.3] + 0.3 * groups + generator.normal(0, 0.3, 120)
    y, weight = 1 / (1 + np.exp(-eta)), np.full(120, 1 / 3)
    seeds = y.reshape(40, 3)
    every = fit_pooled(x, [Groups(groups, 4, (0,))], y, weight, chance=0.1, shrink=True)
    within = ((seeds - seeds.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / 3
    merged = fit_pooled(
        features, [Groups(group, 4, (0,))], seeds.mean(axis=1), np.ones(40), chance=0.1, shrink=True, within=within,
        n_runs=120,
    )  # fmt: skip
    assert merged.intercept == pytest.approx(every.intercept, abs=1e-8)
    assert merged.slopes == pytest.approx(every.slopes, abs=1e-8)
    assert merged.deviations[0] == pytest.approx(every.deviations[0], abs=1e-8)
    assert merged.dispersion == pytest.approx(every.dispersion, rel=1e-8)


@given(
    x=arrays(np.float64, (12, 2), elements=st.floats(-3, 3)),
    inner=arrays(np.int64, 12, elements=st.integers(0, 4)),
    theta=arrays(np.float64, 3 + 5 + 5 + 2, elements=st.floats(-2, 2)),
)
def test_the_design_matrix_in_cells_is_the_whole_one(x, inner, theta):
    outer = inner % 2
    columns, terms, k = [3 + inner, 8 + inner, 13 + outer], [-1, 1, -1], 15
    full = np.zeros((12, k))
    full[:, 0], full[:, 1:3] = 1, x
    for column, term in zip(columns, terms, strict=True):
        full[np.arange(12), column] = 1 if term < 0 else x[:, term]
    design, order = _design(x, columns, terms, k)
    full, values = full[order], np.linspace(0.1, 1, 12)
    assert design.times(theta) == pytest.approx(full @ theta)
    assert design.transposed_times(values, k) == pytest.approx(full.T @ values)
    assert design.information(values, k) == pytest.approx((full * values[:, None]).T @ (full * values[:, None]))


def test_a_path_is_that_of_scikit_learn():
    from sklearn.linear_model import ElasticNet

    generator = np.random.default_rng(2)
    x, weight = generator.normal(size=(60, 8)), generator.uniform(0.5, 2, 60)
    y = x @ np.maximum(generator.normal(size=8), 0) + generator.normal(0, 0.2, 60)
    reference = ElasticNet(alpha=0.05, l1_ratio=0.5, positive=True, fit_intercept=False, tol=1e-3)
    own = _Squares.of(x, y, weight).path(np.array([0.05]))[:, 0]
    assert own == pytest.approx(reference.fit(x, y, sample_weight=weight).coef_, abs=1e-6)


SIDE_BY_SIDE = """
from synthetic import registry
from predictor.fitting import fit_registry
from predictor.fitting.parallel import processes_for
from predictor.models import family

records = registry(n_configurations=20, n_seeds=2)
said = []
fits = [fit_registry(records, None, ["linear"], processes=1),
        fit_registry(records, None, ["linear"], processes=2, progress=lambda *one: said.append(one))]
assert fits[0].content == fits[1].content
assert said[0] == ("3 outcomes, 2 at a time", 0.0) and said[-1][1] == 1.0, said
assert list(fits[1].outcomes) == ["accuracy", "robustness", "shift:noise"]
family("my_own")(lambda rows: {})
assert processes_for(2, 3, enough=True) == 1  # other processes would not know it
"""


def test_outcomes_side_by_side_give_the_same_fit():
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SIDE_BY_SIDE], env={**os.environ, "PYTHONPATH": path}, text=True,
        capture_output=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
