"""Every registered indicator, and the values that follow from definitions by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.indicators import DEFAULT_NAMES, compute, indicator, known, listing
from predictor.indicators.registry import _REGISTRY

COUNTS = st.lists(st.integers(1, 5000), min_size=1, max_size=40)


def of(counts, targets=None) -> LabelDistribution:
    return LabelDistribution.from_counts({f"c{i:03d}": n for i, n in enumerate(counts)}, targets=targets)


def value(name: str, counts, targets=None) -> float:
    found = compute(of(counts, targets), [name])[name]
    assert found.value is not None, found.reason
    return found.value


@given(COUNTS, st.randoms())
def test_order_of_classes_changes_nothing(counts, random) -> None:
    shuffled = list(counts)
    random.shuffle(shuffled)
    a, b = compute(of(counts)), compute(of(shuffled))
    for name in DEFAULT_NAMES:
        assert a[name].value == pytest.approx(b[name].value, rel=1e-12, abs=1e-12), name


@given(COUNTS)
def test_finite_and_inside_the_stated_bounds(counts) -> None:
    for name, found in compute(of(counts)).items():
        assert found.value is not None and found.reason is None
        low, high = known(name).bounds
        assert low is None or found.value >= low - 1e-9, name
        assert high is None or found.value <= high + 1e-9, name


@given(st.integers(1, 60), st.integers(1, 500), st.floats(1, 100))
def test_balanced_data(n_classes, size, percent) -> None:
    counts = [size] * n_classes
    assert value(f"left_skew@{percent}", counts) == pytest.approx(percent / 100)
    assert value("gini", counts) == pytest.approx(0, abs=1e-12)
    assert value("effective_classes", counts) == pytest.approx(n_classes)
    assert value("imbalance_ratio", counts) == 1
    assert value("power_difficulty@0.5", counts) == pytest.approx(size**-0.5)


@given(COUNTS, st.integers(1, 5000), st.integers(1, 5000))
def test_long_tail_grows_with_k(counts, a, b) -> None:
    low, high = sorted((a, b))
    assert value(f"long_tail@{low}", counts) <= value(f"long_tail@{high}", counts)


@given(COUNTS, st.floats(1, 100), st.floats(1, 100))
def test_left_skew_grows_with_p_and_is_at_least_p(counts, a, b) -> None:
    low, high = sorted((a, b))
    assert value(f"left_skew@{low}", counts) <= value(f"left_skew@{high}", counts) + 1e-12
    assert value(f"left_skew@{low}", counts) >= low / 100 - 1e-12


def test_left_skew_interpolates_between_classes() -> None:
    """30 classes, p = 5 %: one whole class and half of the next. (40 + 0.5 * 30) / 98"""
    assert value("left_skew@5", [40, 30, *[1] * 28]) == pytest.approx((40 + 15) / 98)


def test_values_by_hand() -> None:
    counts = [1, 10, 100]
    assert value("samples_per_class", counts) == 37
    assert value("median_samples", counts) == 10
    assert value("imbalance_ratio", counts) == 100
    assert value("mean_log_count", counts) == pytest.approx(math.log(10))
    assert value("power_difficulty@1", counts) == pytest.approx((1 + 0.1 + 0.01) / 3)
    assert value("long_tail@10", counts) == pytest.approx(1 / 3)  # fewer than k: 10 itself is not in the tail
    assert value("long_tail@0.4mean", counts) == pytest.approx(2 / 3)  # below 14.8
    share = np.array(counts) / 111
    assert value("effective_classes", counts) == pytest.approx(math.exp(-(share * np.log(share)).sum()))
    pairs = abs(np.subtract.outer(counts, counts)).mean()
    assert value("gini", counts) == pytest.approx(pairs / (2 * 37))


def test_targets_and_others_are_told_apart() -> None:
    targets = ["c000", "c001"]
    counts = [10, 30, 500, 60]
    assert value("n_target_samples", counts, targets) == 40
    assert value("n_other_samples", counts, targets) == 560
    assert value("n_other_classes", counts, targets) == 2
    assert value("n_classes", counts, targets) == 4
    assert value("imbalance_ratio", counts, targets) == 3  # of the targets


def test_undefined_says_why() -> None:
    found = compute(of([5, 5], ["c000", "zebra"]))
    assert found["imbalance_ratio"].value is None
    assert found["imbalance_ratio"].reason == "1 target classes have no image"
    assert found["power_difficulty@0.5"].value is None and found["n_samples"].value == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ginni", "unknown indicator 'ginni'. did you mean gini"),
        ("long_tail@x", "indicator 'long_tail@x' has no readable parameter. write it like long_tail@500"),
        ("left_skew@0", "indicator 'left_skew@0' has no readable parameter"),
        ("gini@5", "indicator 'gini' takes no parameter"),
    ],
)
def test_unknown_names(name, message) -> None:
    with pytest.raises(PredictorError, match=message):
        compute(of([1, 2]), [name])


def test_a_user_registers_an_indicator_once() -> None:
    def biggest_share(distribution: LabelDistribution) -> float:
        """Share of the largest class."""
        return distribution.class_counts.max() / distribution.class_counts.sum()

    names = list(DEFAULT_NAMES)
    try:
        indicator(unit="share", bounds=(0, 1), source="test")(biggest_share)
        assert value("biggest_share", [3, 1]) == 0.75
        with pytest.raises(PredictorError, match="'biggest_share' is registered already"):
            indicator(unit="share", source="test")(biggest_share)
    finally:
        _REGISTRY.pop("biggest_share")
        DEFAULT_NAMES[:] = names


def test_every_indicator_is_documented() -> None:
    assert len(listing()) == len(_REGISTRY) >= 17
    for entry in _REGISTRY.values():
        assert ">>>" in (entry.function.__doc__ or ""), entry.name
        assert entry.unit and entry.source and entry.summary


@given(COUNTS, COUNTS)
def test_merge_is_commutative_and_adds_up(a, b) -> None:
    one, two = of(a), of(b)
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).n_samples == sum(a) + sum(b)
    assert one.merge(two).digest != one.digest
