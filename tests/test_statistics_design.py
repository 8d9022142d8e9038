"""Statistics that use the design, and pooling over target sets: worked examples, published values, planted worlds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from predictor.errors import PredictorError
from predictor.statistics.granulated import (
    codes,
    conditional_mutual_information,
    granulated_kendall,
    permuted_granulated,
    robust_sign_error,
    strata_along,
)
from predictor.statistics.meta import combined_p, fisher_z, random_effects
from predictor.statistics.pairs import pair_sums
from predictor.statistics.resampling import Orders


def grid(*levels: int) -> np.ndarray:
    """(axes, configurations) settings of a full factorial."""
    return np.array(list(itertools.product(*(range(n) for n in levels)))).T


# ---- strata, stratified gamma ----------------------------------------------------------------------------------


def test_strata_hold_every_other_axis() -> None:
    settings = grid(2, 3)
    assert strata_along(settings, 0).tolist() == [0, 1, 2, 0, 1, 2]
    assert strata_along(settings, 1).tolist() == [0, 0, 0, 1, 1, 1]
    assert strata_along(settings[:1], 0).tolist() == [0] * 6
    assert codes([[None, "a", None], [math.nan, math.nan, 1]]).tolist() == [[0, 1, 0], [0, 0, 1]]


def test_stratified_gamma_sums_concordant_pairs_over_the_strata() -> None:
    """Simpson's reversal: rising inside each stratum, falling over all."""
    strata = np.repeat([0, 1, 2], 4)
    x = np.arange(12.0) - 8 * strata
    y = np.tile(np.arange(4.0), 3) + np.repeat([0.0, 10, 20], 4)
    y[0], y[1] = y[1], y[0]  # one discordant pair of the 18 inside strata
    counts = pair_sums(x[None], y[None], strata).counts
    assert (counts.concordant[0, 0], counts.discordant[0, 0]) == (17, 1)
    assert counts.gamma[0, 0] == pytest.approx(16 / 18)
    assert pair_sums(x[None], y[None]).counts.gamma[0, 0] < 0


# ---- granulated Kendall ----------------------------------------------------------------------------------------


def test_granulated_kendall_is_the_mean_of_scipys_tau_over_cells() -> None:
    rng = np.random.default_rng(0)
    settings = grid(3, 4, 2)
    x, y = rng.integers(0, 4, (2, 24)).astype(float), rng.normal(size=(1, 24))
    found = granulated_kendall(x, y, settings)
    for k in range(2):
        psi = []
        for axis in range(3):
            strata = strata_along(settings, axis)
            cells = [strata == s for s in np.unique(strata)]
            taus = [stats.kendalltau(x[k, c], y[0, c]).statistic for c in cells if np.ptp(x[k, c]) > 0]
            assert (found.eligible[axis], found.finite[axis, k, 0]) == (len(cells), len(taus))
            psi.append(np.mean(taus))
            assert found.by_axis[axis, k, 0] == pytest.approx(psi[-1])
        assert found.value[k, 0] == pytest.approx(np.mean(psi))


def test_a_constant_cell_is_undefined_and_not_zero() -> None:
    settings = grid(2, 2)
    x, y = np.array([[1.0, 1, 1, 2]]), np.array([[1.0, 2, 3, 4]])
    found = granulated_kendall(x, y, settings)
    assert found.eligible.tolist() == [2, 2] and found.finite[:, 0, 0].tolist() == [1, 1]
    assert found.value[0, 0] == 1.0, "counting the constant cells as 0 would give 0.5"
    nothing = granulated_kendall(np.ones((1, 4)), y, settings)
    assert math.isnan(nothing.value[0, 0]) and nothing.finite.sum() == 0


def test_permuted_granulated_is_that_of_each_order() -> None:
    rng = np.random.default_rng(1)
    settings = grid(3, 3)
    x, y = rng.integers(0, 3, (2, 9)).astype(float), rng.normal(size=(2, 9))
    orders = Orders(9, 15, seed=0, most=10)
    (order,) = orders
    drawn = np.concatenate(list(permuted_granulated(x, y, settings, orders)))
    for p in range(15):
        expected = granulated_kendall(x, y[:, order[p]], settings).value
        np.testing.assert_allclose(drawn[p], expected, atol=1e-12)


# ---- conditional mutual information ----------------------------------------------------------------------------


def test_competition_score_by_hand() -> None:
    """A 2 x 2 grid, conditioned on both axes: 16 ordered pairs, one a cell, so that nothing is left open."""
    settings = grid(2, 2)
    x, y = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 3, 4])
    assert math.isnan(information(x, y, settings, "pgdl")[0])
    assert math.isnan(information(x, y, settings[:1], "pgdl")[0]), "one axis forms no pair"


