"""Choices that only a fault shows: who chooses in a fold, when a cut is advised, what is permuted, how wide a new
domain is."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from synthetic import registry

from predictor.agreements import agreement
from predictor.distribution import LabelDistribution
from predictor.fitting import validation
from predictor.fitting.calibration import spread
from predictor.fitting.configurations import configurations
from predictor.fitting.folds import configuration_folds, largest, same_images
from predictor.fitting.held_out import calibrate_all
from predictor.fitting.rows import rows_for, select
from predictor.models.base import families
from predictor.models.fit import Fit
from predictor.models.links import logit
from predictor.models.rows import Row, Sample
from predictor.planning.advice import advise as advising
from predictor.prediction import predict
from predictor.recipes import Action
from predictor.records import frame
from predictor.statistics.conformal import t_quantile
from predictor.statistics.resampling import neighbours

NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
EVEN = LabelDistribution.from_counts(dict.fromkeys(NAMES, 100), targets=NAMES)


@pytest.fixture(scope="module")
def held_out() -> SimpleNamespace:
    """Two families, held out by configuration."""
    rows = Sample.of(rows_for(select(registry(n_configurations=30, n_seeds=1)), "accuracy"))
    configs = configurations(rows)
    split = next(item for item in validation.splits(rows, configs)[0] if item.name == "configuration")
    fits, failed = calibrate_all([families()["linear"], families()["log_n"]], rows, configs, split.folds)
    assert not failed and len(split.folds) > 2
    return SimpleNamespace(rows=rows, configs=configs, split=split, fits=fits)


def test_the_family_is_chosen_anew_in_every_fold(held_out) -> None:
    """A choice made on all runs would know the ones that are held out."""
    one = held_out
    with patch.object(validation, "choose", lambda fits, without_level: "log_n"):
        table = validation.validate("accuracy", one.rows, one.configs, one.fits, one.split, "linear")
    by_name = {row["family"]: row for row in table}
    assert by_name["linear"]["chosen"] and not by_name["log_n"]["chosen"]
    assert by_name["linear"]["chosen_in_folds"] == {"log_n": len(one.split.folds)}
    assert by_name["linear"]["mae"] == by_name["log_n"]["mae"], "the row of the chosen one is what its folds chose"


def test_the_choice_of_a_fold_sees_no_run_that_is_held_out(held_out) -> None:
    one, seen = held_out, []

    def choose(fits, without_level):
        seen.append(set(fits["linear"].of_all.tolist()))
        return "linear"

    with patch.object(validation, "choose", choose):
        validation.validate("accuracy", one.rows, one.configs, one.fits, one.split, "linear")
    every = set(range(len(one.configs.ids)))
    assert seen == [every - set(np.asarray(test).tolist()) for test in one.split.folds]


@pytest.mark.parametrize(("p", "advised"), [(0.89, "targets"), (0.91, "targets and cuts"), (None, "targets")])
def test_images_are_left_out_only_where_that_is_likely_to_be_better(p, advised) -> None:
    rows = [
        SimpleNamespace(name="targets and cuts", value=0.7, cut=5, outside=False),
        SimpleNamespace(name="targets", value=0.6, cut=0, outside=False),
        SimpleNamespace(name="now", value=0.5, cut=0, outside=False),
    ]
    with patch.object(advising, "_difference", lambda *_: ((0.0, 0.2), 0.1, p)):
        assert advising._advised(rows, None, "accuracy", outside=False).name == advised


@pytest.mark.parametrize(("gain", "advised"), [(4e-4, "targets"), (6e-4, "both")])
def test_other_classes_are_advised_only_where_they_bring_more_than_0_05_points(gain, advised) -> None:
    rows = [
        SimpleNamespace(name="both", value=0.6 + gain, cut=0, outside=False),
        SimpleNamespace(name="targets", value=0.6, cut=0, outside=False),
        SimpleNamespace(name="now", value=0.5, cut=0, outside=False),
    ]
    assert advising._advised(rows, None, "accuracy", outside=False).name == advised


def test_a_cut_is_held_against_the_best_plan_that_keeps_all() -> None:
    rows = [
        SimpleNamespace(name="targets and cuts", value=0.7, cut=5, outside=False),
        SimpleNamespace(name="targets", value=0.6, cut=0, outside=False),
        SimpleNamespace(name="now", value=0.59995, cut=0, outside=False),
        SimpleNamespace(name="uniform", value=0.58, cut=0, outside=False),
    ]
    against = []

    def difference(found, outcome, name, other, value):
        against.append((name, other, value))
        return (0.0, 0.2), 0.1, 0.5

    with patch.object(advising, "_difference", difference):
        assert advising._advised(rows, None, "accuracy", outside=False).name == "now", (
            "as good within .05 points, and simpler"
        )
    assert against == [("targets and cuts", "now", 0.59995)]


def test_a_partial_correlation_is_permuted_among_neighbours_alone() -> None:
    """Over all configurations the permuted ones lose the third variable as well, and everything would be certain."""
    module = sys.modules["predictor.agreements.estimates"]
    runs = frame(registry(n_configurations=20, n_seeds=1, target_sets=(("cifar100/a", ("cifar", 10, -3.0)),)))
    blocks = []
    original = module.Orders

    def orders(n, draws, *, seed, blocks: object = None):
        seen.append(blocks)
        return original(n, draws, seed=seed, blocks=blocks)

    seen: list[object] = blocks
    with patch.object(module, "Orders", orders):
        agreement(runs, outcomes=["accuracy"], statistics=["spearman"], n_bootstrap=50, n_permutations=50)
    size = runs.sort_values("configuration_id")["ind_n_samples"].to_numpy()
    expected = sorted(np.bincount(neighbours(size)).tolist())
    assert any(item is not None and sorted(np.bincount(item).tolist()) == expected for item in seen)


def changed_spread(fit: Fit, **spread: float) -> Fit:
    content = json.loads(json.dumps(fit.content))
    content["outcomes"]["accuracy"]["target_set"]["spread"]["new_domain"] |= spread
    return Fit(content)


def test_a_new_domain_has_students_quantile_of_its_own_spread(synthetic_fit) -> None:
    def half(df: float, level: float) -> float:
        own = changed_spread(synthetic_fit, sd=2.5, df=df)
        found = predict(own, {"even": EVEN}, domain="new", level=level).predictions[0].outcome("accuracy")
        return float(logit(found.value) - logit(found.low))

    for df, level in ((2.0, 0.8), (5.0, 0.8), (5.0, 0.9)):
        assert half(df, level) == pytest.approx(t_quantile(0.5 + level / 2, df) * 2.5, rel=0.05), (df, level)


def test_a_new_domain_is_never_narrower_than_a_new_target_set(synthetic_fit) -> None:
    own = changed_spread(synthetic_fit, sd=1e-6, df=5.0)
    new, known = (
        predict(own, {"even": EVEN}, domain=domain).predictions[0].outcome("accuracy") for domain in ("new", "cifar")
    )
    widths = [float(logit(item.value) - logit(item.low)) for item in (new, known)]
    assert widths[0] > 0.9 * widths[1] > 0  # of another accuracy, but for which they are equal


@pytest.mark.parametrize(
    ("sizes", "held"),
    [([1.0, 2.0, 0.3, 0.1 + 0.2], [1]), ([1.0, 2.0, 3.0, 3.0 + 4e-16], [2, 3]), ([3.0, 3.0, 3.0, 1.0], [])],
)
def test_the_largest_configurations_go_out_together_with_their_equals(sizes, held) -> None:
    """But no more than half of a group: it keeps smaller ones to learn its level from."""
    assert largest(np.array(sizes), np.array(["a"] * 4), 0.25).tolist() == held


def test_p_of_a_partial_correlation_is_a_share_of_all_orders_where_these_are_few() -> None:
    """Three times four neighbours have 24^3 orders, which are all taken; twelve configurations have too many."""
    generator = np.random.default_rng(3)
    size = np.arange(12.0)
    other, value = size + generator.normal(0, 4, 12), size + generator.normal(0, 4, 12)
    names = [f"c{i:02d}" for i in range(12)]
    runs = pd.DataFrame(
        {"study": "s", "target_set": "t", "configuration_id": names, "run_id": names, "ind_n_samples": size,
         "ind_other": other, "out_accuracy": value}
    )  # fmt: skip
    blocks = neighbours(size)
    assert np.bincount(blocks).tolist() == [4, 4, 4]
    table = agreement(runs, indicators=["other"], statistics=["spearman"], n_bootstrap=50, n_permutations=99)
    (p,) = (row.p for row in table.rows if row.statistic == "partial_spearman")
    assert 0.01 < p < 1 and p * 24**3 == pytest.approx(round(p * 24**3), abs=1e-6)


def test_every_fold_holds_out_as_much_of_each_target_set(held_out) -> None:
    """A target set that is left out whole would be no held-out configuration of a known one."""
    sets = held_out.configs.target_sets
    folds = configuration_folds(held_out.rows, held_out.configs, 3)
    assert sorted(np.concatenate(folds).tolist()) == list(range(30))
    assert [Counter(sets[fold].tolist()) for fold in folds] == [dict.fromkeys(set(sets.tolist()), 2)] * 3


def test_runs_on_the_same_images_are_held_out_together(held_out) -> None:
    """Another action against imbalance on the very same images tells of them what no new data set could."""
    plain = list(held_out.rows)
    weighted = Action(class_weights="inverse")

    def acted(row: Row, name: str, **changes: object) -> Row:
        own = f"{row.configuration_id}{name}"
        return replace(row, configuration_id=own, case=replace(row.case, action=weighted), **changes)

    acting = [acted(row, "w") for row in plain[:12]]
    elsewhere = [acted(row, "d", data_seed=77) for row in plain[12:15]]
    others = [replace(row, configuration_id=f"{row.configuration_id}o") for row in plain[15:20]]  # another network, say
    rows = [*plain, *acting, *elsewhere, *others]
    configs = configurations(rows)
    twins = {frozenset(configs.names[i] for i in own) for own in same_images(rows, configs)}
    names = [row.configuration_id for row in [*plain, *elsewhere, *others]]
    assert twins == {frozenset({name, f"{name}w"} if name in names[:12] else {name}) for name in names}
    folds = configuration_folds(rows, configs, 3)
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(configs.ids)))
    held = [frozenset(configs.names[i] for i in fold) for fold in folds]
    assert all(sum(twin <= fold for fold in held) == 1 for twin in twins) and all(held)
    pair = [plain[0], acting[0]]
    assert sorted(map(len, configuration_folds(pair, configurations(pair), 2))) == [1, 1], "no other draw to fit on"


def test_a_new_target_set_differs_by_its_level_and_by_its_configurations() -> None:
    left_out = SimpleNamespace(residuals=np.array([1.5, 0.5, -0.5, -1.5]), groups=np.array(list("aabb")))
    found = spread(left_out, None, left_out, 1)["new_target_set"]
    assert found["sd"] == pytest.approx(np.sqrt(1.0**2 + 0.5**2)) and found["df"] == 2  # levels +-1, and 0.5 inside
