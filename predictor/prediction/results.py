"""What a prediction says: frozen, plain, the same fields for the terminal and for JSON."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

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
    covered : as in `OutcomePrediction`; reason : why nothing is said, or why `covered` is None
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
    pilots : {n_configurations, n_runs} of the user's own target set that the outcomes were recalibrated to, or None
    classes : for each outcome with a value its classes, worst first
    nearest : real runs most like the manifest, nearest first: {outcome, configuration_id, target_set, recipe, value,
        distance}, distance in standard deviations of the runs
    recipes : what other main recipes reach, where none was named
    weights : of the recipe's pretrained weights: name, digest, licence, trained_on, alike; None from scratch
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

    def outcome(self, name: str) -> OutcomePrediction:
        """The prediction of one outcome."""
        return next(item for item in self.outcomes if item.outcome == name)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Manifest a against b: the difference in logits, which does not depend on the level.

    covered : [covered, n] pairs of held-out configurations inside intervals made from the other target sets; None:
        too few target sets to say
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


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictions(Result):
    """Predictions of one or more manifests, best first, and how they compare.

    fit, n_target_sets, n_domains : where the fit was found, and what it was fitted on
    """

    predictions: tuple[Prediction, ...]
    comparisons: tuple[Comparison, ...]
    fit: str = "a fit in memory"
    n_target_sets: int = 0
    n_domains: int = 0
    shown_by: ClassVar[str] = "predictions"

    def __repr__(self) -> str:
        first = [(item.manifest, item.outcomes[0]) for item in self.predictions]
        told = [f"{name} {own.outcome} {'-' if own.value is None else f'{own.value:.3f}'}" for name, own in first[:3]]
        return f"<Predictions of {len(first)} manifests: {', '.join(told)}{', ...' if len(first) > 3 else ''}>"

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `predictor predict`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "predictions": [_plain(item) for item in self.predictions],
            "comparisons": [_plain(item) for item in self.comparisons],
        }


def _plain(value: Any) -> Any:
    """Results as plain data. `dataclasses.asdict` copies every number, which takes longer than to predict it."""
    if value is None or isinstance(value, str | float | int):
        return value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
