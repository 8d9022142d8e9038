"""Profiles: shapes and edits by hand, totals and order as properties, impossible ones refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from predictor.profiles import PARAMETERS, Edit, Profile, profile_counts
from predictor.statistics.shares import apportion

SHAPES = st.one_of(
    st.just(Profile()),
    st.builds(Profile, shape=st.just("exponential"), ratio=st.floats(1, 1000)),
    st.builds(Profile, shape=st.just("step"), ratio=st.floats(1, 1000), share=st.floats(0.01, 0.99)),
    st.builds(Profile, shape=st.just("zipf"), exponent=st.floats(0, 5)),
)
EDITS = st.one_of(
    st.builds(Edit, truncate_head=st.integers(1, 500)),
    st.builds(Edit, rebalance_tail=st.integers(1, 500)),
    st.builds(Edit, delete_proportionally=st.integers(1, 500)),
)
NATURAL = (566, 265, 173, 104, 80, 57, 39, 25, 15, 8)


@given(SHAPES, st.integers(1, 50), st.integers(1, 300))
def test_shapes_keep_the_total_and_leave_no_class_empty(profile, n_classes, size) -> None:
    counts = profile_counts(profile, n_classes, size)
    assert counts.dtype == np.int64 and counts.shape == (n_classes,)
    assert counts.sum() == n_classes * size and counts.min() >= 1
    assert (np.diff(counts) <= 0).all()


@given(SHAPES, st.lists(EDITS, max_size=3), st.integers(1, 30), st.integers(1, 200))
def test_edits_leave_no_class_empty_and_keep_the_order(profile, edits, n_classes, size) -> None:
    edited = profile.model_copy(update={"edits": tuple(edits)})
    counts = profile_counts(edited, n_classes, size)
    assert counts.min() >= 1 and (np.diff(counts) <= 0).all()
    rescaled = profile_counts(edited.model_copy(update={"keep_total": True}), n_classes, size)
    assert rescaled.sum() == n_classes * size and rescaled.min() >= 1


@given(SHAPES, st.integers(1, 30), st.integers(1, 200), st.integers(1, 300))
def test_deletion_in_proportion_deletes_as_many_as_truncation(profile, n_classes, size, k) -> None:
    def total(edit: Edit) -> int:
        return int(profile_counts(profile.model_copy(update={"edits": (edit,)}), n_classes, size).sum())

    assert total(Edit(truncate_head=k)) == total(Edit(delete_proportionally=k))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30).filter(any), st.integers(0, 1000))
def test_apportion_is_exact_and_within_one_of_the_share(weights, extra) -> None:
    weights = np.array(weights)
    total = len(weights) + extra
    counts = apportion(weights, total)
    assert counts.sum() == total and counts.min() >= 1
    exact = weights / weights.sum() * total
    if (exact >= 1).all():  # else those below one take from the others
        assert (np.abs(counts - exact) < 1 + 1e-9).all()


def test_apportion_gives_the_smallest_weights_one_each() -> None:
    assert apportion(np.array([1.0, 0.0]), 5).tolist() == [4, 1]
    assert apportion(np.array([10.0, 0.1, 0.1, 0.0]), 13).tolist() == [10, 1, 1, 1]


def test_apportion_refuses_fewer_samples_than_classes() -> None:
    with pytest.raises(ValueError, match=r"^2 samples cannot give each of 3 classes one$"):
        apportion(np.ones(3), 2)


def test_shapes_by_hand() -> None:
    assert profile_counts(Profile(), 3, 7).tolist() == [7, 7, 7]
    step = Profile(shape="step", ratio=9, share=0.5)
    assert profile_counts(step, 4, 50).tolist() == [90, 90, 10, 10]
    zipf = Profile(shape="zipf", exponent=1)
    assert profile_counts(zipf, 3, 110).tolist() == [180, 90, 60]
    exponential = Profile(shape="exponential", ratio=100)
    assert profile_counts(exponential, 3, 37).tolist() == [100, 10, 1]


def test_natural_counts_are_scaled_and_explicit_ones_are_not() -> None:
    natural = Profile(shape="natural", counts=(1, 8, 3))
    assert profile_counts(natural, 3, 40).tolist() == [80, 30, 10]
    assert profile_counts(Profile(shape="natural", counts=NATURAL), 10, 50).sum() == 500
    explicit = Profile(shape="explicit", counts=(3, 7))
    assert profile_counts(explicit, 2, 999).tolist() == [7, 3]
    with pytest.raises(ValueError, match=r"^profile natural names 10 counts for 8 classes$"):
        profile_counts(Profile(shape="natural", counts=NATURAL), 8, 50)


def test_edits_by_hand() -> None:
    def edited(*edits, **how) -> list[int]:
        return profile_counts(Profile(shape="step", ratio=9, share=0.5, edits=edits, **how), 4, 50).tolist()

    assert edited(Edit(truncate_head=40)) == [40, 40, 10, 10]
    assert edited(Edit(rebalance_tail=30)) == [90, 90, 30, 30]
    assert edited(Edit(rebalance_middle=(10, 50))) == [90, 90, 50, 50]  # low is inside
    assert edited(Edit(rebalance_middle=(11, 50))) == edited(Edit(rebalance_middle=(5, 10))) == [90, 90, 10, 10]
    assert edited(Edit(rebalance_middle=(10, 100))) == [100] * 4
    assert edited(Edit(delete_proportionally=40)) == [45, 45, 5, 5]  # 100 left, as after truncation
    assert edited(Edit(truncate_head=40), keep_total=True) == [80, 80, 20, 20]
    assert edited(Edit(truncate_head=40), Edit(rebalance_tail=20)) == [40, 40, 20, 20]  # one after the other


@pytest.mark.parametrize(
    ("profile", "label"),
    [
        (Profile(), "balanced"),
        (Profile(shape="step", ratio=10, share=0.5), "step(ratio=10,share=0.5)"),
        (
            Profile(shape="exponential", ratio=20, edits=(Edit(truncate_head=60),)),
            "exponential(ratio=20)|truncate_head=60",
        ),
        (Profile(shape="zipf", exponent=1.5, keep_total=True), "zipf(exponent=1.5)|keep_total"),
        (Profile(shape="natural", counts=NATURAL), "natural(566..8)"),
    ],
)
def test_labels_are_readable(profile, label) -> None:
    assert profile.label == label


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"shape": "step", "ratio": 10}, "shape step takes ratio, share; found ratio"),
        ({"shape": "balanced", "ratio": 2}, "shape balanced takes no parameter; found ratio"),
        ({"shape": "natural"}, "shape natural takes counts; found none"),
        ({"edits": [{"truncate_head": 5, "rebalance_tail": 2}]}, "an edit names exactly one of truncate_head"),
        ({"edits": [{}]}, "an edit names exactly one of truncate_head"),
        ({"edits": [{"truncate_head": 0}]}, "greater than or equal to 1"),
        ({"shape": "exponential", "ratio": 0.5}, "greater than or equal to 1"),
        ({"shape": "exponential", "ratio": math.inf}, "finite number"),
        ({"shape": "exponential", "ratio": 1e308}, "less than or equal to 1000000000"),
        ({"shape": "zipf", "exponent": math.nan}, "finite number"),
        ({"shape": "zipf", "exponent": "1"}, "needs a number"),
        ({"shape": "zipf", "exponent": True}, "needs a number"),
        ({"shape": "step", "ratio": 2, "share": 1}, "less than 1"),
        ({"shape": "explicit", "counts": [3, 0]}, "greater than or equal to 1"),
        ({"shape": "explicit", "counts": [3, "4"]}, "needs a number"),
        ({"shape": "stairs"}, "Input should be 'balanced'"),
    ],
)
def test_impossible_profiles(bad, message) -> None:
    with pytest.raises(ValidationError, match=message):
        Profile.model_validate(bad)


def test_every_shape_states_its_parameters() -> None:
    shapes = Profile.model_fields["shape"].annotation.__args__
    assert set(PARAMETERS) == set(shapes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("profile", [{"shape": "exponential", "ratio": 1e9}, {"shape": "zipf", "exponent": 50}])
def test_extreme_profiles_stay_exact(profile) -> None:
    counts = profile_counts(Profile.model_validate(profile), 1000, 20)
    assert counts.sum() == 20_000 and counts.min() == 1
