"""LabelDistribution as a value: order, equality, merging of shards, parts, scaling, roles."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError

NAMES = st.sampled_from(["a", "b", "B", "", "é", "猫", "a b", "all", "\udc80"])
ROWS = st.lists(st.tuples(NAMES, st.sampled_from(["", "web", "lab"]), st.integers(0, 50)), max_size=12)
TARGETS = st.none() | st.frozensets(NAMES, max_size=4)
LABELS = st.none() | st.integers(0, 500)
DISTRIBUTIONS = st.builds(
    lambda rows, targets, n: LabelDistribution.from_counts(rows, targets=targets, n_samples=n), ROWS, TARGETS, LABELS
)
EMPTY = LabelDistribution.from_counts({})


@given(DISTRIBUTIONS, DISTRIBUTIONS, DISTRIBUTIONS)
def test_shards_may_be_counted_anywhere_and_added_in_any_order(a, b, c) -> None:
    whole = a.merge(b, c)
    assert whole == a.merge(b).merge(c) == a.merge(b.merge(c)) == c.merge(a, b)
    assert whole.digest == c.merge(b).merge(a).digest
    assert whole.merge(EMPTY) == EMPTY.merge(whole) == whole
    assert whole.n_samples == a.n_samples + b.n_samples + c.n_samples
    assert whole.counts.sum() == sum(int(part.counts.sum()) for part in (a, b, c))


@given(ROWS, TARGETS, st.randoms())
def test_order_of_rows_changes_nothing(rows, targets, random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    a, b = (LabelDistribution.from_counts(r, targets=targets) for r in (rows, shuffled))
    assert a == b and hash(a) == hash(b) and a.digest == b.digest
    assert list(zip(a.classes, a.sources, strict=True)) == sorted({(c, s) for c, s, n in rows if n})


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_equal_exactly_where_the_digest_is_equal(a, b) -> None:
    assert (a == b) == (a.digest == b.digest)


def test_the_digest_tells_every_target_class_from_one_named_all() -> None:
    counts = {"all": 1, "b": 2}
    every, one = LabelDistribution.from_counts(counts), LabelDistribution.from_counts(counts, targets=["all"])
    assert every != one and every.digest != one.digest
    joined, two = (LabelDistribution.from_counts(counts, targets=t) for t in (["a\0b"], ["a", "b"]))
    assert joined.digest != two.digest


def test_digests_of_stored_records_stay() -> None:
    """Values of version 0.1.0: a fit may hold them."""
    plain = LabelDistribution.from_counts({"cat": 60, "dog": 20})
    assert plain.digest == "8f04f66ae218d245c36b73e790d70137cce3f7a780cb5ffac552cfe962a501e0"
    mixed = LabelDistribution.from_counts([("cat", "web", 3), ("猫", "", 1)], targets=["cat", "owl"], n_samples=3)
    assert mixed.digest == "214b3a64dede8bccaf37c3ef1e60c960c8b06cf2d92abcd93b5213903b489f21"


@given(DISTRIBUTIONS)
def test_roles_part_the_classes(d) -> None:
    names = np.array(d.class_names, dtype=object)
    tested = set(names[d.is_target])
    assert tested == {n for n in d.class_names if d.targets is None or n in d.targets}
    assert d.class_counts.sum() == d.target_counts.sum() + d.other_counts.sum() == d.counts.sum()
    assert dict(zip(d.target_names, d.target_counts.tolist(), strict=True)) == {
        name: dict(zip(d.class_names, d.class_counts.tolist(), strict=True)).get(name, 0) for name in d.target_names
    }
    assert d.ranked_counts.tolist() == sorted(d.class_counts.tolist(), reverse=True)
    assert d.ranked_target_counts.tolist() == sorted(d.target_counts.tolist(), reverse=True)
    by_source = {s: sum(n for _, source, n in d.rows() if source == s) for s in d.sources}
    assert d.counts_by_source() == dict(sorted(by_source.items()))


@given(ROWS, TARGETS)
def test_parts_add_up_to_the_whole(rows, targets) -> None:
    d = LabelDistribution.from_counts(rows, targets=targets)
    sources = sorted(set(d.sources))
    assert EMPTY.with_targets(targets).merge(*(d.subset(sources=[source]) for source in sources)) == d
    half = d.class_names[::2]
    one, two = d.subset(half), d.subset(set(d.class_names) - set(half))
    assert one.class_names == half and one.merge(two).rows() == d.rows()
    assert one.targets == (None if targets is None else targets & set(half))


def test_a_part_needs_known_names_and_one_label_an_image() -> None:
    d = LabelDistribution.from_counts([("cat", "web", 5), ("dog", "lab", 4)], targets=["cat", "owl"])
    assert d.subset(["owl"]).targets == {"owl"} and d.subset(["owl"]).n_samples == 0  # a target may have no image
    assert d.subset("cat").rows() == [("cat", "web", 5)]
    with pytest.raises(PredictorError, match="no image of class 'cow'; 'yak'"):
        d.subset(["yak", "cow", "cat"])
    with pytest.raises(PredictorError, match="no image of source 'net'"):
        d.subset(sources=["net"])
    several = LabelDistribution.from_counts({"cat": 5, "dog": 5}, n_samples=6)
    with pytest.raises(PredictorError, match="images carry several labels"):
        several.subset(["cat"])


@given(ROWS, TARGETS, st.integers(1, 9))
def test_a_whole_factor_is_so_many_copies(rows, targets, factor) -> None:
    d = LabelDistribution.from_counts(rows, targets=targets)
    assert d.scaled(factor) == d.merge(*[d] * (factor - 1))


def test_scaling_keeps_the_label_set() -> None:
    d = LabelDistribution.from_counts([("a", "x", 1), ("a", "y", 3), ("b", "x", 50)], targets=["b"])
    assert d.scaled(0.1).rows() == [("a", "x", 1), ("a", "y", 1), ("b", "x", 5)] and d.scaled(0.1).n_samples == 7
    assert d.scaled(1.5).counts.tolist() == [2, 4, 75] and d.scaled(1.5).targets == {"b"}  # 4.5 to even
    huge = LabelDistribution.from_counts({"a": 2**53 + 1})
    assert huge.scaled(2).counts.tolist() == [2**54 + 2]
    assert LabelDistribution.from_counts({"a": 10, "b": 10}, n_samples=15).scaled(2).n_samples == 30


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0, "a factor is a finite number > 0; found 0"),
        (-1, "found -1"),
        (float("nan"), "found nan"),
        (float("inf"), "found inf"),
        (1e19, "scaled by 1e\\+19 it has more than 9,223,372,036,854,775,807 images"),
    ],
)
def test_factors_that_make_no_sense(factor, message) -> None:
    with pytest.raises(PredictorError, match=message):
        LabelDistribution.from_counts({"a": 1, "b": 1}).scaled(factor)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 1, "b": -1}, "class 'b' has count -1; a count is a whole number >= 0"),
        ({"a": 1.5}, "class 'a' has count 1.5"),
        ({"a": float("nan")}, "class 'a' has count nan"),
        ({"a": float("inf")}, "class 'a' has count inf"),
        ({"a": "3"}, "class 'a' has count '3'"),
        ({"a": None}, "class 'a' has count None"),
        ({7: 3}, "class 7 of source ''; both are text"),
        ([("a", None, 3)], "class 'a' of source None; both are text"),
        ({"a": 2**63 - 1, "b": 1}, "9,223,372,036,854,775,808 images; at most 9,223,372,036,854,775,807"),
    ],
)
def test_what_is_no_count(counts, message) -> None:
    with pytest.raises(PredictorError, match=message):
        LabelDistribution.from_counts(counts)


def test_whole_numbers_of_any_type_count() -> None:
    d = LabelDistribution.from_counts({"a": 2.0, "b": np.int64(3), "c": True, "d": np.uint8(0)})
    assert d.rows() == [("a", "", 2), ("b", "", 3), ("c", "", 1)] and d.counts.dtype == np.int64


def test_it_never_changes() -> None:
    d = LabelDistribution.from_counts([("a", "x", 1), ("a", "y", 3), ("b", "x", 50)], targets=["b", "c"])
    for values in (d.counts, d.class_counts, d.target_counts, d.other_counts, d.ranked_counts, d.is_target):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 7
    with pytest.raises(AttributeError):
        d.n_samples = 7
    assert pickle.loads(pickle.dumps(d)) == d and {d: 1}[d.with_targets(["c", "b"])] == 1
