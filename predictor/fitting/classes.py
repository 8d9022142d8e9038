"""How far classes lie from what is predicted for them: what fit.json holds of them, and what it covers held out.

A class of a known target set deviates from the class-wise curve by u_c ~ N(0, tau^2), the same in all runs, partly
pooled (empirical Bayes: the best linear unbiased prediction, Robinson 1991, with tau by expectation-maximisation). What
is left, apart from the error of the whole configuration, has variance sd^2 error_scale^2 plus the binomial noise of
the class's test images. Quantiles are those of classes of held-out configurations, every configuration weighing the
same; for a new target set those of its classes, each weighing the same, with u_c unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.fitting.calibration import LEVELS, Calibrated, spread
from predictor.fitting.configurations import Configurations
from predictor.models.base import Floats
from predictor.models.classwise import class_logits
from predictor.models.evaluate import ReadyModel
from predictor.models.links import counted_logit, expit
from predictor.models.rows import Row, Sample
from predictor.prediction.classes import FAMILY, class_scale, common_shift
from predictor.statistics.conformal import error_scale, grouped_quantile, t_quantile
from predictor.statistics.ties import first_least

GRID = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
ROUNDS, MOST_STEP = 3, 2.0  # of scoring, and the logits that one observation may pull a class
START_SD, START_TAIL = 0.3, 0.5
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Classes:
    """Every class of every configuration, averaged over the seeds that gave it the same number of images.

    config, klass : (P,) configuration and class (of one level: target set and recipe) of each point
    keys : (level, class) of each class
    tested, share : (P,) test images of the class, and the share of them that was right
    counts : (P,) training images of the class
    point : of every class of every row, in the order of `class_logits`, the point it belongs to
    """

    config: Indices
    klass: Indices
    keys: list[tuple[str, str]]
    tested: Floats
    share: Floats
    counts: Floats
    point: Indices

    @property
    def possible(self) -> NDArray[np.bool_]:
        """(P,) classes that have images."""
        return self.counts > 0

    def mean(self, values: Floats) -> Floats:
        """(P,) mean over the seeds of each point."""
        return np.bincount(self.point, weights=values, minlength=len(self.config)) / np.bincount(self.point)

    def logits(self, curve: ReadyModel, rows: Sequence[Row]) -> Floats:
        """(P,) what the class-wise curve says of each point."""
        cases, index = Sample.of(rows).cases()
        eta, _ = class_logits(curve.ready, cases)
        parts = np.split(eta, np.cumsum([len(case.tested_counts) for case in cases])[:-1])
        return self.mean(np.concatenate([parts[i] for i in index.tolist()]))


def classes_of(rows: Sequence[Row], configs: Configurations) -> Classes | None:
    """The classes of all rows; None where some row lacks its counts or its results per class."""
    sizes = [len(row.tested) for row in rows]
    if any(not size or size != len(row.case.tested_counts) for size, row in zip(sizes, rows, strict=True)):
        return None
    keys: dict[tuple[str, str], int] = {}
    klass = []
    for row in rows:
        tested, names = row.case.tested, row.case.distribution.target_names  # type: ignore[union-attr]
        for name in names:
            if tested is None or name in tested:
                klass.append(keys.setdefault((row.case.level or "", name), len(keys)))
    config = np.repeat(configs.index, sizes)
    counts = np.concatenate([row.case.tested_counts for row in rows])
    pairs = np.column_stack([config * len(keys) + np.array(klass), counts])
    found, point = np.unique(pairs, axis=0, return_inverse=True)
    point = point.reshape(-1)
    n = np.bincount(point)
    tested, correct = (np.concatenate([getattr(row, name) for row in rows]) for name in ("tested", "correct"))
    return Classes(
        config=found[:, 0] // len(keys),
        klass=found[:, 0] % len(keys),
        keys=list(keys),
        tested=np.bincount(point, weights=tested) / n,
        share=np.bincount(point, weights=correct / tested) / n,
        counts=found[:, 1].astype(np.float64),
        point=point,
    )


@dataclass(frozen=True, eq=False)
class Deviations:
    """(K,) what each class deviates by and its standard deviation, and tau, their spread; an unknown one 0 and tau."""

    mean: Floats
    sd: Floats
    tau: float


def deviations(
    data: Classes, eta: Floats, measured: Floats, use: NDArray[np.bool_], tau: float | None = None
) -> Deviations:
    """What classes deviate by, from the points in `use`, with the level of every configuration taken out.

    eta : (P,) logits of the class-wise curve
    measured : (n,) accuracy of each configuration
    tau : spread between classes, where it is known; None: from the points
    """
    own, config, klass = use & data.possible, data.config, data.klass
    n = len(data.keys)
    mean, tau2 = np.zeros(n), (tau or 0.3) ** 2
    tested, share = data.tested[own], data.share[own]
    information = np.zeros(n)
    for _ in range(ROUNDS):
        here = eta + mean[klass]
        p = expit(here + common_shift(here, config, data.possible, measured)[config])[own]
        slope = np.maximum(p * (1 - p), 1e-3)
        noise = (START_SD * error_scale(p, START_TAIL)) ** 2 + 1 / (tested * slope)
        working = mean[klass[own]] + np.clip((share - p) / slope, -MOST_STEP, MOST_STEP)
        information = np.bincount(klass[own], weights=1 / noise, minlength=n)
        moment = np.bincount(klass[own], weights=working / noise, minlength=n)
        seen = information > 0
        for _ in range(50):
            variance = 1 / (information + 1 / tau2)
            mean = variance * moment
            if tau is None:
                tau2 = max(float(np.mean((mean**2 + variance)[seen])), 1e-4)
    return Deviations(mean, np.sqrt(1 / (information + 1 / tau2)), float(np.sqrt(tau2)))


@dataclass(frozen=True, eq=False)
class Held:
    """Classes as predicted without their configuration (or target set).

    eta : (P,) logits, in agreement with the predicted accuracy of the whole; nan where nothing held the point out
    inside : (P,) the same, in agreement with the measured accuracy
    own_sd : (P,) what is unknown of each class
    fold : (P,) what was held out together
    """

    eta: Floats
    inside: Floats
    own_sd: Floats
    fold: Indices

    @property
    def known(self) -> NDArray[np.bool_]:
        """(P,) points that were held out."""
        return np.isfinite(self.eta)


def held_out(
    data: Classes, rows: Sequence[Row], configs: Configurations, curve: Calibrated, whole: Calibrated, *, new: bool
) -> Held:
    """Predict the classes of every fold from the fits without it.

    curve : the class-wise family, with the parameters of its folds
    whole : the chosen family, held out by the same folds
    new : the fold's classes are those of a new target set: no deviation of theirs is known
    """
    eta, inside, own_sd = (np.full(len(data.config), np.nan) for _ in range(3))
    for k, parameters in enumerate(curve.fold_parameters):
        held = whole.fold[data.config] == k
        if not held.any():
            continue
        raw = data.logits(ReadyModel(parameters), rows)
        learnt = deviations(data, raw, configs.measured, ~held)
        here = raw if new else raw + learnt.mean[data.klass]
        for target, values in ((eta, whole.predicted), (inside, configs.measured)):
            shift = common_shift(here, data.config, data.possible, values)
            target[held] = (here + shift[data.config])[held]
        own_sd[held] = learnt.tau if new else learnt.sd[data.klass][held]
    keep = data.possible
    return Held(np.where(keep, eta, np.nan), inside, own_sd, whole.fold[data.config])


def fitted_scale(data: Classes, held: Held, use: NDArray[np.bool_]) -> tuple[float, float]:
    """(sd, tail) of `class_scale` under which normal errors of the points in `use` are most likely, on a grid."""
    use = use & held.known
    error = (counted_logit(data.share, data.tested) - held.inside)[use]
    p, tested, own_sd = expit(held.inside[use]), data.tested[use], held.own_sd[use]
    shapes = list(product(np.geomspace(0.02, 1.5, 16).tolist(), (0.0, 0.25, 0.5, 0.75, 1.0)))
    scales = (class_scale(p, tested, own_sd, sd, tail) for sd, tail in shapes)
    deviances = [np.mean(np.log(scale) + 0.5 * np.minimum((error / scale) ** 2, 9.0)) for scale in scales]
    return shapes[int(first_least(deviances))]


def quantile(
    data: Classes, held: Held, scale: Floats, use: NDArray[np.bool_], groups: Indices, half: Floats | None, level: float
) -> float | None:
    """q of the interval half^2 = half_outcome^2 + (q scale)^2 that covers a class of a new group with `level`.

    half : (P,) half-width of the outcome's interval; None: q of what a class is off by beyond its configuration
    """
    use = use & held.known
    error = counted_logit(data.share, data.tested) - (held.inside if half is None else held.eta)
    excess = error**2 if half is None else np.maximum(error**2 - half**2, 0.0)
    return grouped_quantile(np.sqrt(excess[use]) / scale[use], groups[use], level)  # type: ignore[arg-type]


def block(
    data: Classes, held: Held, configs: Configurations, whole: Calibrated, *, new: bool
) -> tuple[dict[str, Any], float, float]:
    """({levels, quantiles, covered, ...} of one kind of question, sd, tail); coverage is that of every fold's points.

    In every fold quantiles, scale and the outcome's interval come from the other folds.
    """
    everything = held.known

    def made(use: NDArray[np.bool_], levels: Sequence[float]) -> tuple[tuple[float, float], Floats, dict[float, Any]]:
        sd, tail = fitted_scale(data, held, use)
        scale = class_scale(expit(held.eta), data.tested, held.own_sd, sd, tail)
        inner = class_scale(expit(held.inside), data.tested, held.own_sd, sd, tail)
        found = {}
        for level in levels:
            own = outcome_half(whole, configs, data, use, level, new=new)
            if new:
                q = quantile(data, held, inner, use, data.klass, None, level)
            else:
                q = None if own is None else quantile(data, held, scale, use, data.config, own, level)
            found[level] = (q, own)
        return (sd, tail), scale, found

    (sd, tail), _, all_levels = made(everything, GRID)
    low, high = ({level: np.full(len(data.config), np.nan) for level in LEVELS} for _ in range(2))
    for k in np.unique(held.fold):
        test = (held.fold == k) & everything
        _, scale, found = made(everything & ~test, LEVELS)
        for level, (q, own) in found.items():
            if q is not None and own is not None:
                half = np.hypot(own, q * scale)[test]
                low[level][test], high[level][test] = held.eta[test] - half, held.eta[test] + half
    return (
        {
            "levels": list(GRID),
            "quantiles": [all_levels[level][0] for level in GRID],
            **_measured(data, held, low, high, configs, new=new),
        },
        sd,
        tail,
    )


def outcome_half(
    whole: Calibrated, configs: Configurations, data: Classes, use: NDArray[np.bool_], level: float, *, new: bool
) -> Floats | None:
    """(P,) half-width in logits of the interval of each point's configuration, from the configurations in `use`."""
    chosen = np.zeros(len(configs.ids), dtype=bool)
    chosen[data.config[use]] = True
    own = whole.part(chosen)
    if not new:
        half = own.errors.half_width(whole.predicted, level, signs=whole.signs)
        return None if half is None else half[data.config]
    found = grouped_quantile(own.residuals, own.groups.tolist(), level)
    if found is None:
        if len(np.unique(own.groups)) < 2:
            return None
        between = spread(own, None, own, 1)["new_target_set"]
        found = t_quantile(0.5 + level / 2, between["df"]) * between["sd"]
    return np.full(len(data.config), found)


