"""What a prediction says: frozen, plain, the same fields for the terminal and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from predictor.models.links import expit, logit
from predictor.models.scales import Scale
from predictor.results import Result

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class OutcomePrediction:
    """One outcome of one manifest; accuracies are fractions. value is None where nothing can be said (`reason`).

    scale : accuracy, or the scale that the runs declare; value and interval are in its own unit
    covered : [covered, n] held-out configurations (or target sets) inside intervals made in the same way
    covered_on : studies whose configurations those were: drawn as a user's would be; (): all
    shifts : of robustness, the shifts that it is the mean of
    edge : (value, low, high) at the edge of the fitted range, where the manifest lies outside of it
    backed : whether held-out runs, a probe or pilots say anything of the value; else only its interval is told
    """

    outcome: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    reason: str | None = None
    family: str | None = None
    covered: tuple[int, int] | None = None
    edge: tuple[float, float, float] | None = None
    scale: str = "accuracy"
    covered_on: tuple[str, ...] = ()
    shifts: tuple[str, ...] = ()
    backed: bool = True


@dataclass(frozen=True, kw_only=True)
class ClassPrediction:
    """One tested class: its images in the manifest, predicted accuracy and interval (fractions).

    reason : why there is no interval, e.g. a class without images
    """

    name: str
    n_samples: int
    value: float
    low: float
    high: float
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClassPredictions:
    """The tested classes of one outcome; the mean over all of them is the outcome's value.

    n_classes : how many there are; `worst` may hold fewer, the ones with the lowest accuracy first
    covered : [covered, n] classes of held-out configurations (or target sets) inside intervals made in the same way
    reason : why nothing is said, or why `covered` is None
    """

    outcome: str
    level: float
    n_classes: int
    covered: tuple[int, int] | None = None
    reason: str | None = None
    worst: tuple[ClassPrediction, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecipePrediction:
    """What another recipe reaches with a manifest: its accuracy, and the runs that this rests on.

    name : of the recipe, with its action, as `--recipe` takes it; status, basis as in `Prediction`
    covered, backed : as in `OutcomePrediction`; reason : why nothing is said, or why `covered` is None
    weights : see `predictor.prediction.recipes.weights_told`
    """

    name: str
    model: str | None
    image_size: int | None
    status: str
    basis: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    covered: tuple[int, int] | None
    reason: str | None
    n_configurations: int
    n_runs: int
    n_target_sets: int
    n_domains: int
    weights: dict[str, Any] | None = None
    backed: bool = True


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is predicted for one manifest, and on what it rests.

    status : in_domain | new_target_set | new_domain | pilot | outside
    basis : the status apart from the range: which kind of interval the outcomes carry
    outside : indicators outside the range that the fit saw: {indicator, value, low, high}
    unknown : what no run of the fit had, a network or an image size: status outside, and no interval; None
    contributions : {outcome, name, value}: points (as a fraction) against balanced targets alone at the same N
    baselines : {outcome, family, value, configuration_id}
    probe : {key, level, slope, n_images} of the probe of the images that the level rests on, or None
    pilots : {n_configurations, n_runs, at_chance} of the user's own target set, or None where none was given: the
        outcomes follow n_configurations of them; those at chance tell nothing
    classes : for each outcome with a value its classes, worst first
    nearest : real runs most like the manifest, nearest first: {outcome, configuration_id, target_set, recipe, value,
        distance}, distance in standard deviations of the runs
    recipes : what other main recipes reach, where none was named
    weights : of the recipe's pretrained weights: name, digest, licence, trained_on, alike; None from scratch
    chance : accuracy of a guess
    """

    manifest: str
    status: str
    basis: str
    target_set: str
    domain: str
    recipe: dict[str, Any]
    outcomes: tuple[OutcomePrediction, ...]
    indicators: tuple[dict[str, Any], ...]
    contributions: tuple[dict[str, Any], ...]
    baselines: tuple[dict[str, Any], ...]
    outside: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    unknown: str | None = None
    pilots: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None
    classes: tuple[ClassPredictions, ...] = ()
    nearest: tuple[dict[str, Any], ...] = ()
    recipes: tuple[RecipePrediction, ...] = ()
    weights: dict[str, Any] | None = None
    chance: float = 0.0

    @property
    def n_pilots(self) -> int:
        """Pilots that the outcomes follow."""
        return self.pilots["n_configurations"] if self.pilots else 0

    @property
    def silent(self) -> int:
        """Pilots that were given, where all are at chance: the outcomes are those without them."""
        return self.pilots["at_chance"] if self.pilots and not self.n_pilots else 0

    def outcome(self, name: str) -> OutcomePrediction:
        """The prediction of one outcome."""
        return next(item for item in self.outcomes if item.outcome == name)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Manifest a against b: the difference in logits, which does not depend on the level, and in points.

    covered : [covered, n] pairs of held-out configurations inside intervals made from the other target sets; None:
        too few target sets to say
    points, points_low, points_high : the difference at the level that is predicted of b (fractions); None where nothing
        backs the levels
    points_at_half, points_at_ninety : what the difference means if b reaches 50 % or 90 % (fractions)
    """

    a: str
    b: str
    outcome: str
    logit_difference: float
    low: float | None
    high: float | None
    p_a_better: float
    level: float
    points_at_half: float
    points_at_ninety: float
    covered: tuple[int, int] | None = None
    points: float | None = None
    points_low: float | None = None
    points_high: float | None = None

    def turned(self) -> Comparison:
        """The same of b against a. What b would gain or lose in points is then at the level of a."""
        share = expit(logit(0.5) - self.logit_difference), expit(logit(0.9) - self.logit_difference)
        return replace(
            self,
            a=self.b,
            b=self.a,
            logit_difference=-self.logit_difference,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            p_a_better=1 - self.p_a_better,
            points=None if self.points is None else -self.points,
            points_low=None if self.points_high is None else -self.points_high,
            points_high=None if self.points_low is None else -self.points_low,
            points_at_half=float(share[0]) - 0.5,
            points_at_ninety=float(share[1]) - 0.9,
        )


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """What would help a manifest most, of what was tried: images for some classes, and what they are predicted to gain.

    images : {class: images to collect}; value : accuracy with them; gain, low, high : against now (fractions)
    """

    manifest: str
    outcome: str
    images: Mapping[str, int]
    value: float
    gain: float
    low: float
    high: float
    level: float
    p_better: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictions(Result):
    """Predictions of one or more manifests, best first, and how they compare.

    fit, n_target_sets, n_domains : where the fit was found, and what it was fitted on
    next_step : what would help the best one most; None where nothing that was tried is likely to
    """

    predictions: tuple[Prediction, ...]
    comparisons: tuple[Comparison, ...]
    fit: str = "a fit in memory"
    n_target_sets: int = 0
    n_domains: int = 0
    next_step: NextStep | None = None
    shown_by: ClassVar[str] = "predictions"

    def __repr__(self) -> str:
        first = [(item.manifest, item.outcomes[0]) for item in self.predictions]
        told = [f"{name} {own.outcome} {'-' if own.value is None else f'{own.value:.3f}'}" for name, own in first[:3]]
        return f"<Predictions of {len(first)} manifests: {', '.join(told)}{', ...' if len(first) > 3 else ''}>"

    def compared(self, a: str, b: str, outcome: str) -> Comparison | None:
        """How a compares with b, whichever of them was named first; None where that was not asked."""
        for row in self.comparisons:
            if row.outcome == outcome and {row.a, row.b} == {a, b}:
                return row if row.a == a else row.turned()
        return None

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `predictor predict`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": self._renderer().verdict_content(self),
            "predictions": [plain_data(item) for item in self.predictions],
            "comparisons": [plain_data(item) for item in self.comparisons],
            "next_step": plain_data(self.next_step),
        }


def plain_data(value: Any) -> Any:
    """Results as plain data. `dataclasses.asdict` copies every number, which takes longer than to predict it."""
    if value is None or isinstance(value, str | float | int):
        return value
    if isinstance(value, dict):
        return {key: plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    return {field.name: plain_data(getattr(value, field.name)) for field in fields(value)}


def in_unit(found: OutcomePrediction, scale: Scale) -> OutcomePrediction:
    """The prediction in the outcome's own unit, where it is no accuracy."""
    if scale.is_share or found.value is None:
        return replace(found, scale=scale.name)
    low, high = scale.interval(np.array([found.low]), np.array([found.high]))
    edge = found.edge
    if edge is not None:
        ends = scale.interval(np.array([edge[1]]), np.array([edge[2]]))
        edge = (float(scale.values(edge[0])), float(ends[0][0]), float(ends[1][0]))
    value = float(scale.values(found.value))
    return replace(found, scale=scale.name, value=value, low=float(low[0]), high=float(high[0]), edge=edge)
