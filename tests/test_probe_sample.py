"""How a probe draws its images and what it computes from them, on made images and known figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import probes_made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import write_source

from predictor.images import probe as probing
from predictor.images.classifier import PENALTY, confusion, margin, scores
from predictor.images.diversity import diversity, effective_number
from predictor.images.draws import draws
from predictor.images.duplicates import counted, find_pairs
from predictor.images.groups import joined
from predictor.images.listing import open_images
from predictor.images.probe import probe_sample
from predictor.images.sample import ImageSample, decoded_sample, training_images

own_cache = probes_made.own_cache


def sample_of(pixels: np.ndarray, classes: np.ndarray, groups: np.ndarray | None = None) -> ImageSample:
    names = tuple(f"class {c}" for c in range(int(classes.max()) + 1))
    return ImageSample(
        pixels,
        classes,
        np.arange(len(classes)) if groups is None else groups,
        np.arange(len(classes)),
        names,
        {name: int((classes == c).sum()) for c, name in enumerate(names)},
        tuple(f"image {i}" for i in range(len(classes))),
        "train",
        (),
    )


def noise_images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(3, 20), min_size=2, max_size=4),
    n_groups=st.integers(3, 30),
    seed=st.integers(0, 100),
)
def test_no_group_is_on_both_sides_and_no_image_twice(sizes: list[int], n_groups: int, seed: int) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.random.default_rng(seed).integers(0, n_groups, len(classes))
    for draw in draws(classes, groups, 3, np.random.default_rng(seed)):
        training = np.concatenate(draw.training)
        assert not set(groups[training]) & set(groups[draw.test])
        assert len(set(training)) == len(training) and len(set(draw.test)) == len(draw.test)
        for c, rows in enumerate(draw.training):
            assert (classes[rows] == c).all() and (classes[draw.test] == c).sum() <= sizes[c] // 3


def test_copies_are_kept_on_one_side() -> None:
    """Noise in pairs of equal images: who has seen the copy is right, and nobody else can be."""
    once = noise_images(48)
    pixels, classes = np.concatenate([once, once]), np.tile(np.repeat([0, 1], 24), 2)
    assert probe_sample(sample_of(pixels, classes), digest="sha256:0").at(10).accuracy < 0.65
    apart = np.arange(96)
    kernel = probing.feature_kernel(pixels)
    training, test = apart[:48], apart[48:]
    assert (scores(kernel, training, classes[:48], test, 2).argmax(1) == classes[48:]).mean() > 0.95


def test_groups_of_the_source_are_kept_on_one_side(tmp_path: Path) -> None:
    """Ten objects of one class look alike, each has its own colour: new objects cannot be told apart."""
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (20, 3))
    pixels = np.stack([
        np.clip(colours[g] + generator.normal(0, 25, (32, 32, 3)), 0, 255) for g in range(20) for _ in range(6)
    ]).astype(np.uint8)  # fmt: skip
    groups = np.repeat(np.arange(20), 6)
    by_group = probe_sample(sample_of(pixels, groups % 2, groups), digest="sha256:0")
    assert by_group.at(20).accuracy < 0.75


def test_planted_copies_are_counted_where_they_are() -> None:
    pixels = noise_images(12)
    pixels[1] = pixels[0]  # inside
    pixels[7] = pixels[2]  # between
    pixels[5] = np.clip(pixels[4].astype(int) + 3, 0, 255)  # near, inside
    pixels[8:10] = 128  # flat: nothing to compare, but the same pixels
    classes = np.repeat([0, 1], 6)
    found = counted(*find_pairs(pixels), classes, ("a", "b"), tuple(map(str, range(12))))
    assert asdict(found) | {"pairs": ()} == {
        "n_images": 12, "exact": 6, "near": 2, "inside": 6, "between": 2, "pairs": (),
    }  # fmt: skip
    assert found.pairs[0] == ("2", "a", "7", "b", 1.0) and len(found.pairs) == 4
    assert found.pairs[-1][:1] == ("4",) and 0.98 <= found.pairs[-1][4] < 1


def test_pairs_join_groups_to_their_ends() -> None:
    assert joined(np.array([0, 0, 1, 2, 3]), np.array([[1, 2], [2, 3]])).tolist() == [0, 0, 0, 0, 1]
    assert joined(np.arange(3), np.zeros((0, 2), int)).tolist() == [0, 1, 2]


def test_the_classifier_is_ridge_regression() -> None:
    """Against scikit-learn's, on features with the same penalty."""
    from sklearn.linear_model import Ridge

    generator = np.random.default_rng(0)
    features, classes = generator.normal(size=(30, 8)).astype(np.float32), np.arange(30) % 3
    kernel = features @ features.T
    training, test = np.arange(20), np.arange(20, 30)
    inside = features[:20].astype(float)
    penalty = PENALTY * np.trace(inside @ inside.T) / 20
    wanted = np.where(classes[:20, None] == np.arange(3), 1.0, -1.0)
    peer = Ridge(alpha=penalty, fit_intercept=False).fit(inside, wanted - wanted.mean(0))
    assert np.allclose(
        scores(kernel, training, classes[:20], test, 3), peer.predict(features[20:]) + wanted.mean(0), atol=1e-4
    )


