"""A probe of images: how well a classifier that needs no training tells the classes apart, from how many images.

Features are rectified and pooled responses to whitened patches of the images themselves, and histograms of gradients;
the classifier is ridge regression with a fixed penalty. It is asked at several numbers of training images a class, on
random splits of the training images by group. It sees no test image.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError
from predictor.images.listing import Images
from predictor.images.results import METHOD, Probe, Probed, Size, key_of
from predictor.images.sample import ImageSample, Progress, decoded_sample, training_images

if TYPE_CHECKING:
    from predictor.images.draws import Draw

IMAGE_SIZE = 32
DRAWS, FEWEST_DRAWS = 5, 2
WORK = 12_000  # training images of all draws together, at the largest size, where that leaves FEWEST_DRAWS
SHOWN = 10  # pairs of classes


@dataclass(frozen=True)
class Described:
    """Features that stand in the place of the probe's own, such as those of a pretrained network.

    method : what they are, as `Probe.method` keeps it; image_size : at which images are looked at, pixels
    features : (n,) rows of the source, progress -> (n, D)
    """

    method: str
    image_size: int
    features: Callable[[NDArray[np.int64], Progress | None], NDArray[np.floating]]

    def kernel(self, rows: NDArray[np.int64], progress: Progress | None) -> NDArray[np.float32]:
        """(n, n) inner products of the features, each of the same weight."""
        from predictor.images.features import standardised

        own = standardised(np.asarray(self.features(rows, progress), np.float32))
        return own @ own.T / np.float32(own.shape[1])


def probe_images(
    images: Images,
    *,
    classes: Iterable[str] | None = None,
    split: str | None = None,
    group: str | int | None = None,
    cache: bool = False,
    described: Described | None = None,
    progress: Progress | None = None,
) -> Probe:
    """Probe the training images of some classes.

    classes : the tested ones; None: all
    split : by default 'train' or what means the same, or the only one there is
    group : how images belong together by their names, see `training_images`; None: the source's own groups
    described : by other features than the probe's own
    cache : a probe of the same content is taken from where it was kept, and kept there (`predictor.images.kept`)
    progress : called with what is being done and the share of it that is done

    Raises DataError for a class or split that is not there, fewer than two classes, and images that cannot be read.
    """
    from predictor.images.kept import keep, kept

    began = time.perf_counter()
    training = training_images(images, classes=classes, split=split, group=group)
    if len(training.rows) < 2:
        found = ", ".join(map(repr, training.rows)) or "none"
        raise DataError(
            f"one class or none to tell apart; found {found}",
            where=str(images.path),
            remedy="give it the training images of at least two classes",
        )
    if progress:
        progress("digest", 0.0)
    key = key_of(images.digest, training.split, list(training.rows), described.method if described else METHOD)
    if cache and (before := kept(key, group)):
        return before
    sample = decoded_sample(images, training, IMAGE_SIZE, progress=progress)
    probe = probe_sample(sample, digest=images.digest, group=group, described=described, progress=progress)
    probe = replace(probe, notes=sample.notes, seconds=time.perf_counter() - began)
    if cache:
        keep(probe)
    return probe


def probe_sample(
    sample: ImageSample,
    *,
    digest: str,
    group: str | int | None = None,
    described: Described | None = None,
    progress: Progress | None = None,
) -> Probe:
    """Probe images that are decoded already; see `probe_images`."""
    from predictor.images.classifier import confusion, margin, scores, standard_error
    from predictor.images.diversity import diversity
    from predictor.images.draws import SIZES, able, draws
    from predictor.images.duplicates import SAME, counted, find_pairs
    from predictor.images.groups import joined

    n_classes = len(sample.names)
    pairs, correlations = find_pairs(sample.pixels)
    groups = joined(sample.groups, pairs[correlations >= SAME])  # copies are on one side
    kernel = described.kernel(sample.rows, progress) if described else feature_kernel(sample.pixels, progress)
    n_draws = int(np.clip(WORK // (n_classes * SIZES[-1]), FEWEST_DRAWS, DRAWS))
    found = list(draws(sample.classes, groups, n_draws, np.random.default_rng(1)))
    sizes: list[Size] = []
    per_class: dict[int, NDArray[np.float64]] = {}
    confused: tuple[tuple[str, str, float], ...] = ()
    for step, size in enumerate(SIZES):
        chosen = able(found, sample.classes, size)
        if len(chosen) < 2:
            break
        index = np.full(n_classes, -1)
        index[chosen] = np.arange(len(chosen))
        tables, margins, n_tested = [], [], 0
        for number, draw in enumerate(found):
            rows = np.concatenate([draw.training[c][:size] for c in chosen])
            test = draw.test[index[sample.classes[draw.test]] >= 0]
            right = index[sample.classes[test]]
            given = scores(kernel, rows, index[sample.classes[rows]], test, len(chosen))
            tables.append(confusion(given, right))
            margins.append(margin(given, right))
            n_tested = len(test)
            if progress:
                progress("classes told apart", (step * n_draws + number + 1) / (len(SIZES) * n_draws))
        accuracies = [float(np.diag(table).mean()) for table in tables]
        sizes.append(
            Size(
                samples_per_class=size,
                n_classes=len(chosen),
                n_tested=n_tested,
                accuracy=float(np.mean(accuracies)),
                standard_error=standard_error(accuracies, (size * len(chosen) + n_tested) / len(sample.pixels)),
                margin=float(np.mean(margins)),
            )
        )
        table = np.mean(tables, axis=0)
        per_class[size] = np.full(n_classes, np.nan)
        per_class[size][chosen] = np.diag(table)
        confused = _confused(table, [sample.names[c] for c in chosen])
    asked = [c for c in range(n_classes) if any(np.isfinite(values[c]) for values in per_class.values())]
    rows_of = [np.flatnonzero(sample.classes == c) for c in asked]
    spread = diversity(kernel, rows_of) if asked else None
    return Probe(
        method=described.method if described else METHOD,
        digest=digest,
        split=sample.split,
        image_size=described.image_size if described else sample.pixels.shape[1],
        group=group,
        n_images=len(sample.pixels),
        n_draws=n_draws,
        sizes=tuple(sizes),
        classes=tuple(
            Probed(
                name=sample.names[c],
                n_images=sample.counts[sample.names[c]],
                accuracy={size: float(values[c]) for size, values in per_class.items() if np.isfinite(values[c])},
            )
            for c in asked
        ),
        left_out={sample.names[c]: _why(sample, found, groups, c) for c in range(n_classes) if c not in asked},
        confused=confused,
        confused_at=sizes[-1].samples_per_class if sizes else None,
        duplicates=counted(pairs, correlations, sample.classes, sample.names, sample.described),
        diversity=spread,
    )


def feature_kernel(pixels: NDArray[np.uint8], progress: Progress | None = None) -> NDArray[np.float32]:
    """(n, n) inner products of the features of the method, patches and gradients of equal weight."""
    from predictor.images.features import gradient_features, patch_features, standardised

    def tell(share: float) -> None:
        if progress:
            progress("features", share)

    kernel = np.zeros((len(pixels), len(pixels)), np.float32)
    for features in (patch_features(pixels, np.random.default_rng(0), tell), gradient_features(pixels)):
        own = standardised(features)
        kernel += own @ own.T / own.shape[1]
    return kernel


def _confused(table: NDArray[np.float64], names: list[str]) -> tuple[tuple[str, str, float], ...]:
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:SHOWN]
    places = [divmod(int(at), len(names)) for at in order]
    return tuple((names[a], names[b], float(wrong[a, b])) for a, b in places if wrong[a, b] > 0)


def _why(sample: ImageSample, found: list[Draw], groups: NDArray[np.int64], number: int) -> str:
    from predictor.images.draws import SIZES

    n = int((sample.classes == number).sum())
    needed = 7  # five to learn from, and a third at most to test
    if n < needed:
        return f"{n} image{'s' * (n > 1)}; a probe needs {needed} of a class"
    if len(np.unique(groups[sample.classes == number])) < 2:
        return "its images are one group, or copies of each other, and cannot be split"
    fewest = min(len(draw.training[number]) for draw in found)
    if fewest >= SIZES[0]:
        return "no other class has images enough to be told from it"
    return f"its groups leave {fewest} images to learn from in one of {len(found)} splits; needed: {SIZES[0]}"