def _measured(
    data: Classes, held: Held, low: Mapping[float, Floats], high: Mapping[float, Floats], configs: Configurations,
    *, new: bool,
) -> dict[str, Any]:  # fmt: skip
    """What the held-out intervals covered, and how far the classes were off."""
    use = held.known
    truth = counted_logit(data.share, data.tested)[use]
    clusters = configs.target_sets[data.config[use]] if new else data.config[use]
    result: dict[str, Any] = {"covered": {}, "coverage": {}, "coverage_low": {}, "coverage_high": {}, "width": {}}
    for level in LEVELS:
        below, above = low[level][use], high[level][use]
        if not np.isfinite(below).all():
            continue
        inside = (below <= truth) & (truth <= above)
        bounds = clustered_interval(inside, clusters)
        for key, value in (
            ("covered", [int(inside.sum()), len(inside)]),
            ("coverage", float(inside.mean())),
            ("coverage_low", bounds[0]),
            ("coverage_high", bounds[1]),
            ("width", float(np.mean(expit(above) - expit(below)))),
        ):
            result[key][f"{level:g}"] = value
    error = np.abs(data.share[use] - expit(held.eta[use]))
    total = np.bincount(data.config[use], weights=expit(held.eta[use]), minlength=len(configs.ids))
    whole = (total / np.maximum(np.bincount(data.config[use], minlength=len(configs.ids)), 1))[data.config[use]]
    return {
        **result,
        "mae": float(error.mean()),
        "mae_of_mean": float(np.abs(data.share[use] - whole).mean()),
        "n_classes": int(use.sum()),
        "n_configurations": len(np.unique(data.config[use])),
        "n_target_sets": len(np.unique(configs.target_sets[data.config[use]])),
    }