def test_a_table_of_what_is_taken_for_what() -> None:
    found = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0], [0, 0, 1]])
    assert confusion(found, np.array([0, 0, 1, 2])).tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    assert margin(found, np.array([0, 0, 1, 2])) == pytest.approx((0.8 - 0.6 + 1 + 1) / 8)


def test_diversity_counts_unlike_images_and_unlike_classes() -> None:
    assert effective_number(np.kron(np.eye(3), np.ones((2, 2)))) == pytest.approx(3)
    generator = np.random.default_rng(0)
    far = np.concatenate([generator.normal(0, 0.1, (20, 5)), generator.normal(0, 0.1, (20, 5)) + 9])
    near = generator.normal(0, 0.1, (40, 5))
    rows = [np.arange(20), np.arange(20, 40)]
    apart, together = (diversity(features @ features.T, rows) for features in (far, near))
    assert 1 <= together.classes < apart.classes <= 2 and together.total == pytest.approx(
        together.within * together.classes
    )


def test_copies_stand_on_one_side_whatever_their_groups() -> None:
    """A class of nothing but copies cannot be tested on images that were not learnt from."""
    pixels = np.random.default_rng(0).integers(0, 256, (36, 32, 32, 3), dtype=np.uint8)
    pixels[:12] = pixels[0]
    found = probe_sample(sample_of(pixels, np.repeat([0, 1, 2], 12)), digest="sha256:" + "0" * 64)
    assert found.left_out == {"class 0": "its images are one group, or copies of each other, and cannot be split"}
    assert [one.name for one in found.classes] == ["class 1", "class 2"]


def test_of_many_images_those_looked_at_are_spread_over_all_of_them(tmp_path: Path) -> None:
    """Sources list images in an order: the first ones would be one camera's, or one day's."""
    write_source(tmp_path / "many.parquet", ["a", "b"], train=200, test=0, seed=0)
    images = open_images(tmp_path / "many.parquet")
    sample = decoded_sample(images, training_images(images), 16)
    assert sample.counts == {"a": 200, "b": 200} and len(sample.rows) == 240
    for c in (0, 1):
        places = sample.rows[sample.classes == c] - 200 * c
        assert len(set(places.tolist())) == 120 and abs(places.mean() - 99.5) < 15  # the first 120: 59.5


@pytest.mark.parametrize(("contrast", "n_pairs"), [(1, 0), (40, 1)])
def test_images_with_nothing_on_them_are_no_copies_of_each_other(contrast: int, n_pairs: int) -> None:
    """The same faint slope on two empty images: their correlation is that of nothing. The same pixels are a copy."""
    slope = np.linspace(0, 3 * contrast, 32).astype(np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2)
    pixels = np.stack([100 + slope, 101 + slope, noise_images(1)[0]])
    assert len(find_pairs(pixels)[0]) == n_pairs
    assert find_pairs(pixels[[0, 0]])[1].tolist() == [1]


def test_an_image_with_nothing_on_it_is_no_copy_of_a_clear_one() -> None:
    clear, faint = (np.linspace(0, most, 32)[None, :, None].repeat(32, 0).repeat(3, 2) for most in (250, 5.99))
    pixels = np.stack([clear, 100 + faint]).astype(np.uint8)
    assert np.corrcoef(pixels[0].ravel(), pixels[1].ravel())[0, 1] > 0.985 and not len(find_pairs(pixels)[0])


def test_an_image_with_several_copies_counts_once() -> None:
    pixels = noise_images(1).repeat(3, 0)
    found = counted(*find_pairs(pixels), np.array([0, 0, 1]), ("a", "b"), ("x", "y", "z"))
    assert (found.exact, found.inside, found.between, len(found.pairs)) == (3, 2, 3, 3)
