"""Intervals, permutation, multiplicity, noise: reference values, honesty where resampling fails, what was planted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from predictor.errors import PredictorError
from predictor.statistics.binomial import binomial_noise, exact_interval, noise_ceiling, seed_noise
from predictor.statistics.intervals import Interval, interval, jackknife
from predictor.statistics.multiplicity import MaxT, adjusted, detectable_rho
from predictor.statistics.pairs import pair_counts, pair_sums
from predictor.statistics.rank import correlations, permuted_correlations, permuted_partials, ranks, spearman
from predictor.statistics.resampling import Orders, neighbours, permutation_p, resample_weights, without_each


def of_rho(x, y, *, draws: int = 500, seed: int = 0) -> Interval:
    x, y = np.asarray(x, float), np.asarray(y, float)
    counts = pair_counts(x, y)
    drawn = correlations(x[None], y[None], resample_weights(len(x), draws, np.random.default_rng(seed)))[:, 0, 0]
    left_out = correlations(x[None], y[None], without_each(len(x)))[:, 0, 0]
    separated = "concordant" if counts.concordant == 0 else "discordant" if counts.discordant == 0 else None
    return interval(spearman(x, y), drawn, left_out, level=0.95, separated=separated)


# ---- intervals -------------------------------------------------------------------------------------------------


def test_bca_interval_is_scipys_but_for_monte_carlo() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    y = x + rng.normal(size=120)
    ours = of_rho(x, y, draws=20_000)
    theirs = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b)[0], paired=True, vectorized=False, n_resamples=4000, method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert ours.method == "bca"
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_jackknife_of_tau_is_close_to_its_bootstrap() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400)
    left_out = pair_sums(x[None], y[None]).left_out.tau_b[0, 0]
    found = jackknife(stats.kendalltau(x, y).statistic, left_out, level=0.95)
    theirs = stats.bootstrap(
        (x, y), lambda a, b: stats.kendalltau(a, b)[0], paired=True, vectorized=False, n_resamples=1000,
        method="percentile", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1, 2, 3], [1, 3, 2], "fewer than 4 configurations"),
        (range(9), range(9), "perfect agreement"),
        (range(9), range(9, 0, -1), "perfect agreement"),
        # x separates y without a discordant pair, so does every resample: rho is off 1 only because of the ties
        ([0, 0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9], "no discordant pair"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 9, 6, 7, 8, 5], "of the resamples"),
    ],
)
def test_degenerate_samples_have_no_interval_but_a_reason(x, y, reason) -> None:
    found = of_rho(x, y)
    assert found.low is None and found.high is None
    assert reason in found.reason


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), min_size=2, max_size=14))
@settings(max_examples=60)
def test_an_interval_is_ordered_and_inside_the_range_or_has_a_reason(pairs) -> None:
    x, y = np.array(pairs, float).T
    found = of_rho(x, y, draws=200)
    if found.low is None:
        assert found.high is None and found.reason
    else:
        assert found.reason is None
        assert -1 <= found.low <= found.high <= 1


def test_few_configurations_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=12)
    y = x + rng.normal(size=12)
    drawn = correlations(x[None], y[None], resample_weights(12, 2000, rng))[:, 0, 0]
    left_out = correlations(x[None], y[None], without_each(12))[:, 0, 0]
    found = interval(spearman(x, y), drawn, left_out, level=0.95)
    alone = jackknife(spearman(x, y), left_out, level=0.95)
    assert found.method == "bca and jackknife"
    assert found.low <= alone.low and found.high >= alone.high


def test_coverage_of_small_tied_samples_is_not_falsely_narrow() -> None:
    """n = 9, an indicator with three levels; the truth from 100,000 draws; more in benchmarks/agreement_coverage.py."""

    def sample(n: int, rng: np.random.Generator):
        x = rng.choice([0.0, 0.0, 1.0, 2.0], n)
        return x, -1.5 * x + rng.normal(size=n)

    rng = np.random.default_rng(2)
    truth = spearman(*sample(100_000, rng))
    found = [of_rho(*sample(9, rng), draws=300, seed=s) for s in range(200)]
    defined = [f for f in found if f.low is not None]
    inside = sum(f.low <= truth <= f.high for f in defined)
    assert len(defined) > 100
    assert exact_interval(inside, len(defined))[1] >= 0.95


# ---- permutation -----------------------------------------------------------------------------------------------


def test_exact_p_is_scipys() -> None:
    x, y = np.array([1.0, 2, 2, 3, 5, 4]), np.array([2.0, 1, 3, 3, 6, 5])
    expected = stats.permutation_test(
        (y,), lambda v: stats.spearmanr(x, v)[0], permutation_type="pairings", vectorized=False, n_resamples=np.inf
    )
    orders = Orders(6, 0, seed=0)
    assert orders.exact and len(orders) == 720
    # scipy doubles the smaller tail; ours counts both tails, equal where the null is symmetric
    both = np.mean(np.abs(expected.null_distribution) >= abs(expected.statistic) - 1e-9)
    drawn = permuted_correlations(ranks(x[None]), ranks(y[None]), orders)
    assert permutation_p(correlations(x[None], y[None])[0], drawn, exact=True)[0, 0] == pytest.approx(both, abs=1e-12)


def test_exact_p_is_uniform_under_the_null() -> None:
    # every order of y is equally likely, so P(p <= a) = a at each attainable a
    x = np.arange(5.0)[None]
    orders = Orders(5, 0, seed=0)
    (every,) = orders
    p = [
        permutation_p(correlations(x, x[:, o])[0], permuted_correlations(x, x[:, o], orders), exact=True)[0, 0]
        for o in every
    ]
    for level in np.unique(p):
        assert np.mean(np.array(p) <= level) == pytest.approx(level)


def test_monte_carlo_p_is_uniform_under_the_null_and_never_zero() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(400, 12)), rng.normal(size=(1, 12))
    orders = Orders(12, 199, seed=0)
    assert not orders.exact
    # against one y the 400 p are dependent: a new order set for each
    p = []
    for i in range(400):
        own = Orders(12, 199, seed=i)
        drawn = permuted_correlations(ranks(x[[i]]), ranks(y), own)
        p.append(float(permutation_p(correlations(x[[i]], y)[0], drawn, exact=False)[0, 0]))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    line = np.arange(12.0)[None]
    drawn = permuted_correlations(line, line, orders)
    assert permutation_p(correlations(line, line)[0], drawn, exact=False)[0, 0] == 1 / 200


def test_partial_p_where_size_drives_both() -> None:
    """x and y follow z and nothing else; the null of size alone is rejected about as often as it says."""
    rng = np.random.default_rng(6)
    p = []
    for i in range(400):
        z = rng.normal(size=17)
        x, y = (z + rng.normal(size=17))[None], (z + rng.normal(size=17))[None]
        orders = Orders(17, 199, seed=i, blocks=neighbours(z))
        identity = next(iter(permuted_partials(x, y, z, [np.arange(17)[None]])))[0]
        p.append(float(permutation_p(identity, permuted_partials(x, y, z, orders), exact=orders.exact)[0, 0]))
    assert exact_interval(int(np.sum(np.array(p) <= 0.05)), 400)[0] <= 0.07


def test_neighbours_do_not_depend_on_storage_order_and_keep_ties_together() -> None:
    rng = np.random.default_rng(0)
    z = rng.integers(0, 4, 20).astype(float)
    order = rng.permutation(20)
    assert (neighbours(z)[order] == neighbours(z[order])).all()
    assert all(len(set(neighbours(z)[z == value])) == 1 for value in np.unique(z))
    assert np.bincount(neighbours(np.arange(21.0))).tolist() == [4, 4, 5, 4, 4]


def test_permutation_keeps_values_in_their_block() -> None:
    blocks = np.array([0, 0, 0, 1, 1, 2])
    orders = Orders(6, 50, seed=0, blocks=blocks)
    (every,) = orders
    assert orders.exact and len(every) == 12  # 3! x 2! x 1!
    random = Orders(6, 50, seed=0, blocks=blocks, most=1)
    (drawn,) = random
    for found in (every, drawn):
        assert (blocks[found] == blocks).all()
        assert (np.sort(found, axis=1) == np.arange(6)).all()
        assert len(np.unique(found, axis=0)) == 12


def test_all_orders_are_all_orders_and_readers_see_the_same() -> None:
    (every,) = Orders(5, 0, seed=0)
    assert len(np.unique(every, axis=0)) == 120
    random = Orders(30, 40, seed=7)
    np.testing.assert_array_equal(next(iter(random)), next(iter(random)))
    assert not np.array_equal(next(iter(random)), next(iter(Orders(30, 40, seed=8))))


# ---- many tests ------------------------------------------------------------------------------------------------


def test_benjamini_hochberg_example() -> None:
    # Benjamini and Hochberg 1995, section 3.2: of these 15, the first four are rejected at 0.05
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    q = adjusted([*p, None])
    assert sum(value <= 0.05 for value in q[:-1]) == 4
    assert q[3] == pytest.approx(0.0095 * 15 / 4)
    assert q[-1] is None
    assert adjusted([None, None]) == [None, None]
    # section 3.2 as well: Bonferroni, and so Holm, reject the first three
    assert sum(value <= 0.05 for value in adjusted(p, "holm")) == 3


def test_max_t_holds_the_family_wise_error_over_target_sets() -> None:
    """40 tests in two target sets, none true: any of them is significant in at most 5 % of the worlds."""
    rng = np.random.default_rng(11)
    false = 0
    for world in range(200):
        joint, found = MaxT(199), []
        for target_set in range(2):
            x, y = rng.normal(size=(10, 12)), rng.normal(size=(2, 12))
            orders, largest = Orders(12, 199, seed=2 * world + target_set), []
            value = correlations(x, y)[0]
            permutation_p(value, permuted_correlations(ranks(x), ranks(y), orders), exact=False, largest=largest)
            joint.add(np.concatenate(largest), n=12, generator=rng)
            found += value.ravel().tolist()
        false += min(joint.adjusted(v, n=12) for v in found) <= 0.05
    assert exact_interval(false, 200)[0] <= 0.05


def test_minimum_detectable_rho_of_the_statistics_page() -> None:
    assert [round(detectable_rho(n), 2) for n in (7, 17, 30)] == [0.89, 0.63, 0.49]
    assert detectable_rho(3) is None


# ---- noise -----------------------------------------------------------------------------------------------------


def test_exact_binomial_interval_as_in_r() -> None:
    # R, ?binom.test (Conover 1971, p. 97f): binom.test(682, 682 + 243, p = 3/4) -> 0.7076683 0.7654066
    assert exact_interval(682, 925) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)
    assert exact_interval(0, 10)[0] == 0 and exact_interval(10, 10)[1] == 1
    with pytest.raises(PredictorError, match="11 of 10 is not a share"):
        exact_interval(11, 10)


def test_binomial_noise_of_equal_classes_is_the_plain_formula() -> None:
    assert binomial_noise([30] * 4, [50] * 4) == pytest.approx(math.sqrt(0.6 * 0.4 / 200))
    with pytest.raises(PredictorError, match="0 <= correct <= tested"):
        binomial_noise([3], [2])


def test_seed_noise_and_ceiling_find_what_was_planted() -> None:
    rng = np.random.default_rng(8)
    true = rng.normal(0, 0.05, 400)
    values = (true[:, None] + rng.normal(0, 0.02, (400, 3))).ravel()
    names = np.repeat(np.arange(400), 3).tolist()
    assert seed_noise(values, names) == pytest.approx(0.02, rel=0.1)
    reached = np.corrcoef(true, values.reshape(400, 3).mean(1))[0, 1]
    assert noise_ceiling(values, names) == pytest.approx(reached, abs=0.01)


def test_noise_without_replicates_is_unknown_not_zero() -> None:
    assert seed_noise([0.1, 0.2, 0.3], "abc") is None
    assert noise_ceiling([0.1, 0.2, 0.3], "abc") is None
    assert noise_ceiling([0.1, 0.5, 0.5, 0.1, 0.1, 0.5], "aabbcc") is None  # no spread between configurations
    with pytest.raises(PredictorError, match="one finite value"):
        seed_noise([math.nan], ["a"])
