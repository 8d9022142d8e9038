"""Agreement over target sets and along axes, by hand: what is held fixed, signs that cancel, orders inside strata."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from predictor.agreements import Agreement, agreement
from predictor.agreements.pooling import pooled
from predictor.statistics.resampling import permutation_p


def row(target_set: str, value: float, n: int, *, p: float = 0.02, given: str | None = None) -> Agreement:
    statistic = "spearman" if given is None else "partial_spearman"
    return Agreement(
        study="s", target_set=target_set, indicator="gini", outcome="accuracy", statistic=statistic, given=given,
        value=value, low=None, high=None, p=p, q=None, n_configurations=n, n_runs=n, tied_share=0.0, reason=None,
    )  # fmt: skip


def test_a_variable_that_is_held_fixed_costs_each_target_set_one_configuration() -> None:
    plain = next(pooled([row("a", 0.3, 20), row("b", 0.7, 31, p=0.3)], {}, 0.95))
    held = next(pooled([row("a", 0.3, 21, given="x"), row("b", 0.7, 32, p=0.3, given="x")], {}, 0.95))
    assert (held.value, held.low, held.high, held.p) == pytest.approx((plain.value, plain.low, plain.high, plain.p))
    assert held.n_configurations == plain.n_configurations + 2


def test_opposite_effects_are_no_evidence_for_a_common_one() -> None:
    alike = next(pooled([row("a", 0.6, 20), row("b", 0.6, 20)], {}, 0.95))
    opposite = next(pooled([row("a", 0.6, 20), row("b", -0.6, 20)], {}, 0.95))
    assert alike.p < 0.01 and opposite.p == pytest.approx(1) and opposite.value == pytest.approx(0)


def test_more_of_an_indicator_that_lowers_a_loss_goes_with_a_better_outcome() -> None:
    size = np.arange(1.0, 11)
    names = [f"c{i}" for i in range(10)]
    runs = pd.DataFrame(
        {"study": "s", "target_set": "t", "configuration_id": names, "run_id": names, "ind_size": size,
         "out_loss": 1 / size, "scale_loss": "loss", "out_accuracy": 1 - 1 / size}
    )  # fmt: skip
    table = agreement(runs, statistics=["spearman", "kendall_tau_b"], n_bootstrap=50)
    assert {(one.outcome, one.statistic): one.value for one in table.rows} == {
        (outcome, statistic): pytest.approx(1)
        for outcome in ("loss", "accuracy")
        for statistic in ("spearman", "kendall_tau_b")
    }
    assert any("loss is better when small" in note for note in table.notes)


def test_p_along_an_axis_permutes_inside_what_is_equal_in_all_others() -> None:
    x, y = np.array([1.0, 2, 3, 1, 2, 3]), np.array([1.0, 1, 2, 3, 4, 4])
    names = [f"c{i}" for i in range(6)]
    runs = pd.DataFrame(
        {"study": "s", "target_set": "t", "configuration_id": names, "run_id": names, "ind_x": x, "out_accuracy": y,
         "axis_size": [1, 2, 3] * 2, "axis_shape": ["even"] * 3 + ["skewed"] * 3}
    )  # fmt: skip

    def net(values: np.ndarray) -> float:
        pairs = [pair for first in (0, 3) for pair in itertools.combinations(range(first, first + 3), 2)]
        return float(sum(np.sign(x[i] - x[j]) * np.sign(values[i] - values[j]) for i, j in pairs))

    orders = [[*a, *b] for a in itertools.permutations((0, 1, 2)) for b in itertools.permutations((3, 4, 5))]
    expected = np.mean([abs(net(y[order])) >= abs(net(y)) for order in orders])
    table = agreement(runs, statistics=["spearman"], by=["size"], given=None, n_bootstrap=50)
    (along,) = (one for one in table.rows if one.axis == "size")
    assert along.value == 1 and along.p == pytest.approx(expected) == pytest.approx(2 / 9)


def test_an_order_without_a_value_is_no_evidence_against_chance() -> None:
    drawn = [np.array([[[np.nan]], [[0.1]], [[0.2]]])]
    assert permutation_p(np.array([[0.9]]), drawn, exact=False) == pytest.approx(2 / 4)
    assert permutation_p(np.array([[0.9]]), drawn, exact=True) == pytest.approx(1 / 3)


def runs_of(n: int, seed: int, **columns: object) -> pd.DataFrame:
    """One target set; three indicators that go with the outcome more or less."""
    generator = np.random.default_rng(seed)
    value = generator.normal(size=n)
    noisy = {f"ind_{name}": value + generator.normal(0, sd, n) for name, sd in (("a", 1.5), ("b", 2.0), ("c", 3.0))}
    names = [f"c{i:02d}" for i in range(n)]
    shared = {"study": "s", "target_set": "t", "configuration_id": names, "run_id": names}
    return pd.DataFrame({**shared, **noisy, "out_accuracy": value, **columns})


def test_a_partial_correlation_is_permuted_inside_blocks_and_neighbours() -> None:
    """Twelve sizes are three times four neighbours, half of each in either block: 2^6 orders."""
    runs = runs_of(12, 5, ind_n_samples=np.arange(12.0), axis_steps=["short", "long"] * 6)
    table = agreement(runs, indicators=["a"], statistics=["spearman"], blocks=["axis_steps"], n_bootstrap=50)
    (p,) = (one.p for one in table.rows if one.statistic == "partial_spearman")
    assert 0 < p < 1 and p * 2**6 == pytest.approx(round(p * 2**6), abs=1e-6)


def test_the_largest_of_one_statistic_is_that_statistic() -> None:
    table = agreement(
        runs_of(12, 6), indicators=["a"], statistics=["spearman"], given=None, adjust="max_t", n_bootstrap=50,
        n_permutations=999,
    )  # fmt: skip
    assert [one.q for one in table.rows] == pytest.approx([one.p for one in table.rows])


def test_statistics_without_a_largest_one_are_adjusted_by_holm() -> None:
    table = agreement(
        runs_of(10, 7), statistics=["kendall_tau_b"], given=None, adjust="max_t", n_bootstrap=50, n_permutations=999
    )
    p = [one.p for one in table.rows]
    q = [one.q for one in table.rows]
    assert q == pytest.approx(multipletests(p, method="holm")[1]) and q != pytest.approx(
        stats.false_discovery_control(p)
    )