def test_competition_score_of_a_replicated_design_by_hand() -> None:
    """One axis varies, the other is constant, three runs in one cell.

    Ordered pairs with themselves: 9. y greater in 3 of 9: H = -(1/3 log2 1/3 + 2/3 log2 2/3) = 0.9183. x swaps the
    last two runs: x and y both greater 2, y alone 1, x alone 1, neither 5.
    I = 2/9 log2(2/9 / (1/9)) + 2 * 1/9 log2(1/9 / (2/9)) + 5/9 log2(5/9 / (4/9)) = 0.2222 - 0.2222 + 0.1788.
    """
    settings = np.zeros((2, 3), np.int64)
    x, y = np.array([1.0, 3, 2]), np.array([1.0, 2, 3])
    shared = 5 / 9 * math.log2(5 / 4)
    entropy = -(1 / 3 * math.log2(1 / 3) + 2 / 3 * math.log2(2 / 3))
    value, axes = information(x, y, settings, "pgdl")
    assert value == pytest.approx(shared / entropy) and axes == (0, 1)


def information(x: np.ndarray, y: np.ndarray, settings: np.ndarray, variant: str = "jiang") -> tuple[float, tuple]:
    found = conditional_mutual_information(x[None], y[None], settings)[variant]
    return float(found.value[0, 0]), found.axes[0][0]


def slow_information(x: np.ndarray, y: np.ndarray, settings: np.ndarray, variant: str) -> float:
    """The definitions, one pair at a time."""
    n, best = len(x), math.inf
    for size in (0, 1, 2) if variant == "jiang" else (2,):
        for axes in itertools.combinations(range(len(settings)), size):
            cells: dict[tuple[int, ...], list[tuple[float, float]]] = {}
            for i, j in itertools.product(range(n), repeat=2):
                if i == j and variant == "jiang":
                    continue
                key = tuple(settings[a, i] for a in axes) + tuple(settings[a, j] for a in axes)
                sign = (lambda v, i=i, j=j: np.sign(v[i] - v[j])) if variant == "jiang" else (
                    lambda v, i=i, j=j: float(v[i] > v[j])
                )  # fmt: skip
                cells.setdefault(key, []).append((sign(x), sign(y)))
            informations, entropies, weights = [], [], []
            for members in cells.values():
                a, b = np.array(members).T
                informations.append(_mutual(a, b))
                entropies.append(_mutual(b, b))
                weights.append(len(members) if variant == "jiang" else 1)
            if (left := np.dot(weights, entropies)) > 1e-9:
                best = min(best, np.dot(weights, informations) / left)
    return best


def _mutual(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for u, v in itertools.product(np.unique(a), np.unique(b)):
        joint = np.mean((a == u) & (b == v))
        total += joint * math.log2(joint / (np.mean(a == u) * np.mean(b == v))) if joint else 0.0
    return total


@pytest.mark.parametrize("variant", ["jiang", "pgdl"])
def test_information_is_that_of_the_definition(variant: str) -> None:
    rng = np.random.default_rng(2)
    settings = grid(2, 3, 3)
    for _ in range(5):
        x, y = rng.integers(0, 6, 18).astype(float), rng.normal(size=18).round(1)
        assert information(x, y, settings, variant)[0] == pytest.approx(
            slow_information(x, y, settings, variant), abs=1e-9
        )


def test_information_has_no_sign_and_sees_through_a_hyper_parameter() -> None:
    rng = np.random.default_rng(3)
    settings = grid(4, 4, 3)
    y = 10.0 * settings[0] + rng.normal(size=48)
    assert information(y, y, settings)[0] == pytest.approx(1) == information(-y, y, settings)[0]
    value, axes = information(settings[0].astype(float), y, settings)
    assert value < 0.01 and 0 in axes, "given the axis that it repeats, it says nothing"


# ---- robust sign error -----------------------------------------------------------------------------------------


def test_sign_error_by_hand() -> None:
    """2 x 2: environments a:0-1 (pairs 02, 13) and b:0-1 (pairs 01, 23); the pair 23 lies within noise."""
    settings = grid(2, 2)
    x, y = np.array([[1.0, 2, 2, 1]]), np.array([[0.1, 0.3, 0.5, 0.505]])
    found = robust_sign_error(x, y, settings, np.full((1, 4), 0.01))
    # a: 02 right, 13 wrong (2 > 1 though .3 < .505) -> 1/2; b: 01 right; 23 does not count -> 0
    assert (found.mean[0, 0], found.worst[0, 0], found.environments[0, 0]) == (0.25, 0.5, 2)
    without_noise = robust_sign_error(x, y, settings, np.full((1, 4), np.nan))
    assert (without_noise.mean[0, 0], without_noise.worst[0, 0]) == (0.5, 0.5)
    downward = robust_sign_error(-x, y, settings, np.full((1, 4), 0.01), np.array([-1.0]))
    assert downward.mean[0, 0] == found.mean[0, 0]
    tied = robust_sign_error(np.array([[1.0, 1, 1, 1]]), y, settings, np.zeros((1, 4)))
    assert tied.mean[0, 0] == tied.worst[0, 0] == 0.5
    drowned = robust_sign_error(x, y, settings, np.full((1, 4), 1.0))
    assert math.isnan(drowned.mean[0, 0]) and math.isnan(drowned.worst[0, 0]) and drowned.environments[0, 0] == 0


# ---- pooling ---------------------------------------------------------------------------------------------------


def test_medication_adherence_as_in_metafor() -> None:
    # R, metafor: dat <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.molloy2014); rma(yi, vi, data = dat)
    # estimate 0.1499, se 0.0316, ci 0.0881 0.2118, tau^2 0.0081, I^2 61.73 %, Q(15) = 38.1595, p = 0.0009
    n = np.array([109, 749, 55, 107, 72, 65, 174, 326, 58, 771, 56, 91, 116, 537, 158, 65])
    r = [0.187, 0.162, 0.34, 0.32, 0.27, 0, 0.175, 0.05, 0.26, 0.01, -0.09, 0.37, 0, 0.15, 0.24, 0.04]
    found = random_effects(np.arctanh(r), 1 / (n - 3), test="z")
    assert (found.effect, found.error) == pytest.approx((0.1499, 0.0316), abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.0881, 0.2118), abs=5e-5)
    assert (found.tau2, found.i_squared) == pytest.approx((0.0081, 0.6173), abs=5e-5)
    assert (found.q, found.q_p) == pytest.approx((38.1595, 0.0009), abs=5e-5)