def clustered_interval(inside: NDArray[np.bool_], clusters: NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share, for as many trials as the clusters are worth (Korn & Graubard 1998).

    Classes of one configuration miss together: n trials are worth p (1 - p) / variance of the mean over clusters.

    >>> low, high = clustered_interval(np.array([True] * 90 + [False] * 10), np.arange(100))
    >>> round(low, 2), round(high, 2)
    (0.82, 0.95)
    """
    from scipy import stats

    n, share = len(inside), float(inside.mean())
    _, index = np.unique(clusters, return_inverse=True)
    groups = int(index.max()) + 1
    worth = float(groups)
    if 0 < share < 1 and groups > 1:
        total = np.bincount(index, weights=inside - share)
        variance = groups / (groups - 1) * float(np.sum(total**2)) / n**2
        worth = min(share * (1 - share) / variance, n) if variance > 0 else n
        worth *= (stats.norm.ppf(0.5 + level / 2) / stats.t.ppf(0.5 + level / 2, groups - 1)) ** 2
    hits = share * worth
    low = 0.0 if hits <= 0 else float(stats.beta.ppf((1 - level) / 2, hits, worth - hits + 1))
    high = 1.0 if hits >= worth else float(stats.beta.ppf((1 + level) / 2, hits + 1, worth - hits))
    return low, high


def per_class(
    rows: Sequence[Row],
    configs: Configurations,
    within: Mapping[str, Calibrated],
    chosen: str,
    across: Mapping[str, Calibrated],
    chosen_new: str,
) -> dict[str, Any]:
    """What fit.json holds of the classes of one outcome; {"reason"} where nothing can be said of them.

    within, across : every family, held out by configuration and by target set
    chosen, chosen_new : the family that predicts the whole in each of them
    """
    if FAMILY not in within:
        return {"reason": f"classes are predicted by family {FAMILY}, which did not compete or could not be fitted"}
    data = classes_of(rows, configs)
    if data is None:
        return {"reason": "some runs lack class counts or results per class"}
    held = held_out(data, rows, configs, within[FAMILY], within[chosen], new=False)
    own, sd, tail = block(data, held, configs, within[chosen], new=False)
    everything = np.ones(len(data.config), dtype=bool)
    learnt = deviations(data, data.logits(ReadyModel(within[FAMILY].parameters), rows), configs.measured, everything)
    tested = np.bincount(data.klass, weights=data.tested) / np.bincount(data.klass)
    classes: dict[str, dict[str, list[float]]] = {}
    for (level, name), *values in zip(data.keys, learnt.mean, learnt.sd, tested, strict=True):
        classes.setdefault(level, {})[name] = [float(value) for value in values]
    left_out = None
    if FAMILY in across and chosen_new in across:
        new = held_out(data, rows, configs, across[FAMILY], across[chosen_new], new=True)
        left_out, _, _ = block(data, new, configs, across[chosen_new], new=True)
    return {
        "classes": classes,
        "class_sd": learnt.tau,
        "tested": float(np.median(data.tested)),
        "sd": sd,
        "tail": tail,
        "configuration": own,
        "target_set": left_out,
    }
