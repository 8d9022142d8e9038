"""Rank statistics, resampling, permutation, noise: reference values with their origin, and properties."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from predictor.errors import PredictorError
from predictor.statistics.binomial import binomial_noise, exact_interval, noise_ceiling, seed_noise
from predictor.statistics.pairs import pair_counts, permuted_pairs
from predictor.statistics.rank import (
    DECISION,
    GAMMA,
    KENDALL,
    SOMERS,
    SPEARMAN,
    STATISTICS,
    Statistic,
    partial_spearman,
    partial_statistic,
    spearman,
)
from predictor.statistics.resampling import (
    adjusted,
    bootstrap_interval,
    detectable_rho,
    permutation_orders,
    permutation_p,
    resample_indices,
)

# few distinct values: ties are the rule, as with long_tail@k
PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=14)
ALL = list(STATISTICS.values())


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(pairs, dtype=float).T
    return x, y


def from_table(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    counts = np.array(table)
    rows, columns = np.indices(counts.shape)
    return tuple(np.repeat(v.ravel(), counts.ravel()).astype(float) for v in (rows, columns))


def all_orders(n: int) -> np.ndarray:
    return np.array(list(itertools.permutations(range(n))))


# ---- reference values ----------------------------------------------------------------------------------------

# R, ?cor.test (Hollander and Wolfe 1973, p. 185f): tuna lightness and panel score
TUNA_X = np.array([44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1])
TUNA_Y = np.array([2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8])


def test_tuna_as_in_r():
    # R: cor.test(x, y, method = "kendall") -> T = 26, p-value = 0.1194, tau 0.4444444
    # R: cor.test(x, y, method = "spearman") -> S = 48, p-value = 0.0968, rho 0.6
    orders = all_orders(9)
    assert KENDALL.value(TUNA_X, TUNA_Y) == pytest.approx(4 / 9, abs=1e-12)
    assert SPEARMAN.value(TUNA_X, TUNA_Y) == pytest.approx(0.6, abs=1e-12)
    assert permutation_p(KENDALL, TUNA_X, TUNA_Y, orders=orders, exact=True) == pytest.approx(0.1194, abs=5e-5)
    assert permutation_p(SPEARMAN, TUNA_X, TUNA_Y, orders=orders, exact=True) == pytest.approx(0.0968, abs=5e-5)


def test_two_by_five_table_as_in_sas():
    # SAS/STAT user's guide, PROC FREQ, data set Pain, `tables Adverse*Dose / measures`:
    # gamma 0.5313, Kendall's tau-b 0.3373, Somers' D C|R 0.4427, R|C 0.2569
    x, y = from_table([[26, 26, 23, 18, 9], [6, 7, 9, 14, 23]])
    assert GAMMA.value(x, y) == pytest.approx(0.5313, abs=5e-5)
    assert KENDALL.value(x, y) == pytest.approx(0.3373, abs=5e-5)
    assert SOMERS.value(x, y) == pytest.approx(0.4427, abs=5e-5)
    assert SOMERS.value(y, x) == pytest.approx(0.2569, abs=5e-5)


def test_somers_d_of_scipys_example():
    # scipy.stats.somersd, docstring: hotel cleanliness against satisfaction, 0.6032766111513396
    x, y = from_table([[27, 25, 14, 7, 0], [7, 14, 18, 35, 12], [1, 3, 2, 7, 17]])
    assert SOMERS.value(x, y) == pytest.approx(0.6032766111513396, abs=1e-12)


def test_benjamini_hochberg_example():
    # Benjamini and Hochberg 1995, section 3.2: of these 15, the first four are rejected at 0.05
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    q = adjusted([*p, None])
    assert sum(value <= 0.05 for value in q[:-1]) == 4
    assert q[3] == pytest.approx(0.0095 * 15 / 4)
    assert q[-1] is None
    assert adjusted([None, None]) == [None, None]


def test_exact_binomial_interval_as_in_r():
    # R, ?binom.test (Conover 1971, p. 97f): binom.test(682, 682 + 243, p = 3/4) -> 0.7076683 0.7654066
    assert exact_interval(682, 925) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)
    assert exact_interval(0, 10)[0] == 0 and exact_interval(10, 10)[1] == 1
    with pytest.raises(PredictorError, match="11 of 10 is not a share"):
        exact_interval(11, 10)


def test_minimum_detectable_rho_of_the_statistics_page():
    assert [round(detectable_rho(n), 2) for n in (7, 17, 30)] == [0.89, 0.63, 0.49]
    assert detectable_rho(3) is None


# ---- against scipy, on ties ----------------------------------------------------------------------------------


@given(PAIRS)
@settings(deadline=None)
def test_agrees_with_scipy(pairs):
    x, y = arrays(pairs)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(spearman(x, y)) and math.isnan(KENDALL.value(x, y))
        return
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-10)
    assert KENDALL.value(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-10)
    assert SOMERS.value(x, y) == pytest.approx(stats.somersd(x, y).statistic, abs=1e-10)


def test_partial_spearman_is_the_correlation_of_rank_residuals():
    rng = np.random.default_rng(3)
    z = rng.integers(0, 6, 25).astype(float)
    x, y = z + rng.normal(size=25), z - rng.normal(size=25)
    design = np.column_stack([np.ones(25), stats.rankdata(z)])
    residuals = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in (stats.rankdata(x), stats.rankdata(y))]
    assert partial_spearman(x, y, z) == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-10)
    assert math.isnan(partial_spearman(z, y, z))  # z determines x


def test_bca_interval_close_to_scipys():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = x + rng.normal(size=40)
    ours = bootstrap_interval(SPEARMAN, x, y, level=0.95, indices=resample_indices(40, 8000, rng))
    theirs = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b)[0], paired=True, vectorized=False, n_resamples=2000, method="BCa",
        random_state=1,
    ).confidence_interval  # fmt: skip
    assert ours.method == "bca"
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_exact_p_is_scipys():
    x, y = np.array([1.0, 2, 2, 3, 5, 4]), np.array([2.0, 1, 3, 3, 6, 5])
    expected = stats.permutation_test(
        (y,), lambda v: stats.spearmanr(x, v)[0], permutation_type="pairings", vectorized=False, n_resamples=np.inf
    )
    orders, exact = permutation_orders(6, 0, np.random.default_rng(0))
    assert exact and len(orders) == 720
    # scipy doubles the smaller tail; ours counts both tails, equal where the null is symmetric
    both = np.mean(np.abs(expected.null_distribution) >= abs(expected.statistic) - 1e-9)
    assert permutation_p(SPEARMAN, x, y, orders=orders, exact=exact) == pytest.approx(both, abs=1e-12)


# ---- properties ----------------------------------------------------------------------------------------------


@given(PAIRS)
@settings(deadline=None)
def test_pair_counts_are_those_of_a_double_loop_and_sum_to_all_pairs(pairs):
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
@settings(deadline=None)
def test_monotone_transforms_change_nothing_and_a_sign_flip_only_the_sign(pairs):
    x, y = arrays(pairs)
    for statistic in ALL:
        value = statistic.value(x, y)
        same = statistic.value(np.exp(x), y**3)
        flipped = statistic.value(-x, y)
        if math.isnan(value):
            assert math.isnan(same) and math.isnan(flipped)
            continue
        centre = 0.5 if statistic is DECISION else 0.0
        assert same == pytest.approx(value, abs=1e-12)
        assert flipped - centre == pytest.approx(centre - value, abs=1e-12)


@given(PAIRS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_storage_order_changes_nothing(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    for statistic in ALL:
        a, b = statistic.value(*arrays(pairs)), statistic.value(*arrays(shuffled))
        assert a == pytest.approx(b, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("statistic", ALL, ids=lambda s: s.name)
def test_resampled_and_permuted_equal_the_value_of_each_draw(statistic: Statistic):
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 4, 11).astype(float), rng.integers(0, 6, 11).astype(float)
    indices, (orders, _) = resample_indices(11, 20, rng), permutation_orders(11, 20, rng)
    drawn = [statistic.value(x[i], y[i]) for i in indices]
    moved = [statistic.value(x, y[o]) for o in orders]
    assert statistic.resampled(x, y, indices) == pytest.approx(drawn, abs=1e-10, nan_ok=True)
    assert statistic.permuted(x, y, orders) == pytest.approx(moved, abs=1e-10, nan_ok=True)


def test_partial_draws_take_the_third_variable_along():
    rng = np.random.default_rng(6)
    x, y, z = rng.normal(size=(3, 9))
    statistic = partial_statistic(z)
    indices, (orders, _) = resample_indices(9, 10, rng), permutation_orders(9, 10, rng)
    drawn = [partial_spearman(x[i], y[i], z[i]) for i in indices]
    assert statistic.resampled(x, y, indices) == pytest.approx(drawn, abs=1e-10, nan_ok=True)
    assert statistic.permuted(x, y, orders) == pytest.approx([partial_spearman(x, y[o], z) for o in orders], abs=1e-10)


def test_permuted_pairs_in_chunks_equal_one_by_one(monkeypatch):
    rng = np.random.default_rng(7)
    x, y = rng.integers(0, 5, 600).astype(float), rng.normal(size=600)  # 600^2 entries: 11 orders a chunk
    orders, _ = permutation_orders(600, 25, rng)
    many = permuted_pairs(x, y, orders)
    assert many.tau_b[-1] == pytest.approx(stats.kendalltau(x, y[orders[-1]]).statistic, abs=1e-10)
    assert len(many.tau_b) == 25


def test_decision_accuracy_gives_an_all_tied_prediction_one_half():
    # a common implementation ignores ties, which lets a constant prediction score 1.0 or 0.0
    assert DECISION.value(np.ones(5), np.arange(5.0)) == 0.5
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])
    assert DECISION.value(x, y) == pytest.approx((1 + stats.kendalltau(x, y).statistic) / 2)  # no ties: tau-a = tau-b


# ---- bootstrap: honest where it degenerates -------------------------------------------------------------------


def interval(statistic: Statistic, x, y, seed: int = 0):
    x, y = np.asarray(x, float), np.asarray(y, float)
    indices = resample_indices(len(x), 500, np.random.default_rng(seed))
    return bootstrap_interval(statistic, x, y, level=0.95, indices=indices)


@pytest.mark.parametrize("statistic", ALL, ids=lambda s: s.name)
@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ([1, 2, 3], [1, 3, 2], "fewer than 4 configurations"),
        (range(9), range(9), "perfect agreement"),
        (range(9), range(9, 0, -1), "perfect agreement"),
    ],
)
def test_degenerate_samples_have_no_interval_but_a_reason(statistic, x, y, reason):
    found = interval(statistic, x, y)
    assert found.low is None and found.high is None
    assert reason in found.reason


@pytest.mark.parametrize("statistic", ALL, ids=lambda s: s.name)
def test_perfect_but_for_ties_has_no_interval(statistic):
    # x separates y without a discordant pair, so does every resample: rho is off 1 only because of the ties
    found = interval(statistic, [0, 0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert (found.low, found.high) == (None, None)
    assert "perfect agreement" in found.reason or "no discordant pair" in found.reason


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), min_size=4, max_size=14), st.sampled_from(ALL))
@settings(deadline=None, max_examples=60)
def test_an_interval_is_ordered_and_inside_the_range_or_has_a_reason(pairs, statistic):
    found = interval(statistic, *arrays(pairs))
    if found.low is None:
        assert found.high is None and found.reason
    else:
        assert found.reason is None
        assert (0 if statistic is DECISION else -1) <= found.low <= found.high <= 1


def test_same_seed_same_interval_other_seed_another():
    rng = np.random.default_rng(1)
    x = rng.normal(size=20)
    y = x + 2 * rng.normal(size=20)
    assert interval(SPEARMAN, x, y, 1) == interval(SPEARMAN, x, y, 1)
    assert interval(SPEARMAN, x, y, 1) != interval(SPEARMAN, x, y, 2)


def test_coverage_of_small_tied_samples_is_not_falsely_narrow():
    # n = 9, an indicator with three levels; the truth from 20,000 draws of the same population
    def sample(n: int, rng: np.random.Generator):
        x = rng.choice([0.0, 0.0, 1.0, 2.0], n)
        return x, -1.5 * x + rng.normal(size=n)

    rng = np.random.default_rng(2)
    truth = spearman(*sample(20_000, rng))
    inside = defined = 0
    for _ in range(120):
        found = bootstrap_interval(SPEARMAN, *sample(9, rng), level=0.95, indices=resample_indices(9, 300, rng))
        if found.low is not None:
            defined += 1
            inside += found.low <= truth <= found.high
    assert defined > 60
    assert exact_interval(inside, defined)[1] >= 0.95


# ---- permutation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", [SPEARMAN, KENDALL, DECISION], ids=lambda s: s.name)
def test_exact_p_is_uniform_under_the_null(statistic):
    # every order of y is equally likely, so P(p <= a) = a at each attainable a
    x, y = np.arange(5.0), np.array([0.0, 1, 2, 3, 4])
    orders, exact = permutation_orders(5, 0, np.random.default_rng(0))
    p = np.array([permutation_p(statistic, x, y[o], orders=orders, exact=exact) for o in orders])
    for level in np.unique(p):
        assert np.mean(p <= level) == pytest.approx(level)


def test_monte_carlo_p_is_uniform_under_the_null_and_never_zero():
    rng = np.random.default_rng(4)
    p = []
    for _ in range(300):
        orders, exact = permutation_orders(12, 199, rng)
        assert not exact
        p.append(permutation_p(SPEARMAN, rng.normal(size=12), rng.normal(size=12), orders=orders, exact=exact))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    orders, exact = permutation_orders(12, 199, rng)
    assert permutation_p(SPEARMAN, np.arange(12.0), np.arange(12.0), orders=orders, exact=exact) == 1 / 200


def test_permutation_keeps_values_in_their_block():
    blocks = np.array([0, 0, 0, 1, 1, 2])
    orders, exact = permutation_orders(6, 50, np.random.default_rng(0), blocks)
    assert not exact
    assert (blocks[orders] == blocks).all()
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert len(np.unique(orders, axis=0)) == 12  # 3! x 2! x 1!


# ---- noise -----------------------------------------------------------------------------------------------------


def test_binomial_noise_of_equal_classes_is_the_plain_formula():
    assert binomial_noise([30] * 4, [50] * 4) == pytest.approx(math.sqrt(0.6 * 0.4 / 200))
    with pytest.raises(PredictorError, match="0 <= correct <= tested"):
        binomial_noise([3], [2])


def test_seed_noise_and_ceiling_find_what_was_planted():
    rng = np.random.default_rng(8)
    true = rng.normal(0, 0.05, 400)
    values = (true[:, None] + rng.normal(0, 0.02, (400, 3))).ravel()
    names = np.repeat(np.arange(400), 3).tolist()
    assert seed_noise(values, names) == pytest.approx(0.02, rel=0.1)
    reached = np.corrcoef(true, values.reshape(400, 3).mean(1))[0, 1]
    assert noise_ceiling(values, names) == pytest.approx(reached, abs=0.01)


def test_noise_without_replicates_is_unknown_not_zero():
    assert seed_noise([0.1, 0.2, 0.3], "abc") is None
    assert noise_ceiling([0.1, 0.2, 0.3], "abc") is None
    assert noise_ceiling([0.1, 0.5, 0.5, 0.1, 0.1, 0.5], "aabbcc") is None  # no spread between configurations
    with pytest.raises(PredictorError, match="one finite value"):
        seed_noise([math.nan], ["a"])
