"""A law of learning curves: how an error falls with the number of images, for tables that others report.

log e = m(x) + log(exp(c) + exp(b + d x - a t - sum_k g_k w_k log(1 + exp((t - t_k) / w_k)))),   t = log size

A power law with an asymptote, exp(c), whose exponent changes by g_k at each break t_k, over a width w_k: the broken
neural scaling law of Caballero et al. 2023, and without a break the power law of Hestness et al. 2017. The other
columns x shift the level by m(x), a line or a parabola in each, and what falls with size by d x besides. e is the
outcome itself for losses, the odds against for fractions, and whatever falls where more is better.

Least squares with weak priors; parabolas, and one break after the other, enter where the Bayesian information criterion
says that they pay. It knows no interaction of columns: the other families do, and it goes on where they end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from predictor.errors import FitError
from predictor.models.base import Floats, family, feature_matrix
from predictor.models.case import Case, base_of
from predictor.models.evaluate import evaluator, feature_values
from predictor.models.features import features_of
from predictor.models.links import expit, logit
from predictor.models.rows import Row, Sample
from predictor.statistics.ties import varies

SIZE = "n_samples"
FEWEST = 20  # configurations
MOST_BREAKS = 2
PLACES = (0.25, 0.5, 0.75)  # of the range of log sizes, where breaks are looked for
CHANGE, WIDTH = 0.1, 0.5  # with which a search begins, either way; of a break, in natural logarithms
SLOPE_SD, CHANGE_SD, WIDTH_SD = 1.0, 0.5, 1.0  # priors: of the exponent, its changes, the logarithm of a width
LEVEL_SD, APART_SD = 3.0, 1.0  # of m, and of d, in standard deviations of log e
FEW_STEPS, STEPS = 60, 200  # of a search from each start, and from the best of them
FAR = 1e6  # what is left where a step leads beyond what numbers hold
DIGITS = 8  # significant ones of stored parameters


@family("law", tables=True)
def law(rows: Sequence[Row]) -> dict[str, Any]:
    """Law of learning curves in the number of images, whose level the other columns shift."""
    rows = Sample.of(rows)
    _, first, index = rows.labelled("configuration, level")
    if len(first) < FEWEST:
        raise FitError(f"family law needs {FEWEST} configurations; found {len(first)}")
    size = rows.feature(f"log {SIZE}")
    if not (np.isfinite(size).all() and varies(size)):
        raise FitError(f"family law needs a column {SIZE}, above 0 in every run, that varies")
    names = [name for name in features_of(rows) if base_of(name) not in (SIZE, "passes")]
    measured, chance = np.bincount(index, weights=rows.values) / np.bincount(index), rows.chance[first]
    unit = rows[0].scale.logs
    values = feature_matrix(rows, [*names, f"log {SIZE}"])[first]
    center, scale = values.mean(axis=0), np.append(np.maximum(values.std(axis=0)[:-1], 1e-9), 1.0)
    z = (values - center) / scale
    levels, _, level = rows.labelled("level")
    levels = levels if len(levels) > 1 else []
    own = np.eye(len(levels))[level[first]] if levels else np.zeros((len(first), 0))
    found = _search(z[:, :-1], own, z[:, -1], -unit * logit((measured - chance) / (1 - chance)))
    plain = {key: [float(f"{value:.{DIGITS}g}") for value in part] for key, part in found.items()}
    p = len(names)
    return {
        "kind": "law",
        "features": [*names, f"log {SIZE}"],
        "unit": unit,
        "center": center.tolist(),
        "scale": scale.tolist(),
        "low": values.min(axis=0).tolist(),
        "high": values.max(axis=0).tolist(),
        "curve": plain["curve"],
        "breaks": [plain["breaks"][k : k + 3] for k in range(0, len(plain["breaks"]), 3)],
        "lines": plain["shift"][:p],
        "parabolas": plain["shift"][p + len(levels) :],
        "apart": plain["apart"][:p],
        "levels": dict(zip(levels, plain["shift"][p : p + len(levels)], strict=True)),
        "levels_apart": dict(zip(levels, plain["apart"][p:], strict=True)),
    }


def _parabolas(z: Floats) -> Floats:
    return np.square(z) - 1


def _search(z: Floats, own: Floats, t: Floats, u: Floats) -> dict[str, Floats]:
    """The parameters of the law that pays. z : (n, p) columns, own : (n, levels), t : (n,) log size, u : (n,) log e."""
    lines = np.column_stack([z, own])
    curve = _Curve(lines, lines, t, u)
    found, least = curve.fitted(curve.starts(), curve.noise)
    if z.shape[1]:
        bent = _Curve(np.column_stack([lines, _parabolas(z)]), lines, t, u)
        more, value = bent.fitted(bent.starts(), bent.noise)
        if value < least:
            curve, found, least = bent, more, value
    plain = found
    for k in range(1, MOST_BREAKS + 1):
        more, value = curve.fitted(curve.broken(plain, k), curve.misfit(found))
        if value >= least:
            break
        found, least = more, value
    return curve.parts(found)


@dataclass
class _Curve:
    """A least squares problem. shift : (n, p) and apart : (n, q) columns, t : (n,) log sizes, u : (n,) log errors."""

    shift: Floats
    apart: Floats
    t: Floats
    u: Floats

    def __post_init__(self) -> None:
        self.sd = max(float(self.u.std()), 1e-9)
        self.low, self.high = float(self.t.min()), float(self.t.max())
        line = np.column_stack([np.ones(len(self.u)), -self.t, self.shift])
        ridge = np.diag([1e-6, 1e-6, *[1e-3] * self.shift.shape[1]])
        self.line = np.linalg.solve(line.T @ line + ridge, line.T @ self.u)
        self.noise = max(float((self.u - line @ self.line).std()), 1e-3 * self.sd)

    def starts(self) -> list[Floats]:
        """A straight line with an asymptote far below, and one just below the lowest error."""
        low, rest = float(self.u.min()), [*self.line, *[0.0] * self.apart.shape[1]]
        return [np.array([low - off * self.sd, *rest]) for off in (2.0, 0.3)]

    def broken(self, plain: Floats, k: int) -> list[Floats]:
        """A law without a break, with k of them in every order of places and signs."""
        span = self.high - self.low
        ways = product(combinations(PLACES, k), product((-CHANGE, CHANGE), repeat=k))
        return [
            np.append(plain, [(g, self.low + at * span, np.log(WIDTH)) for at, g in zip(*way, strict=True)])
            for way in ways
        ]

    def fitted(self, starts: Iterable[Floats], noise: float) -> tuple[Floats, float]:
        """The best parameters that the starts lead to, and their information criterion: less is better.

        noise : that priors are weighed against until the law's own is known
        """
        found = min((self._moved(start, noise, FEW_STEPS) for start in starts), key=self.misfit)
        found = self._moved(found, self.misfit(found), STEPS)
        n = len(self.u)
        return found, 2 * n * float(np.log(self.misfit(found))) + len(found) * float(np.log(n))

    def parts(self, theta: Floats) -> dict[str, Floats]:
        """{curve: (3,) asymptote, start, exponent; shift: (p,); apart: (q,); breaks: (3 k,)}"""
        p, q = self.shift.shape[1], self.apart.shape[1]
        cut = np.split(theta, [3, 3 + p, 3 + p + q])
        return dict(zip(("curve", "shift", "apart", "breaks"), cut, strict=True))

    def misfit(self, theta: Floats) -> float:
        """Standard deviation of what the law leaves."""
        return max(float(np.sqrt(np.mean(np.square(self._at(theta) - self.u)))), 1e-4 * self.sd)

    def _moved(self, start: Floats, noise: float, steps: int) -> Floats:
        from scipy.optimize import least_squares

        with np.errstate(all="ignore"):  # a step may lead beyond what numbers hold; it is not taken
            found = least_squares(self._left, start, jac=self._slopes, method="lm", max_nfev=steps, args=(noise,))
        return np.asarray(found.x)

    def _at(self, theta: Floats) -> Floats:
        own = self.parts(theta)
        logs = _logs(own["curve"], own["breaks"].reshape(-1, 3), self.apart @ own["apart"], self.t)
        return self.shift @ own["shift"] + logs

    def _prior(self, theta: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of every parameter."""
        p, q = self.shift.shape[1], self.apart.shape[1]
        k = (len(theta) - 3 - p - q) // 3
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        mean = [self.u.min() - self.sd, self.u.mean(), 0.0, *[0.0] * (p + q), *[0.0, middle, np.log(WIDTH)] * k]
        sd = [3 * self.sd, 10 * self.sd, SLOPE_SD, *[LEVEL_SD * self.sd] * p, *[APART_SD * self.sd] * q,
              *[CHANGE_SD, half, WIDTH_SD] * k]  # fmt: skip
        return np.array(mean), np.array(sd)

    def _left(self, theta: Floats, noise: float) -> Floats:
        mean, sd = self._prior(theta)
        left = np.concatenate([(self._at(theta) - self.u) / noise, (theta - mean) / sd])
        return np.nan_to_num(left, nan=FAR, posinf=FAR, neginf=-FAR)

    def _slopes(self, theta: Floats, noise: float) -> Floats:
        own = self.parts(theta)
        breaks = own["breaks"].reshape(-1, 3)
        falls = _falls(own["curve"], breaks, self.apart @ own["apart"], self.t)
        share = expit(falls - own["curve"][0])[:, None]  # of the error that falls with size
        columns = [1 - share, share, -share * self.t[:, None], self.shift, share * self.apart]
        for change, place, log_width in breaks:
            width = np.exp(log_width)
            z = (self.t - place) / width
            soft, inside = np.logaddexp(0, z), expit(z)
            by = [-width * soft, change * inside, -change * width * (soft - z * inside)]
            columns.append(share * np.column_stack(by))
        return np.nan_to_num(np.vstack([np.column_stack(columns) / noise, np.diag(1 / self._prior(theta)[1])]))


