"""Residuals of held-out configurations, and the intervals that they calibrate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.fitting.configurations import Configurations, Indices
from predictor.models.base import Family, Floats
from predictor.models.links import logit, measured_within
from predictor.statistics.conformal import Residuals, grouped_quantile, outside
from predictor.statistics.error_scale import NOTHING, ErrorScale, Signs

LEVELS = (0.8, 0.9, 0.95)
UNKNOWN_SD = 1.5  # logits between target sets, where one target set cannot tell: from 20 % to 80 % in +- 1 sd
DIGITS = 6  # decimals of what fit.json keeps of each configuration
ENOUGH = 30  # representative configurations from which they alone calibrate
PULL, MOST_INFLATION = 100, 1.5


@dataclass(frozen=True, eq=False)
class NewDraws:
    """What a family said of held-out configurations on data seeds that its fit did not use.

    held : (m,) configurations; predicted, residuals, measured : (m,) of the runs with those seeds
    seeds : (m,) how many runs; fold : (m,) the fold that held them out
    """

    held: Indices
    predicted: Floats
    residuals: Floats
    measured: Floats
    seeds: Indices
    fold: Indices


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A family fitted to all rows, and to the rows without each fold.

    of_all : (n,) the configurations, by their number among all
    predicted : (n,) accuracy of each configuration, predicted by the fit without it
    residuals : (n,) measured - predicted, in logits
    groups, domains, fold : (n,) target set and domain of each configuration, and the fold that held it out
    doubt, haste : (n,) see `predictor.statistics.error_scale`; doubt is 0 of a baseline
    representative : (n,) of a study whose configurations were drawn as a user's would be
    run_sd : (n,) standard deviation of one run of the configuration, in logits; nan where it has one
    aside : (n,) how far one run of the configuration is from their mean, in logits
    """

    family: Family
    parameters: dict[str, Any]
    of_all: Indices
    predicted: Floats
    residuals: Floats
    groups: NDArray[Any]
    domains: NDArray[Any]
    fold: Indices
    measured: Floats
    seeds: Indices
    doubt: Floats
    haste: Floats
    representative: NDArray[np.bool_]
    run_sd: Floats
    aside: Floats
    fold_parameters: tuple[dict[str, Any], ...] = ()  # of the fits without each fold
    new_draws: NewDraws | None = None
    weights: Mapping[str, float] = field(default_factory=dict)  # of an average: {model: weight}

    @classmethod
    def of(
        cls,
        family: Family,
        parameters: dict[str, Any],
        configs: Configurations,
        predicted: Floats,
        fold: Indices,
        fold_parameters: tuple[dict[str, Any], ...],
        new_draws: NewDraws | None,
    ) -> Calibrated:
        """Those configurations that some fold held out; predicted : (all,) nan of the others."""
        keep = np.flatnonzero(np.isfinite(predicted))
        slope = np.maximum(configs.measured * (1 - configs.measured), 0.005)
        share_sd = np.sqrt(configs.sd2) if configs.scale.is_share else np.full(len(predicted), np.nan)
        residuals = configs.logits - logit(predicted)
        return cls(
            family, parameters, keep, predicted[keep], residuals[keep], configs.target_sets[keep],
            configs.domains[keep], fold[keep], configs.measured[keep], configs.seeds[keep], np.zeros(len(keep)),
            configs.haste[keep], configs.representative[keep], (share_sd / slope)[keep],
            (configs.single - configs.logits)[keep], fold_parameters, new_draws,
        )  # fmt: skip

    def part(self, chosen: NDArray[np.bool_] | Indices) -> Calibrated:
        """Some of the configurations, as if there were no others; what it learnt from them all stays."""
        names = ("of_all", "predicted", "residuals", "groups", "domains", "fold", "measured", "seeds", "doubt", "haste")
        own = {name: getattr(self, name)[chosen] for name in (*names, "representative", "run_sd", "aside")}
        return replace(self, **own)

    @property
    def single(self) -> Floats:
        """(n,) residuals of one run of each configuration, in logits: as a pilot shows, or the run that is planned."""
        return self.residuals + self.aside

    @property
    def batches(self) -> list[str]:
        """What was held out together: configurations of one target set and fold share what is wrong with its fit."""
        return [f"{group} {fold}" for group, fold in zip(self.groups, self.fold, strict=True)]

    @property
    def signs(self) -> Signs:
        """What tells how large each error was likely to be."""
        return Signs(self.doubt, self.haste, self.domains)

    @cached_property
    def calibrates(self) -> NDArray[np.bool_]:
        """(n,) those whose errors make intervals: representative ones, where they are enough, else all."""
        enough = int(self.representative.sum()) >= ENOUGH
        return self.representative if enough else np.ones(len(self.predicted), dtype=bool)

    @cached_property
    def scale(self) -> ErrorScale:
        """How errors grow, of those that calibrate."""
        own = self.calibrates
        return ErrorScale.fitted(self.residuals[own], self.predicted[own], self.signs.part(own))

    @cached_property
    def inflation(self) -> float:
        """By how much errors on new draws of the images are larger: what a model remembers of a draw helps it here.

        Squares of the errors, over their scale: those on new draws hold more noise of single runs, which is taken off.
        """
        new = self.new_draws
        if new is None:
            return 1.0
        position = {number: i for i, number in enumerate(self.of_all.tolist())}
        known = np.array([number in position for number in new.held.tolist()], dtype=bool)
        at = np.array([position[number] for number in new.held[known].tolist()], dtype=np.int64)
        use = self.calibrates[at] & np.isfinite(self.run_sd[at])
        at = at[use]
        if len(at) < ENOUGH:
            return 1.0
        signs = self.signs.part(np.arange(len(self.predicted)))
        size = self.scale(self.predicted, signs)[at]
        extra = 1 / new.seeds[known][use] - 1 / self.seeds[at]
        here = np.mean(np.square(self.residuals[at] / size))
        there = np.mean(np.square(new.residuals[known][use] / size) - extra * np.square(self.run_sd[at] / size))
        if not here > 0:
            return 1.0
        excess = max(there / here - 1, 0.0) * len(at) / (len(at) + PULL)  # few pairs of errors cannot tell much
        return float(min(np.sqrt(1 + excess), MOST_INFLATION))

    @property
    def errors(self) -> Residuals:
        """The residuals as intervals are made of them."""
        return Residuals(
            residuals=self.residuals, predicted=self.predicted, groups=np.array(self.batches), signs=self.signs,
            scale=self.scale, calibrates=self.calibrates, inflation=self.inflation,
        )  # fmt: skip

    def stored(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "residuals": np.round(self.residuals, DIGITS).tolist(),
            "predicted": np.round(self.predicted, DIGITS).tolist(),
            "doubt": np.round(self.doubt, DIGITS).tolist(),
            "haste": np.round(self.haste, DIGITS).tolist(),
            "domains": self.domains.tolist(),
            "calibrates": None if self.calibrates.all() else self.calibrates.tolist(),
            "scale": self.scale.plain(),
            "inflation": self.inflation,
        }

    def score(self, *, without_level: bool) -> float:
        """Mean squared error to choose a family by: of accuracies, or of logits with every group's level removed."""
        if not without_level:
            return float(np.mean((self.measured - self.predicted) ** 2))
        parts = [self.residuals[self.groups == name] for name in np.unique(self.groups)]
        return float(np.mean(np.concatenate([part - part.mean() for part in parts]) ** 2))

    def around(
        self,
        predicted: Floats,
        level: float,
        kind: str,
        signs: Signs = NOTHING,
        tested: Floats | float = np.inf,
        growing: Calibrated | None = None,
    ) -> tuple[Floats, Floats] | None:
        """(low, high) around the predicted accuracies of new configurations; None where the evidence is too little.

        kind : of question: configuration | extrapolation | target_set | domain (whose errors are those of its level)
        signs : (n,) of them
        tested : (n,) test images that they will be measured on
        growing : the same family on the largest runs from smaller ones, for an extrapolation
        """
        half: Floats | float | None
        if kind in ("target_set", "domain"):
            groups = self.groups if kind == "target_set" else self.domains
            half = grouped_quantile(self.residuals, groups.tolist(), level)
        else:
            half = self.errors.half_width(predicted, level, signs=signs)
        if kind == "extrapolation":
            half = outside(half, None if growing is None else growing.errors, predicted, level, signs)
        return None if half is None else measured_within(predicted, half, tested)