def test_vaccine_trials_as_in_metafor_with_knapp_and_hartung() -> None:
    # R, metafor: dat <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
    # rma(yi, vi, data = dat): -0.7145 (se 0.1798), tau^2 0.3132, I^2 92.22 %, Q(12) = 152.2330
    # rma(yi, vi, data = dat, test = "knha"): se 0.1807, ci -1.1084 -0.3206, p 0.0019
    a = np.array([4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27])
    b = np.array([119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886])
    c = np.array([11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29])
    d = np.array([128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825])
    effects, variances = np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    plain = random_effects(effects, variances, test="z")
    assert (plain.effect, plain.error, plain.tau2) == pytest.approx((-0.7145, 0.1798, 0.3132), abs=5e-5)
    assert (plain.i_squared, plain.q) == pytest.approx((0.9222, 152.2330), abs=5e-5)
    found = random_effects(effects, variances)
    assert (found.error, found.low, found.high) == pytest.approx((0.1808, -1.1084, -0.3206), abs=5e-5)
    assert found.p == pytest.approx(0.0019, abs=5e-5)


def test_equal_effects_do_not_pass_for_certain() -> None:
    found = random_effects([0.5, 0.5], [0.1, 0.1])
    assert found.error == pytest.approx(math.sqrt(0.05)) and found.p > 0.05, "Knapp and Hartung alone would say 0"
    assert random_effects([50.0] * 40, [1e-9] * 40).p > 0


def test_permutation_p_of_target_sets_add_up_and_opposite_signs_cancel() -> None:
    # one test alone is itself; two equal ones: scores add, z = 2 * 1.6449 / sqrt(2)
    assert combined_p([0.03], [-1], [2]) == pytest.approx(0.03)
    assert combined_p([0.1, 0.1], [1, 1], [1, 1]) == pytest.approx(2 * stats.norm.sf(1.6448536 * math.sqrt(2)))
    assert combined_p([0.001, 0.001], [1, -1], [1, 1]) == pytest.approx(1)
    rng = np.random.default_rng(4)
    p = [combined_p(rng.uniform(size=5), rng.choice([-1, 1], 5), [3, 3, 2, 1, 1]) for _ in range(500)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_fisher_z_of_a_perfect_rho_is_finite() -> None:
    # R: atanh(0.6) = 0.6931472
    assert fisher_z(0.6, 20) == pytest.approx((0.6931472, 1.18 / 17), abs=1e-7)
    assert math.atanh(1 - 12 / (17**3 - 17)) < fisher_z(1.0, 17)[0] == -fisher_z(-1.0, 17)[0] < math.inf
    with pytest.raises(PredictorError, match="4 configurations with 1 variables held fixed"):
        fisher_z(0.5, 4, held=1)
    with pytest.raises(PredictorError, match="at least 2 finite effects"):
        random_effects([0.5], [0.1])
