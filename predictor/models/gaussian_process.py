"""Gaussian process on what a regression leaves: smooth corrections that target sets and domains share in part.

logit p = logit of the regression + sum_i w_i k(x, x_i)
k(x, x') = (s_0 + s_1 [same target set] + s_2 [same domain]) exp(-sum_j (x_j - x'_j)^2 / (2 l_j^2))
           + c_1 [same target set] + c_2 [same domain]

x : the design in ten numbers, and what the regression says of it, so that designs of equal difficulty are alike
noise : of a configuration's mean, as that of a logit grows towards 0 and 1, by the number of its seeds
[same target set] : the same recipe as well; of a new one only what all share, or what its domain shares, is known

How fast each number matters is stated below (`LENGTHS`), in standard deviations of the runs; of the columns of a
reported table, of which nothing is known, it is learnt (`predictor.models.lengths`). The variances, the noise and a
factor common to all lengths are searched on grids, by maximum marginal likelihood (Rasmussen and Williams 2006,
Gaussian processes for machine learning, chapter 5), one at a time: a step is taken only where it gains a twentieth, so
that no last digit decides. Exact for up to 2,000 configurations; beyond, a thousand of them stand for all (subset of
regressors, chapter 8.3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.errors import FitError
from predictor.models.base import Floats, families, family, feature_matrix, finite, fitted, usable
from predictor.models.case import DESIGN_FEATURES, Case
from predictor.models.corrections import below
from predictor.models.evaluate import ReadyModel, evaluate, evaluator, feature_values
from predictor.models.features import features_of
from predictor.models.lengths import LENGTH, learnt_lengths
from predictor.models.links import expit, logit
from predictor.models.rows import Row, Sample
from predictor.recipes import PUSHES

FEWEST = 20  # configurations
EXACT, INDUCING = 2000, 1000  # configurations that are solved exactly; that stand for more
SEARCHED = 200  # configurations on which the variances are searched
LOWEST, HIGHEST = 0.003, 0.999  # accuracies beyond have logits that are mostly noise
BASE = "regression"  # the feature that the regression below gives
LENGTHS = {
    "mean_log_target": 5.6, "log_mean_target": 2.8, "log_imbalance": 2.0, "log_head": 2.8, "log_image_steps": 2.0,
    "log1p_other_classes": 5.6, "log1p_foreign_classes": 5.6, "log1p_other_share": 1.4, "root_blend_share": 4.0,
    "log_effective_classes": 8.0, BASE: 1.0, **{f"spread_{name}": 2.8 for name in PUSHES},
}  # fmt: skip
VARIANCES = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)  # squared logits
NOISES = (0.0014, 0.002, 0.0028, 0.004, 0.0056, 0.008, 0.0112, 0.016, 0.0224, 0.032)  # of one run at one half
REPORTED_VARIANCES = (*VARIANCES, *(0.64 * 2.0**k for k in range(1, 8)))  # smooth ones lie far from 0
REPORTED_NOISES = tuple(2.0**k for k in range(-20, -1))  # of somebody's table: rounding alone, or anything
FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
KINDS = ("shared", "target_set", "domain", "target_set_level", "domain_level")  # s_0, s_1, s_2, c_1, c_2
START = (3, 2, 5, 0, 4, 4, 2)  # where the search begins: of KINDS in VARIANCES, in NOISES, in FACTORS
GAIN = 0.05  # of the log likelihood, which a step must bring
FACTOR_SD = 0.35  # of the logarithm of the factor, which keeps it near 1
ROUNDS = 2
DIGITS = 5  # decimals of stored points, of which the weights are made


@family("gaussian_process")
def gaussian_process(rows: Sequence[Row]) -> dict[str, Any]:
    """Class-wise curve corrected by a Gaussian process with a part for each target set and domain."""
    rows = Sample.of(rows)
    _, first, index = rows.labelled("configuration, level")
    if len(first) < FEWEST:
        raise FitError(f"family gaussian_process needs {FEWEST} configurations; found {len(first)}")
    names = _features(rows)
    if not names:
        raise FitError("family gaussian_process finds no indicator that every run has and that varies")
    base = below(rows) if rows[0].case.distribution is not None else fitted(families()["linear"], rows)
    seeds = np.bincount(index)
    cases, which = rows.cases()
    predicted = np.bincount(index, weights=evaluate(base, cases)[which]) / seeds
    measured = np.bincount(index, weights=rows.values) / seeds
    values = np.column_stack(
        [*(np.bincount(index, weights=column) / seeds for column in feature_matrix(rows, names).T), _logit(predicted)]
    )
    center, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
    level = _codes([rows[i].case.level for i in first.tolist()])
    domain = _codes([rows[i].domain for i in first.tolist()])
    p = np.clip(predicted, 0.05, 0.995)
    left, noise = _logit(measured) - _logit(predicted), 1 / (4 * p * (1 - p)) / seeds
    points, grids, start = (values - center) / scale, (VARIANCES, NOISES), list(START)
    if rows[0].case.distribution is None:
        learnt = learnt_lengths(points, left, noise, level[1])
        lengths, grids = learnt.lengths, (REPORTED_VARIANCES, REPORTED_NOISES)
        variances = (learnt.shared, learnt.own, 0.0, learnt.level, 0.0)
        start = [nearest(grids[0], value) if value > 0 else 0 for value in variances]
        start += [nearest(grids[1], learnt.noise), START[-1]]
    else:
        lengths = np.array([LENGTHS.get(name, LENGTH) for name in (*names, BASE)])
    points = points / lengths
    found = _search(points, level[1], domain[1], left, noise, *grids, start)
    lengths = lengths * FACTORS[found[-1]]
    points = np.round(points / FACTORS[found[-1]], DIGITS)
    found_variances = np.array([grids[0][i] for i in found[: len(KINDS)]])
    own = np.arange(len(left)) if len(left) <= EXACT else np.linspace(0, len(left) - 1, INDUCING).astype(np.int64)
    weights = _weights(points, level[1], domain[1], left, noise * grids[1][found[-2]], found_variances, own)
    return {
        "kind": "gaussian_process",
        "features": [*names, *(name for name in base["features"] if name not in names)],
        "gp_features": names,
        "base": base,
        "center": center.tolist(),
        "scale": scale.tolist(),
        "lengths": lengths.tolist(),
        "low": values.min(axis=0).tolist(),
        "high": values.max(axis=0).tolist(),
        "variances": dict(zip(KINDS, found_variances.tolist(), strict=True)),
        "noise": grids[1][found[-2]],
        "points": points[own].tolist(),
        "weights": [finite(float(f"{value:.8g}")) for value in weights],
        "levels": level[0],
        "level_of": level[1][own].tolist(),
        "domains": domain[0],
        "domain_of": domain[1][own].tolist(),
    }


def _features(rows: Sample) -> list[str]:
    """The design where class counts are known; else what was reported."""
    if all(row.case.distribution is not None for row in rows):
        return usable(rows, DESIGN_FEATURES)
    return features_of(rows)


def _logit(p: Floats) -> Floats:
    return logit(np.clip(p, LOWEST, HIGHEST))


def _codes(labels: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct labels, and each label's number."""
    names = sorted({label or "" for label in labels})
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[label or ""] for label in labels], dtype=np.int64)


