"""What a fit holds of one outcome: its models, the errors of held-out runs, and the values and intervals they give.

Numpy alone; every number is an array from the start, so that many manifests are asked at the cost of one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.case import Case, Floats
from predictor.models.evaluate import ReadyModel
from predictor.models.links import disagreement
from predictor.models.nearest import Neighbours
from predictor.models.scales import Scale
from predictor.statistics.conformal import Residuals
from predictor.statistics.error_scale import Signs, haste

STAND_INS = ("classwise", "linear", "log_n_log_h", "log_n", "mean")  # where the chosen family cannot be evaluated
UNKNOWN_TESTED = 1000  # test images of a fit that does not state them
BASELINES = ("log_n_log_h", "nearest")  # shown beside every prediction
Covered = tuple[int, int]


@dataclass(frozen=True)
class Level:
    """What fixes the level of an accuracy: a target set, and network and resolution in words."""

    target_set: str
    recipe: str


@dataclass(frozen=True)
class Spread:
    """How far levels lie apart, in logits: standard deviation, its degrees of freedom, and on what it rests."""

    sd: float
    df: float
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOut(Residuals):
    """What one kind of held-out runs showed: the family chosen for it, its errors, and what its intervals covered.

    covered : {level as text: (covered, n)}
    covered_on : studies whose configurations that was counted on; (): of all
    fold, configurations, measured : (n,) the fold that held each configuration out, its id, and its value
    spread : {basis: how far levels of new target sets or domains lie apart}
    single : (n,) residuals of one run of each; those of the configurations where a fit does not hold them
    sets : (n,) target sets, where the groups are domains
    """

    family: str
    covered: Mapping[str, Covered]
    fold: NDArray[np.int64]
    configurations: tuple[str, ...]
    measured: Floats
    spread: Mapping[str, Spread]
    covered_on: tuple[str, ...] = ()
    single: Floats = field(default_factory=lambda: np.empty(0))
    sets: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> HeldOut:
        """What fit.json holds of a split."""
        return cls(
            **cls.numbers(stored),
            family=stored["family"],
            covered={level: _pair(pair) for level, pair in stored["covered"].items()},
            fold=np.array(stored.get("fold", ()), dtype=np.int64),
            configurations=tuple(stored.get("configurations", ())),
            measured=np.array(stored.get("measured", ()), dtype=np.float64),
            spread={basis: Spread(**entry) for basis, entry in stored.get("spread", {}).items()},
            covered_on=tuple(stored.get("covered_on", ())),
            single=np.array(stored.get("single") or stored["residuals"], dtype=np.float64),
            sets=np.array(stored.get("sets") or stored.get("groups", ()), dtype=str),
        )

    def covered_at(self, level: float) -> Covered | None:
        """(covered, n) of intervals at this level, where that was measured."""
        return self.covered.get(f"{level:g}")


@dataclass(frozen=True)
class KnownClass:
    """A class of a known target set: what it deviates by from the curve in logits, the error of that, test images."""

    deviation: float
    sd: float
    tested: float


@dataclass(frozen=True, eq=False)
class ClassErrors:
    """What classes of held-out runs were off by: quantiles at rising levels, and what their intervals covered."""

    levels: tuple[float, ...]
    quantiles: tuple[float | None, ...]
    covered: Mapping[str, Covered]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> ClassErrors:
        """What fit.json holds of a split."""
        covered = {level: _pair(pair) for level, pair in stored["covered"].items()}
        return cls(tuple(stored["levels"]), tuple(stored["quantiles"]), covered)

    def quantile(self, level: float) -> float | None:
        """The quantile of the level, between two stored ones by line; None beyond the last that could be had."""
        known = [(at, value) for at, value in zip(self.levels, self.quantiles, strict=True) if value is not None]
        if not known or level > known[-1][0] + 1e-9:
            return None
        return float(np.interp(level, *zip(*known, strict=True)))

    def covered_at(self, level: float) -> Covered | None:
        """(covered, n) of intervals at this level, where that was measured."""
        return self.covered.get(f"{level:g}")


@dataclass(frozen=True, eq=False)
class ClassesFit:
    """What a fit knows of single classes.

    known : {key of the level: {class: what is known of it}}
    unknown : what is assumed of any other class
    sd, tail : see `predictor.prediction.classes.class_scale`
    configuration, target_set : errors of held-out runs; None where they are too few
    """

    known: Mapping[str, Mapping[str, KnownClass]]
    unknown: KnownClass
    sd: float
    tail: float
    configuration: ClassErrors | None
    target_set: ClassErrors | None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> ClassesFit:
        """What fit.json holds of the classes of an outcome."""
        configuration, target_set = (
            ClassErrors.of(stored[split]) if stored[split] else None for split in ("configuration", "target_set")
        )
        return cls(
            known={
                level: {name: KnownClass(*values) for name, values in own.items()}
                for level, own in stored["classes"].items()
            },
            unknown=KnownClass(0.0, stored["class_sd"], stored["tested"]),
            sd=stored["sd"],
            tail=stored["tail"],
            configuration=configuration,
            target_set=target_set,
        )


@dataclass(frozen=True, eq=False)
class OutcomeFit:
    """One outcome of a fit.

    target_sets, domains : on which it was measured
    tested : {target set: the target classes that its test set covers}, where these are not all
    families : {name: model}, baselines too; models : names of those whose disagreement is the `doubt`
    configuration, target_set, extrapolation, domain : held-out runs by the kind of question; the last two None where
        nothing was held out so, or too little to calibrate intervals
    classes : what is known of single classes; None, with the reason
    levels : {key of a level: what it stands for}
    n_tested : {target set, or 'new': test images of a run}; empty where a fit does not state them
    domain : held-out runs of left-out domains, where these calibrate a new one
    usual_steps : median image-steps of the configurations; None where they are not known
    """

    name: str
    scale: Scale
    target_sets: tuple[str, ...]
    domains: tuple[str, ...]
    tested: Mapping[str, frozenset[str]]
    families: Mapping[str, ReadyModel]
    models: tuple[str, ...]
    configuration: HeldOut
    target_set: HeldOut
    extrapolation: HeldOut | None
    classes: ClassesFit | None
    no_classes: str | None
    levels: Mapping[str, Level]
    n_tested: Mapping[str, float]
    domain: HeldOut | None = None
    usual_steps: float | None = None

    @classmethod
    def of(cls, name: str, stored: Mapping[str, Any], levels: Mapping[str, Level]) -> OutcomeFit:
        """What fit.json holds of an outcome."""
        own = stored.get("per_class")
        return cls(
            name=name,
            scale=Scale(**stored["scale"]) if stored.get("scale") else Scale(),
            target_sets=tuple(stored["target_sets"]),
            domains=tuple(stored["domains"]),
            tested={target_set: frozenset(classes) for target_set, classes in stored["tested"].items()},
            families={family: ReadyModel(parameters) for family, parameters in stored["families"].items()},
            models=tuple(stored.get("models", ())),
            configuration=HeldOut.of(stored["configuration"]),
            target_set=HeldOut.of(stored["target_set"]),
            extrapolation=HeldOut.of(stored["extrapolation"]) if stored["extrapolation"] else None,
            classes=ClassesFit.of(own) if own and "reason" not in own else None,
            no_classes=own["reason"] if own and "reason" in own else None,
            levels=levels,
            n_tested=stored.get("n_tested", {}),
            domain=HeldOut.of(stored["domain"]) if stored.get("domain") else None,
            usual_steps=stored.get("usual_steps"),
        )

    def __repr__(self) -> str:
        n = len(self.configuration.residuals)
        return (
            f"<OutcomeFit {self.name}: {self.configuration.family}, {n} configurations, {len(self.families)} families>"
        )

    def split(self, basis: str) -> HeldOut:
        """Held-out runs that answer this kind of question: of known target sets, or of left-out ones."""
        return self.configuration if basis == "in_domain" else self.target_set

    def candidates(self, basis: str) -> list[str]:
        """The family chosen for this kind of question first, then what can stand in where it cannot be evaluated."""
        names = dict.fromkeys([self.split(basis).family, "average", *STAND_INS])
        return [name for name in names if name in self.families]

    def ask(self, case: Case) -> Asked:
        """The case, to be asked of any of the models."""
        return Asked(self, case)

    def ask_together(self, cases: Sequence[Case], families: Sequence[str]) -> list[Asked]:
        """The cases, each of these families evaluated once, on all of them together."""
        asked = [Asked(self, case) for case in cases]
        for family in dict.fromkeys(name for name in families if name in self.families):
            for one, value in zip(asked, self.families[family].evaluate(cases).tolist(), strict=True):
                one.found[family, False] = value
        return asked

    def tested_images(self, target_set: str) -> float:
        """Test images of what will be measured on a target set, or on a new one; infinite where none are counted."""
        if not self.scale.is_share:
            return math.inf
        return float(self.n_tested.get(target_set, self.n_tested.get("new", UNKNOWN_TESTED)))


@dataclass(frozen=True, eq=False)
class Asked:
    """One case as the models of an outcome see it; each of them is evaluated once.

    found : {(family, whether features were taken at the edge of the fitted range): its share}
    """

    outcome: OutcomeFit
    case: Case
    found: dict[tuple[str, bool], float] = field(default_factory=dict, repr=False)

    def of(self, family: str, *, clip: bool = False) -> float:
        """The share that a family predicts; nan where the case lacks what it needs."""
        if (family, clip) not in self.found:
            model = self.outcome.families[family]
            self.found[family, clip] = float(model.evaluate([self.case], clip=clip)[0])
        return self.found[family, clip]

    def value(self, families: Sequence[str], *, clip: bool = False) -> tuple[float, str]:
        """(share, family) of the first of these families that can be evaluated."""
        for name in families:
            value = self.of(name, clip=clip)
            if math.isfinite(value):
                return value, name
        return math.nan, families[-1]

    def doubt(self) -> float:
        """How far the models disagree, in logits; 0 where fewer than two can be evaluated."""
        found = [value for value in map(self.of, self.outcome.models) if math.isfinite(value)]
        return float(disagreement(np.array(found)[:, None])[0]) if found else 0.0

    def signs(self) -> Signs:
        """What tells how large the error of the prediction is likely to be."""
        steps = self.case.recipe.get("image_steps", math.nan)
        return Signs(self.doubt(), float(haste(steps, self.outcome.usual_steps)), [self.case.domain])

    def baselines(self) -> Iterator[dict[str, Any]]:
        """What the baselines that are always shown say, in the outcome's own unit."""
        for family in BASELINES:
            if family not in self.outcome.families:
                continue
            found: dict[str, Any] = {}
            if family == "nearest":
                near: Neighbours = self.outcome.families[family].ready
                index = near.index([self.case])[0]
                share = float(near.values[index]) if index >= 0 else math.nan
                found = {"configuration_id": near.names[index] if index >= 0 else None}
            else:
                share = self.of(family)
            value = float(self.outcome.scale.values(share))
            yield {
                "outcome": self.outcome.name, "family": family, "value": value if math.isfinite(value) else None,
                **found,
            }  # fmt: skip

    def nearest(self, n: int) -> Iterator[dict[str, Any]]:
        """The n real runs that are most like the case, nearest first; of its target set where that is known."""
        if "nearest" not in self.outcome.families:
            return
        near: Neighbours = self.outcome.families["nearest"].ready
        for index, distance in near.several(self.case, n):
            level = self.outcome.levels[near.levels[index]]
            yield {
                "outcome": self.outcome.name, "configuration_id": near.names[index], "target_set": level.target_set,
                "recipe": level.recipe, "value": float(self.outcome.scale.values(near.values[index])),
                "distance": distance,
            }  # fmt: skip


def _pair(pair: Sequence[int]) -> Covered:
    covered, n = pair
    return covered, n
