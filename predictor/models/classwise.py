"""The class-wise curve: accuracy of each class from its own images, averaged over the targets.

logit p_c = a + b log n_c + g log mean(n) + k log(1 + 10 / n_c) + help of other classes + image-steps

b + g is what more images bring, g < 0 what a class loses to the images of the others (the prior of the training set).
a, b, g and what image-steps bring differ between target sets and domains, as far as their runs say so. Other classes
enter by their number, by how many of them come from other sources than the targets, and by their share of the images;
image-steps as such, and by how often they show each image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.models.base import Floats, family
from predictor.models.case import CLASS_FEATURES, Case
from predictor.models.evaluate import evaluator
from predictor.models.links import expit
from predictor.models.pooled import Pooled, pooled_parameters
from predictor.models.rows import Row, Sample
from predictor.statistics.ties import varies

VARYING = ("log_count", "log_mean_count", "log_image_steps", "push")  # slopes that differ between target sets


@family("classwise", needs_counts=True)
def classwise(rows: Sequence[Row]) -> dict[str, Any]:
    """Power law of each class's own and mean image count, maximum likelihood on the images tested per class."""
    sample = Sample.of(rows)
    bare = np.flatnonzero(sample.numbers("bare", _is_bare))
    if len(bare):
        raise FitError(
            f"family classwise needs class counts and results per class; {len(bare)} runs lack them (first: "
            f"{sample[int(bare[0])].run_id})",
            remedy="leave their studies out with --study, or name --family linear",
        )
    raw, weight, owner, trials, share = _observations(sample)
    columns = [j for j in range(raw.shape[1]) if np.isfinite(raw[:, j]).all() and varies(raw[:, j])]
    if not columns:
        raise FitError("family classwise: neither the class counts nor the recipe vary")
    return pooled_parameters(
        "classwise", [CLASS_FEATURES[j] for j in columns], raw[:, columns], sample, share, weight, varying=VARYING,
        owner=owner, shrink=True, trials=trials,
    )  # fmt: skip


def _is_bare(row: Row) -> bool:
    return not len(row.tested) or len(row.tested) != len(row.case.tested_counts)


def _observations(sample: Sample) -> tuple[np.ndarray, ...]:
    """(features, number of classes, row, images tested per class, mean share correct), see `_merged`."""
    found = sample.whole.once("classes", lambda: _merged(sample.whole))
    position = np.full(len(sample.whole), -1)
    position[sample.index] = np.arange(len(sample))
    owner = position[found[2]]
    raw, weight, _, trials, share = (item[owner >= 0] for item in found)
    return raw, weight, owner[owner >= 0], trials, share


def _merged(rows: Sample) -> tuple[np.ndarray, ...]:
    """Classes that no feature tells apart, of one configuration, become one observation: the same likelihood, faster.

    Gives (features, number of classes, a row of the configuration, images tested per class, mean share correct).
    """
    known = np.flatnonzero(rows.numbers("bare", _is_bare) == 0)
    own = [rows[i] for i in known.tolist()]
    owner = np.repeat(known, [len(row.tested) for row in own])
    raw = np.concatenate([row.case.class_features() for row in own])
    tested = np.concatenate([row.tested for row in own])
    correct = np.concatenate([row.correct for row in own])
    keep = np.isfinite(raw[:, 0]) & (tested > 0)  # a class without images is 0 by construction, no evidence
    raw, tested, correct, owner = raw[keep], tested[keep], correct[keep], owner[keep]
    configuration = rows.labelled("configuration, level")[2]
    keys = np.column_stack([configuration[owner], np.nan_to_num(raw).round(9)])
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    index = index.reshape(-1)
    classes = np.bincount(index).astype(np.float64)
    share = np.bincount(index, weights=correct / tested) / classes
    trials = classes / np.bincount(index, weights=1 / tested)
    return raw[first], classes, owner[first], trials, share


def slopes(parameters: dict[str, Any]) -> dict[str, float]:
    """{feature: slope in logits per unit of the feature} (b, g, h, s of the formula)."""
    pairs = zip(parameters["features"], parameters["coefficients"], parameters["scale"], strict=True)
    return {name: coefficient / scale for name, coefficient, scale in pairs}


def class_logits(model: Pooled, cases: Sequence[Case], clip: bool = False) -> tuple[Floats, NDArray[np.int64]]:
    """(eta, counts) of every target class of every case, one after the other, by a class-wise curve."""
    columns = [CLASS_FEATURES.index(name) for name in model.features]
    raw = np.concatenate([case.class_features() for case in cases])
    counts = np.concatenate([case.tested_counts for case in cases])
    values = np.where(np.isneginf(raw), 0.0, raw)[:, columns]
    owner = np.repeat(np.arange(len(cases)), [len(case.tested_counts) for case in cases])
    intercepts, slopes = model.own(cases)
    return intercepts[owner] + np.sum(model.standardised(values, clip) * slopes[owner], axis=1), counts


@evaluator("classwise", ready=Pooled.of)
def evaluate_classwise(model: Pooled, cases: Sequence[Case], clip: bool) -> Floats:
    """Mean over the target classes of sigmoid(eta_c); a class without images is never predicted: 0."""
    sizes = np.array([len(case.tested_counts) for case in cases])
    result = np.full(len(cases), np.nan)
    if not sizes.sum():
        return result
    eta, counts = class_logits(model, cases, clip)
    owner = np.repeat(np.arange(len(cases)), sizes)
    p = np.where(counts > 0, expit(eta), 0.0)
    known = sizes > 0
    result[known] = np.bincount(owner, weights=p, minlength=len(cases))[known] / sizes[known]
    return result