def _squares(a: Floats, b: Floats) -> Floats:
    """(n, m) squared distances; summed in the order of the features, the same on every machine."""
    total = np.zeros((len(a), len(b)))
    for one, other in zip(a.T, b.T, strict=True):
        total += np.square(one[:, None] - other[None, :])
    return total


def _kernel(closeness: Floats, same_level: Floats, same_domain: Floats, variances: Sequence[float] | Floats) -> Floats:
    shared, level, domain, level_constant, domain_constant = variances
    smooth = shared + level * same_level + domain * same_domain
    return closeness * smooth + (level_constant * same_level + domain_constant * same_domain)


def _same(a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
    return (a[:, None] == b[None, :]).astype(np.float64)


def nearest(grid: Sequence[float], value: float) -> int:
    """The place of a positive number on a grid of positive ones.

    >>> nearest((0.0, 1.0, 4.0), 3.0)
    2
    """
    return min(range(len(grid)), key=lambda i: abs(np.log(grid[i] / value)) if grid[i] > 0 else np.inf)


def _search(
    points: Floats,
    level: NDArray[np.int64],
    domain: NDArray[np.int64],
    y: Floats,
    noise: Floats,
    grid: Sequence[float],
    noises: Sequence[float],
    place: list[int],
) -> list[int]:
    """Places on the grids of KINDS, noise and factor, each moved on from `place` while the likelihood gains."""
    from scipy.linalg import solve_triangular

    own = np.unique(np.linspace(0, len(y) - 1, min(len(y), SEARCHED)).astype(np.int64))
    y, noise = y[own], noise[own]
    squares = _squares(points[own], points[own])
    same_level, same_domain = _same(level[own], level[own]), _same(domain[own], domain[own])
    closeness: dict[int, Floats] = {}

    def loss(place: Sequence[int]) -> float:
        factor = place[-1]
        if factor not in closeness:
            closeness[factor] = np.exp(-0.5 * squares / FACTORS[factor] ** 2)
        variances = [grid[i] for i in place[: len(KINDS)]]
        covariance = _kernel(closeness[factor], same_level, same_domain, variances)
        covariance.flat[:: len(y) + 1] += noises[place[-2]] * noise
        lower = np.linalg.cholesky(covariance)
        white = solve_triangular(lower, y, lower=True, check_finite=False)
        prior = 0.5 * (np.log(FACTORS[factor]) / FACTOR_SD) ** 2
        return float(0.5 * (white**2).sum() + np.log(lower.diagonal()).sum() + prior)

    sizes = [*(len(grid) for _ in KINDS), len(noises), len(FACTORS)]
    best = loss(place)
    for _ in range(ROUNDS):
        before = list(place)
        for k, size in enumerate(sizes):
            for step in (1, -1):
                start = place[k]
                while 0 <= place[k] + step < size:
                    candidate = [*place[:k], place[k] + step, *place[k + 1 :]]
                    value = loss(candidate)
                    if value > best - GAIN:
                        break
                    place, best = candidate, value
                if place[k] != start:
                    break
        if place == before:
            break
    return place


def _weights(
    points: Floats, level: NDArray[np.int64], domain: NDArray[np.int64], y: Floats, noise: Floats, variances: Floats,
    own: NDArray[np.int64],
) -> Floats:  # fmt: skip
    """(m,) weights of the points `own`: of all, exactly; of some that stand for all, by the subset of regressors."""

    def between(a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
        near = np.exp(-0.5 * _squares(points[a], points[b]))
        return _kernel(near, _same(level[a], level[b]), _same(domain[a], domain[b]), variances)

    everything = np.arange(len(y))
    if len(own) == len(y):
        covariance = between(everything, everything)
        covariance.flat[:: len(y) + 1] += noise
        return np.asarray(np.linalg.solve(covariance, y))
    inner, outer = between(own, own), between(own, everything)
    inner.flat[:: len(own) + 1] += 1e-8 * max(float(variances.sum()), 1e-6)
    return np.asarray(np.linalg.solve(inner + (outer / noise) @ outer.T, (outer / noise) @ y))


@dataclass(frozen=True, eq=False)
class Process:
    """A Gaussian process, ready to be evaluated, and the regression that it corrects.

    center, scale, low, high : (p,) of the features, lengths included in the scale; the last one is the regression's
    points : (m, p) and weights : (m,) of its configurations; level_of, domain_of : (m,) numbers of levels and domains
    """

    base: ReadyModel
    features: tuple[str, ...]
    center: Floats
    scale: Floats
    low: Floats
    high: Floats
    points: Floats
    weights: Floats
    variances: tuple[float, ...]
    levels: Mapping[str, int]
    level_of: NDArray[np.int64]
    domains: Mapping[str, int]
    domain_of: NDArray[np.int64]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Process:
        """What `gaussian_process` made, as arrays."""
        center, scale, lengths, low, high, points, weights = (
            np.array(parameters[name], dtype=np.float64)
            for name in ("center", "scale", "lengths", "low", "high", "points", "weights")
        )
        return cls(
            ReadyModel(parameters["base"]), tuple(parameters["gp_features"]), center, scale * lengths, low, high,
            points.reshape(len(weights), len(center)), weights, tuple(parameters["variances"][kind] for kind in KINDS),
            {name: i for i, name in enumerate(parameters["levels"])}, np.array(parameters["level_of"], dtype=np.int64),
            {name: i for i, name in enumerate(parameters["domains"])},
            np.array(parameters["domain_of"], dtype=np.int64),
        )  # fmt: skip


@evaluator("gaussian_process", ready=Process.of)
def evaluate_gaussian_process(model: Process, cases: Sequence[Case], clip: bool) -> Floats:
    """The regression below, moved in logits by the mean of the process; nan where a case lacks a feature."""
    start = _logit(model.base.evaluate(cases, clip=clip))
    values = np.column_stack([feature_values(cases, model.features), start])
    if clip:
        values = np.clip(values, model.low, model.high)
    near = np.exp(-0.5 * _squares((values - model.center) / model.scale, model.points))
    level = np.array([model.levels.get(case.level or "", -1) if case.level else -1 for case in cases], dtype=np.int64)
    domain = np.array([model.domains.get(case.domain, -1) if case.domain else -1 for case in cases], dtype=np.int64)
    kernel = _kernel(near, _same(level, model.level_of), _same(domain, model.domain_of), model.variances)
    return expit(start + np.sum(kernel * model.weights, axis=1))
