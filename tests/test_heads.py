"""Heads that are solved for: the images that choose the penalty are seen by no solution, and every class counts."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from predictor.spec import Recipe
from trainer.features import heads


def test_features_that_say_nothing_get_a_stiff_penalty() -> None:
    """What was fitted on the images that choose would look best with the least."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    features = generator.normal(size=(80, 200)).astype(np.float16)
    assert heads.fit_head(features, labels, 2, Recipe(), seed=0).penalty >= 0.01


def test_another_training_seed_holds_back_other_images() -> None:
    labels = np.repeat([0, 1, 2], [20, 10, 2])
    one, other = (heads._held_back(labels, seed) for seed in (0, 1))
    assert [one[labels == c].sum() for c in range(3)] == [4, 2, 0]  # one in five; none of a class of two
    assert (one == heads._held_back(labels, 0)).all() and (one != other).any()


def test_the_penalty_is_best_for_the_mean_class_not_for_the_mean_image() -> None:
    generator = np.random.default_rng(6)
    labels = np.repeat([0, 1], [180, 20])
    features = generator.normal(size=(2, 10))[labels] * 0.5 + generator.normal(size=(200, 10))
    head = heads.fit_head(features.astype(np.float16), labels, 2, Recipe(), seed=0)
    x, held = (features.astype(np.float16) - head.mean) / head.scale, heads._held_back(labels, 0)
    by_class, by_image = [], []
    for penalty in heads.PENALTIES:
        peer = LogisticRegression(C=1 / ((~held).sum() * penalty), tol=1e-8, max_iter=5000).fit(x[~held], labels[~held])
        told = peer.predict_log_proba(x[held])[np.arange(held.sum()), labels[held]]
        by_class.append(np.mean([told[labels[held] == c].mean() for c in (0, 1)]))
        by_image.append(told.mean())
    assert head.penalty == heads.PENALTIES[int(np.argmax(by_class))] != heads.PENALTIES[int(np.argmax(by_image))]
