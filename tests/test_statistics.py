"""Rank and pair statistics: reference values with their origin, agreement with scipy, and properties."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from predictor.statistics.pairs import PairCounts, pair_counts, pair_sums, permuted_net, weighted_pairs
from predictor.statistics.rank import (
    correlations,
    partial,
    partial_spearman,
    permuted_correlations,
    permuted_partials,
    ranks,
    spearman,
)
from predictor.statistics.resampling import Orders, permutation_p, resample_weights, without_each

# few distinct values: ties are the rule, as with long_tail@k
PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=14)
PAIRWISE: dict[str, Callable[[PairCounts], np.ndarray]] = {
    "tau_b": lambda c: c.tau_b,
    "gamma": lambda c: c.gamma,
    "somers_d": lambda c: c.somers_d,
    "decision_accuracy": lambda c: c.decision_accuracy,
}
ALL: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "spearman": spearman,
    **{name: (lambda x, y, of=of: float(of(pair_counts(x, y)))) for name, of in PAIRWISE.items()},
}


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(pairs, dtype=float).T
    return x, y


def from_table(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    counts = np.array(table)
    rows, columns = np.indices(counts.shape)
    return tuple(np.repeat(v.ravel(), counts.ravel()).astype(float) for v in (rows, columns))


# ---- reference values ----------------------------------------------------------------------------------------

# R, ?cor.test (Hollander and Wolfe 1973, p. 185f): tuna lightness and panel score
TUNA_X = np.array([44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1])
TUNA_Y = np.array([2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8])


def test_tuna_as_in_r() -> None:
    # R: cor.test(x, y, method = "kendall") -> T = 26, p-value = 0.1194, tau 0.4444444
    # R: cor.test(x, y, method = "spearman") -> S = 48, p-value = 0.0968, rho 0.6
    x, y = TUNA_X[None], TUNA_Y[None]
    orders = Orders(9, 0, seed=0)
    assert orders.exact and len(orders) == 362_880
    counts = pair_sums(x, y).counts
    assert float(counts.tau_b[0, 0]) == pytest.approx(4 / 9, abs=1e-12)
    assert spearman(TUNA_X, TUNA_Y) == pytest.approx(0.6, abs=1e-12)
    net = counts.concordant - counts.discordant
    assert permutation_p(net, permuted_net(x, y, orders), exact=True)[0, 0] == pytest.approx(0.1194, abs=5e-5)
    drawn = permuted_correlations(ranks(x), ranks(y), orders)
    assert permutation_p(correlations(x, y)[0], drawn, exact=True)[0, 0] == pytest.approx(0.0968, abs=5e-5)


def test_two_by_five_table_as_in_sas() -> None:
    # SAS/STAT user's guide, PROC FREQ, data set Pain, `tables Adverse*Dose / measures`:
    # gamma 0.5313, Kendall's tau-b 0.3373, Somers' D C|R 0.4427, R|C 0.2569
    x, y = from_table([[26, 26, 23, 18, 9], [6, 7, 9, 14, 23]])
    assert ALL["gamma"](x, y) == pytest.approx(0.5313, abs=5e-5)
    assert ALL["tau_b"](x, y) == pytest.approx(0.3373, abs=5e-5)
    assert ALL["somers_d"](x, y) == pytest.approx(0.4427, abs=5e-5)
    assert ALL["somers_d"](y, x) == pytest.approx(0.2569, abs=5e-5)


def test_job_satisfaction_as_in_agresti() -> None:
    # Agresti 2002, Categorical Data Analysis, table 2.8, income by job satisfaction: gamma 0.221, tau-b 0.152; in R,
    # DescTools, GoodmanKruskalGamma(tab) and KendallTauB(tab) of the same table
    x, y = from_table([[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]])
    assert ALL["gamma"](x, y) == pytest.approx(0.221, abs=5e-4)
    assert ALL["tau_b"](x, y) == pytest.approx(0.152, abs=5e-4)


def test_somers_d_of_scipys_example() -> None:
    # scipy.stats.somersd, docstring: hotel cleanliness against satisfaction, 0.6032766111513396
    x, y = from_table([[27, 25, 14, 7, 0], [7, 14, 18, 35, 12], [1, 3, 2, 7, 17]])
    assert ALL["somers_d"](x, y) == pytest.approx(0.6032766111513396, abs=1e-12)


def test_partial_correlation_as_in_r_ppcor() -> None:
    # R, ppcor, ?pcor.test: pcor.test(y.data$hl, y.data$disp, y.data[, c("deg", "BC")]) -> estimate -0.6720863
    data = np.array([
        [7, 15, 19, 15, 21, 22, 57, 15, 20, 18],
        [0.000, 0.964, 0.000, 0.000, 0.921, 0.000, 0.000, 1.006, 0.000, 1.011],
        [9, 2, 3, 4, 1, 3, 1, 3, 6, 1],
        [1.78e-02, 1.05e-06, 1.37e-05, 7.18e-03, 0, 0, 0, 4.48e-03, 2.10e-06, 0],
    ])  # fmt: skip
    r = np.corrcoef(data)

    def given_deg(a: int, b: int) -> np.ndarray:
        return partial(r[a, b], r[a, 2], r[b, 2])

    assert float(partial(given_deg(0, 1), given_deg(0, 3), given_deg(1, 3))) == pytest.approx(-0.6720863, abs=5e-8)


# ---- against scipy and statsmodels, on ties --------------------------------------------------------------------


@given(PAIRS)
def test_agrees_with_scipy(pairs) -> None:
    x, y = arrays(pairs)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(spearman(x, y)) and math.isnan(ALL["tau_b"](x, y))
        return
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-10)
    assert ALL["tau_b"](x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-10)
    with np.errstate(invalid="ignore"):  # scipy's p of a perfect or empty order is 0 / 0
        expected = stats.somersd(x, y).statistic
    assert ALL["somers_d"](x, y) == pytest.approx(expected, abs=1e-10)


def test_partial_spearman_is_the_correlation_of_rank_residuals() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    z = rng.integers(0, 6, 25).astype(float)
    x, y = z + rng.normal(size=25), z - rng.normal(size=25)
    design = sm.add_constant(stats.rankdata(z))
    residuals = [sm.OLS(stats.rankdata(v), design).fit().resid for v in (x, y)]
    assert partial_spearman(x, y, z) == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-10)
    assert math.isnan(partial_spearman(z, y, z)), "z determines x"
    assert math.isnan(partial_spearman(np.exp(z), y, z)), "by rank, log samples is samples"
    assert partial_spearman(x, y, np.ones(25)) == spearman(x, y), "a constant holds nothing fixed"


def test_every_bootstrap_draw_is_ranked_anew() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 4, (3, 11)).astype(float), rng.normal(size=(2, 11)).round(1)
    weights = resample_weights(11, 40, rng)
    drawn, counts = correlations(x, y, weights), weighted_pairs(x, y, weights)
    for b, w in enumerate(weights.astype(int)):
        for k, m in itertools.product(range(3), range(2)):
            a, c = np.repeat(x[k], w), np.repeat(y[m], w)
            assert drawn[b, k, m] == pytest.approx(spearman(a, c), abs=1e-12, nan_ok=True)
            for of in PAIRWISE.values():
                assert of(counts)[b, k, m] == pytest.approx(float(of(pair_counts(a, c))), abs=1e-12, nan_ok=True)


def test_leaving_one_out_equals_leaving_it_out() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.integers(0, 4, (2, 9)).astype(float), rng.normal(size=(3, 9)).round(1)
    by_weight, by_sum = correlations(x, y, without_each(9)), pair_sums(x, y).left_out
    for i in range(9):
        for k, m in itertools.product(range(2), range(3)):
            a, c = np.delete(x[k], i), np.delete(y[m], i)
            assert by_weight[i, k, m] == pytest.approx(spearman(a, c), abs=1e-12)
            assert by_sum.tau_b[k, m, i] == pytest.approx(stats.kendalltau(a, c).statistic, abs=1e-12)
            assert by_sum.tied_share[k, m, i] == pytest.approx(float(pair_counts(a, c).tied_share), abs=1e-12)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import predictor.statistics.pairs as pairs
    import predictor.statistics.rank as rank

    rng = np.random.default_rng(7)
    x, y = rng.integers(0, 5, (2, 60)).astype(float), rng.normal(size=(2, 60))
    weights, orders = resample_weights(60, 25, rng), Orders(60, 25, seed=1)

    def everything() -> list[np.ndarray]:
        counts, drawn = pair_sums(x, y).counts, weighted_pairs(x, y, weights)
        return [
            correlations(x, y, weights), counts.tau_b, drawn.gamma, drawn.tied_share,
            np.concatenate(list(permuted_net(x, y, orders))),
            np.concatenate(list(permuted_correlations(ranks(x), ranks(y), orders))),
        ]  # fmt: skip

    whole = everything()
    monkeypatch.setattr(pairs, "HELD", 500)
    monkeypatch.setattr(rank, "HELD", 500)
    for a, b in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_pairs_of_many_configurations_are_counted_in_bounded_memory() -> None:
    import tracemalloc

    rng = np.random.default_rng(8)
    x, y = rng.integers(0, 50, (2, 6000)).astype(float), rng.normal(size=(1, 6000))
    tracemalloc.start()
    counts = pair_sums(x, y).counts
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 300e6, "all pairs of three variables would hold 860 MB in doubles"
    assert float(counts.tau_b[0, 0]) == pytest.approx(stats.kendalltau(x[0], y[0]).statistic, abs=1e-12)


# ---- permutation -----------------------------------------------------------------------------------------------


def test_permuted_values_are_those_of_each_order() -> None:
    rng = np.random.default_rng(9)
    x, y, z = rng.integers(0, 4, (2, 10)).astype(float), rng.normal(size=(2, 10)).round(1), rng.normal(size=10)
    orders = Orders(10, 30, seed=3)
    (order,) = orders
    drawn = np.concatenate(list(permuted_correlations(ranks(x), ranks(y), orders)))
    net = np.concatenate(list(permuted_net(x, y, orders)))
    for p in range(30):
        for k, m in itertools.product(range(2), range(2)):
            moved = pair_counts(x[k], y[m, order[p]])
            assert drawn[p, k, m] == pytest.approx(spearman(x[k], y[m, order[p]]), abs=1e-12)
            assert net[p, k, m] == moved.concordant - moved.discordant
    identity = next(iter(permuted_partials(x, y, z, [np.arange(10)[None]])))
    for k, m in itertools.product(range(2), range(2)):
        assert identity[0, k, m] == pytest.approx(partial_spearman(x[k], y[m], z), abs=1e-12)


def test_one_permutation_test_serves_tau_somers_and_decisions() -> None:
    """With the ties of each variable fixed they are increasing functions of concordant less discordant pairs."""
    rng = np.random.default_rng(10)
    x, y = rng.integers(0, 3, 7).astype(float), rng.integers(0, 4, 7).astype(float)
    (orders,) = Orders(7, 0, seed=0)
    net = np.concatenate(list(permuted_net(x[None], y[None], [orders])))[:, 0, 0]
    for name in ("tau_b", "somers_d", "decision_accuracy"):
        values = np.array([ALL[name](x, y[order]) for order in orders[::7]])
        assert stats.spearmanr(values.round(12), net[::7]).statistic == pytest.approx(1)


# ---- properties ------------------------------------------------------------------------------------------------


@given(PAIRS)
def test_pair_counts_are_those_of_a_double_loop_and_sum_to_all_pairs(pairs) -> None:
    x, y = arrays(pairs)
    counted = {"concordant": 0, "discordant": 0, "tied_x": 0, "tied_y": 0, "tied_both": 0}
    for (a, b), (c, d) in itertools.combinations(pairs, 2):
        if a == c:
            counted["tied_both" if b == d else "tied_x"] += 1
        elif b == d:
            counted["tied_y"] += 1
        else:
            counted["concordant" if (a - c) * (b - d) > 0 else "discordant"] += 1
    found = {name: float(value) for name, value in vars(pair_counts(x, y)).items()}
    assert found == counted
    assert sum(found.values()) == len(x) * (len(x) - 1) / 2


@given(PAIRS)
def test_monotone_transforms_change_nothing_and_a_sign_flip_only_the_sign(pairs) -> None:
    x, y = arrays(pairs)
    for name, of in ALL.items():
        value, same, flipped = of(x, y), of(np.exp(x), y**3), of(-x, y)
        if math.isnan(value):
            assert math.isnan(same) and math.isnan(flipped)
            continue
        centre = 0.5 if name == "decision_accuracy" else 0.0
        assert same == pytest.approx(value, abs=1e-12)
        assert flipped - centre == pytest.approx(centre - value, abs=1e-12)


@given(PAIRS, st.randoms(use_true_random=False))
def test_storage_order_changes_nothing(pairs, random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    for of in ALL.values():
        assert of(*arrays(pairs)) == pytest.approx(of(*arrays(shuffled)), abs=1e-12, nan_ok=True)


def test_decision_accuracy_gives_an_all_tied_prediction_one_half() -> None:
    # a common implementation ignores ties, which lets a constant prediction score 1.0 or 0.0
    constant = pair_counts(np.ones(5), np.arange(5.0))
    assert float(constant.decision_accuracy) == 0.5 and float(constant.decision_coverage) == 0
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    decided = pair_counts(x, y)
    assert float(decided.decision_accuracy) == pytest.approx((1 + stats.kendalltau(x, y).statistic) / 2)  # no ties
    assert float(decided.decision_coverage) == 1
