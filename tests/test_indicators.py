"""Every registered indicator, and the values that follow from definitions by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.indicators import (
    DEFAULT_NAMES,
    Context,
    compute,
    default_names,
    indicator,
    known,
    listing,
    source_names,
    with_errors,
)
from predictor.indicators.page import documentation
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
    for name in default_names():
        assert a[name].reason == b[name].reason
        if a[name].value is not None:
            assert a[name].value == pytest.approx(b[name].value, rel=1e-12, abs=1e-12), name


@given(COUNTS, st.integers(0, 3), st.integers(0, 40))
def test_a_value_inside_the_stated_bounds_or_a_reason(counts, n_without, n_others) -> None:
    names = [f"c{i:03d}" for i in range(len(counts))]
    targets = [*names[: max(len(counts) - n_others, 0)], *(f"without{i}" for i in range(n_without))]
    for name, found in compute(of(counts, targets)).items():
        assert (found.value is None) == bool(found.reason), name
        if found.value is not None:
            low, high = known(name).bounds
            assert low is None or found.value >= low - 1e-9, name
            assert high is None or found.value <= high + 1e-9, name


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=40))
def test_single_label_data_leaves_undefined_only_what_was_not_given(counts) -> None:
    everything = compute(of(counts), with_errors(default_names()))
    missing = {name: found.reason for name, found in everything.items() if found.value is None}
    assert missing == {
        "other_samples_per_class": "every class is a target",
        "kl_test": "no test set is given (--test FILE); against equal test shares it is kl_uniform",
        "synthetic_share": "the manifest names no source",
    }


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
    assert value("tail_mass@100", counts) == pytest.approx(11 / 111)
    assert value("tail_mass@0.4mean", counts) == pytest.approx(11 / 111)
    assert value("coverage@10", counts) == pytest.approx(2 / 3)  # 10 itself is enough
    assert value("log_n_samples", counts) == pytest.approx(math.log(111))
    assert value("log_n_classes", counts) == pytest.approx(math.log(3))
    assert value("hill_number@0", counts) == pytest.approx(3)
    assert value("hill_number@2", counts) == pytest.approx(1 / (share**2).sum())
    assert value("hill_number@800", counts) == pytest.approx((100 / 111) ** (800 / -799))
    assert value("labels_per_image", counts) == 1


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=60), st.floats(0.1, 100))
def test_against_numpy_and_scipy(counts, p) -> None:
    share = np.array(counts) / sum(counts)
    even = np.full(len(counts), 1 / len(counts))
    entropy = stats.entropy(share)
    assert value(f"samples_quantile@{p}", counts) == pytest.approx(np.percentile(counts, p), rel=1e-9)
    assert value("median_samples", counts) == np.median(counts)
    assert value("kl_uniform", counts) == pytest.approx(stats.entropy(share, even), abs=1e-12)
    assert value("normalised_entropy", counts) == pytest.approx(entropy / math.log(len(counts)), abs=1e-12)
    assert value("hill_number@1", counts) == value("effective_classes", counts) == pytest.approx(math.exp(entropy))
    assert value("hill_number@1.00001", counts) == pytest.approx(math.exp(entropy), rel=1e-3)


@given(COUNTS, st.integers(1, 5000))
def test_coverage_is_what_the_long_tail_leaves(counts, k) -> None:
    assert value(f"coverage@{k}", counts) == pytest.approx(1 - value(f"long_tail@{k}", counts))
    assert value(f"tail_mass@{k}", counts) <= value(f"long_tail@{k}", counts) + 1e-12  # the smallest classes
    assert value("coverage@1", counts, ["c000", "zebra"]) == 0.5


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1))
def test_divergence_from_the_test_set(both) -> None:
    names = sorted(both)
    train, test = (LabelDistribution.from_counts({n: both[n][i] for n in names}) for i in (0, 1))
    p, q = (np.array([both[n][i] for n in names], dtype=float) for i in (0, 1))
    found = compute(train, ["kl_test", "kl_uniform"], Context(test=test))
    assert found["kl_test"].value == pytest.approx(stats.entropy(p, q), abs=1e-12)
    even = LabelDistribution.from_counts(dict.fromkeys(names, 7))
    assert compute(train, ["kl_test"], Context(test=even))["kl_test"].value == pytest.approx(
        found["kl_uniform"].value, abs=1e-12
    )


def test_divergence_counts_the_test_images_of_classes_without_training() -> None:
    test = LabelDistribution.from_counts({"a": 10, "b": 10, "road": 100})
    train = LabelDistribution.from_counts({"a": 5, "road": 7}, targets=["a", "b"])
    assert compute(train, ["kl_test"], Context(test=test))["kl_test"].value == pytest.approx(math.log(2))
    short = LabelDistribution.from_counts({"b": 10})
    assert compute(train, ["kl_test"], Context(test=short))["kl_test"].reason == (
        "1 target classes have no test image, first 'a'"
    )


def test_sources_and_stages() -> None:
    rows = [("cat", "web", 6), ("cat", "lab", 2), ("f0", "fractals:a", 1), ("f1", "render", 1)]
    mixed = LabelDistribution.from_counts(rows)
    found = compute(mixed, ["source_share@web", "source_share@nowhere", "synthetic_share"])
    assert [item.value for item in found.values()] == pytest.approx([0.6, 0.0, 0.1])
    declared = compute(mixed, ["synthetic_share"], Context(synthetic=frozenset({"render"})))
    assert declared["synthetic_share"].value == pytest.approx(0.2)
    assert source_names([mixed, of([3])]) == [f"source_share@{name}" for name in ("fractals:a", "lab", "render", "web")]
    assert compute(of([3]), ["source_share@web"])["source_share@web"].reason == "the manifest names no source"

    stages = Context(stages=(of([9] * 50), of([9] * 4)))
    found = compute(of([9] * 4), ["stage_classes@1", "stage_classes@2", "stage_classes@3"], stages)
    assert [item.value for item in found.values()] == [50, 4, None]
    assert found["stage_classes@3"].reason == "the training has 2 stages"
    assert value("stage_classes@1", [9] * 4) == 4  # a manifest is one stage


def test_scale_of_targets_and_others() -> None:
    counts, targets = [10, 30, 500, 60], ["c000", "c001", "zebra"]
    assert value("target_samples_per_class", counts, targets) == pytest.approx(40 / 3)
    assert value("other_samples_per_class", counts, targets) == 280
    assert value("kl_uniform", [30, 10], ["c000", "c001", "zebra"]) == pytest.approx(
        stats.entropy([0.75, 0.25, 0], [1 / 3] * 3)
    )
    several = LabelDistribution.from_counts({"a": 3, "b": 3}, n_samples=4)
    assert compute(several, ["labels_per_image"])["labels_per_image"].value == 1.5


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


def test_a_standard_error_stands_beside_its_indicator_and_is_none() -> None:
    assert "zipf_exponent_se" not in DEFAULT_NAMES and "zipf_exponent_se" in {row["name"] for row in listing()}
    names = with_errors(DEFAULT_NAMES)
    assert names[names.index("zipf_exponent") + 1] == "zipf_exponent_se" and len(names) == len(DEFAULT_NAMES) + 1


def test_empty_data_gives_reasons_alone() -> None:
    for name, found in compute(LabelDistribution.from_counts({}, targets=["a"])).items():
        assert found.value in (0.0, 1.0, None) and (found.value is None) == (found.reason is not None), name
    assert compute(LabelDistribution.from_counts({}), ["coverage@1"])["coverage@1"].reason == "there is no target class"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a@b"}, "an indicator cannot be named 'a@b'"),
        ({"name": " a"}, "an indicator cannot be named ' a'"),
        ({}, "indicator 'nothing_gives_it' asks for 'weather'. choose of probe, stages, synthetic, test"),
    ],
)
def test_what_cannot_be_registered(arguments, message) -> None:
    def nothing_gives_it(distribution: LabelDistribution, *, weather: str) -> float:
        return 0.0

    with pytest.raises(PredictorError, match=message):
        indicator(unit="share", source="test", **arguments)(nothing_gives_it)
    assert "nothing_gives_it" not in _REGISTRY


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
    assert len(listing()) == len(_REGISTRY) >= 30
    for entry in _REGISTRY.values():
        assert ">>>" in (entry.function.__doc__ or ""), entry.name
        assert entry.unit and entry.source and entry.summary and entry.direction in (-1, 0, 1)
        assert entry.bounds != (None, None), entry.name


def test_the_page_of_indicators_is_what_the_registry_says() -> None:
    page = Path(__file__).parents[1] / "docs" / "indicators.md"
    if not page.parents[1].joinpath("pyproject.toml").exists():
        pytest.skip("the page stands in the checkout")
    assert page.read_text(encoding="utf-8") == documentation(), "write it again: python -m predictor.indicators"
