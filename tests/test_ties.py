"""Numbers that are equal to twelve digits are equal, whatever order their sums were made in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.agreements import agreement
from predictor.distribution import LabelDistribution
from predictor.fitting.metrics import decision_accuracy, errors, spearman_within
from predictor.indicators import compute
from predictor.models.scales import Scale
from predictor.statistics.binomial import noise_ceiling
from predictor.statistics.equivalence import MeanTest
from predictor.statistics.pairs import pair_counts
from predictor.statistics.rank import correlations, ranks, spearman
from predictor.statistics.ties import at_least, same, tied, varies

SHARES = st.integers(0, 300).map(lambda k: k / 300)


@given(st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=2, max_size=12), st.randoms())
def test_means_over_seeds_tie_in_any_order_of_the_seeds(rows, random):
    """Sums of the same numbers in another order are one number: one group, its lowest."""
    shuffled = [random.sample(row, 3) for row in rows]
    means = tied([np.mean(row) for row in (*rows, *shuffled)])
    assert (means[: len(rows)] == means[len(rows) :]).all()
    exact = [round(300 * sum(row)) for row in rows]
    assert len(set(means.tolist())) == len(set(exact))


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), st.floats(1e-6, 1e6), st.randoms())
def test_equality_is_transitive_and_knows_no_order_sign_or_unit(numbers, unit, random):
    noisy = np.array([n * unit * (1 + random.choice([-2e-16, 0, 2e-16])) for n in numbers])
    settled = tied(noisy)
    assert (settled[:, None] == settled[None]).tolist() == (np.array(numbers)[:, None] == numbers).tolist()
    assert (tied(settled) == settled).all()
    order = random.sample(range(len(numbers)), len(numbers))
    assert (tied(noisy[order]) == settled[order]).all()
    assert ((tied(-noisy)[:, None] == tied(-noisy)) == (settled[:, None] == settled)).all()
    assert varies(noisy) == (len(set(numbers)) > 1)


def test_rows_stand_for_themselves_and_what_is_missing_stays_missing():
    values = np.array([[0.1 + 0.2, np.nan, 0.3], [np.inf, -np.inf, np.inf]])
    assert np.array_equal(tied(values), [[0.3, np.nan, 0.3], [np.inf, -np.inf, np.inf]], equal_nan=True)
    assert tied(np.empty((2, 0))).shape == (2, 0)
    assert tied([1.0, 1.0 + 1e-11]).tolist() == [1.0, 1.0 + 1e-11]
    assert not same(1e-11, 0.0) and same(1e-13, 0.0, of=1.0)
    assert not at_least(0.3 - 1e-9, 0.3) and at_least(np.inf, 1.0) and not same(np.inf, 1.0)


@given(st.integers(1, 299), st.integers(4, 12), st.randoms())
def test_equal_outcomes_predict_nothing_in_any_statistic(k, n, random):
    """Ten configurations of three seeds that all average k / 300."""
    pd = pytest.importorskip("pandas")
    rows = []
    for number in range(n):
        a, b = (random.uniform(0, 1e-1) for _ in range(2))
        for seed, value in enumerate((k / 300 + a, k / 300 + b, k / 300 - a - b)):
            rows.append(
                {"study": "s", "target_set": "t", "configuration_id": f"{number:02}", "run_id": f"{number:02}{seed}",
                 "ind_n": float(number), "out_accuracy": value}
            )  # fmt: skip
    random.shuffle(rows)
    table = agreement(pd.DataFrame(rows), given=None, statistics="all", n_bootstrap=20, n_permutations=20)
    assert all(row.value is None and row.reason.startswith("the outcome is") for row in table.rows)
    assert noise_ceiling([row["out_accuracy"] for row in rows], [row["configuration_id"] for row in rows]) is None


@given(st.lists(st.tuples(SHARES, SHARES), min_size=4, max_size=20))
def test_rounding_changes_no_rank_pair_or_correlation(pairs):
    x, y = np.array(pairs).T
    up = np.where(np.arange(len(x)) % 2, 1 + 4e-16, 1 - 4e-16)
    assert np.array_equal(ranks(x[None]), ranks((x * up)[None]))
    assert np.array_equal(spearman(x, y), spearman(x * up, y / up), equal_nan=True)
    weights = np.random.default_rng(0).integers(0, 3, (5, len(x))).astype(float)
    rounded = correlations((x * up)[None], (y / up)[None], weights)
    assert np.array_equal(correlations(x[None], y[None], weights), rounded, equal_nan=True)
    assert vars(pair_counts(x, y)) == vars(pair_counts(x * up, y / up))
    group = np.array(["a"] * len(x))
    for measure in (decision_accuracy, spearman_within):
        assert measure(x, y, group) == pytest.approx(measure(x * up, y / up, group))


@given(SHARES.filter(bool))
def test_values_that_differ_in_the_last_digit_have_no_spread(value):
    others = np.nextafter(np.full(6, value), [0.0, 1.0] * 3)
    assert errors(others, np.zeros(6))["r2"] is None
    with pytest.raises(Exception, match="no spread"):
        MeanTest(tuple(others))


@given(st.lists(st.integers(1, 400), min_size=2, max_size=40), st.integers(2, 50))
def test_indicators_of_shares_do_not_know_the_size(counts, times):
    """Scaled counts have the same shares: what depends on shares alone is one number."""
    small, large = (LabelDistribution.from_counts({f"c{i}": n * by for i, n in enumerate(counts)}) for by in (1, times))
    names = ["kl_uniform", "zipf_exponent", "left_skew@5", "gini", "normalised_entropy", "effective_classes"]
    before, after = (compute(d, names) for d in (small, large))
    for name in names:
        assert not varies([before[name].value, after[name].value], of=1.0), name


@given(st.floats(1e-3, 1e3), st.sampled_from(["identity", "log", "loss"]))
def test_an_outcome_that_differs_in_the_last_digit_has_no_unit_of_its_own(value, name):
    """Its shares are all one half: nothing is fitted to rounding."""
    values = np.nextafter(np.full(6, value), [0.0, 1e9] * 3)
    assert Scale.of(name, values).spread == 1.0
    assert Scale.of(name, values).shares(values) == pytest.approx(np.full(6, 0.5), abs=1e-12)