def models_of(fits: Mapping[str, Calibrated]) -> list[str]:
    """Names of the models whose disagreement is the `doubt`: all but baselines and averages."""
    return [name for name, item in fits.items() if not (item.family.baseline or item.family.averages)]


def spread(
    by_target_set: Calibrated | None, by_domain: Calibrated | None, within: Calibrated, n_domains_left_out: int
) -> dict[str, Any]:
    """Standard deviation and degrees of freedom of a new target set's and a new domain's level, in logits.

    Between-target-set variance: mean square of the mean residuals of left-out target sets (about 0: an unbiased model
    has no other centre). A domain's adds what left-out domains miss beyond that. Degrees of freedom: Satterthwaite.
    """
    noise = float(np.mean(within.residuals**2))
    if by_target_set is None:
        reason = (
            f"one target set cannot tell how target sets differ; a standard deviation of {UNKNOWN_SD} logits is assumed"
        )
        sd = float(np.sqrt(UNKNOWN_SD**2 + noise))
        return {basis: {"sd": sd, "df": 4.0, "reason": reason} for basis in ("new_target_set", "new_domain")}
    means, noise = _level_errors(by_target_set)
    n = len(means)
    between = float(np.mean(means**2))
    few = f"{n} target sets" + (", a 90 % interval needs 9" if n < 9 else "")
    new_target_set = {"sd": float(np.sqrt(between + noise)), "df": float(n), "reason": few}
    if by_domain is None:
        n_domains, extra = 1, between
        reason = f"one domain ({few}); domains are assumed to differ as much as target sets do"
    else:
        n_domains = n_domains_left_out
        extra = max(0.0, float(np.mean(_level_errors(by_domain)[0] ** 2)) - between)
        reason = f"{n_domains} domains cannot calibrate another one ({few})"
    df = (extra + between) ** 2 / (extra**2 / n_domains + between**2 / n) if between > 0 else float(n)
    sd = float(np.sqrt(between + extra + noise))
    return {"new_target_set": new_target_set, "new_domain": {"sd": sd, "df": float(df), "reason": reason}}


def _level_errors(calibrated: Calibrated) -> tuple[Floats, float]:
    """Mean residual of every left-out target set, and the variance that is left inside them."""
    parts = [calibrated.residuals[calibrated.groups == name] for name in np.unique(calibrated.groups)]
    means = np.array([part.mean() for part in parts])
    inside = np.concatenate([part - part.mean() for part in parts])
    return means, float(np.mean(inside**2))