def _falls(curve: Floats, breaks: Floats, apart: Floats, t: Floats) -> Floats:
    """(n,) logarithm of what falls with size."""
    found = curve[1] + apart - curve[2] * t
    for change, place, log_width in breaks:
        width = np.exp(log_width)
        found = found - change * width * np.logaddexp(0, (t - place) / width)
    return np.asarray(found)


def _logs(curve: Floats, breaks: Floats, apart: Floats, t: Floats) -> Floats:
    """(n,) log error at the level of the mean columns."""
    with np.errstate(invalid="ignore"):  # nan where a feature is missing
        return np.logaddexp(curve[0], _falls(curve, breaks, apart, t))


@dataclass(frozen=True, eq=False)
class Law:
    """A law as arrays; the last of the features is the size. levels : {level: (its shift, what falls besides)}"""

    features: tuple[str, ...]
    unit: float
    center: Floats
    scale: Floats
    low: Floats
    high: Floats
    curve: Floats
    breaks: Floats
    lines: Floats
    parabolas: Floats
    apart: Floats
    levels: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Law:
        """What `law` made, as arrays."""
        names = ("center", "scale", "low", "high", "curve", "breaks", "lines", "parabolas", "apart")
        own = {name: np.array(parameters[name], dtype=np.float64) for name in names}
        besides = parameters["levels_apart"]
        own["breaks"] = own["breaks"].reshape(-1, 3)
        return cls(
            features=tuple(parameters["features"]), unit=float(parameters["unit"]), **own,
            levels={name: (shift, besides[name]) for name, shift in parameters["levels"].items()},
        )  # fmt: skip


@evaluator("law", ready=Law.of)
def evaluate_law(model: Law, cases: Sequence[Case], clip: bool) -> Floats:
    """The share whose error the law gives; nan where a case lacks a feature."""
    values = feature_values(cases, model.features)
    if clip:
        values = np.clip(values, model.low, model.high)
    standard = (values - model.center) / model.scale
    x, t = standard[:, :-1], standard[:, -1]
    level, besides = np.array([model.levels.get(case.level or "", (0.0, 0.0)) for case in cases]).reshape(-1, 2).T
    shift = np.sum(x * model.lines, axis=1) + level
    if len(model.parabolas):
        shift = shift + np.sum(_parabolas(x) * model.parabolas, axis=1)
    logs = shift + _logs(model.curve, model.breaks, np.sum(x * model.apart, axis=1) + besides, t)
    chance = np.array([case.chance for case in cases])
    return np.asarray(chance + (1 - chance) * expit(-logs / model.unit))
