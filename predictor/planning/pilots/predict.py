"""Predictions for a new target set after a few cheap runs of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting.configurations import configurations
from predictor.fitting.rows import Selection, action_of, recipe_of, rows_for
from predictor.images.results import Probe
from predictor.models.fit import Fit
from predictor.models.links import expit, logit, measured_within
from predictor.models.outcome import KnownClass
from predictor.planning.objective import Floats, Objective
from predictor.planning.pilots.classes import pilot_classes, seen_classes
from predictor.planning.pilots.read import Pilots, read_pilots
from predictor.planning.pilots.spread import Calibration, Errors, Posterior, calibrate
from predictor.prediction import Comparison, OutcomePrediction, Prediction, Predictions, predict
from predictor.prediction.intervals import UNCALIBRATED
from predictor.prediction.outside import outside_fact, outside_warning
from predictor.prediction.predict import WORST, in_points
from predictor.prediction.probed import check_classes, with_probe
from predictor.prediction.request import NEW, PredictionRequest, named_manifests, resolve, share_between, whole_number
from predictor.records.schema import RunRecord


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """One outcome of the pilots' target set: what was learned, and how wide it makes an interval."""

    objective: Objective
    calibration: Calibration
    x: Floats
    posterior: Posterior
    n_pilots: int
    tested: float

    def predict(
        self, distribution: LabelDistribution, level: float, *, outside: bool = False, steps: int | None = None
    ) -> OutcomePrediction:
        """The outcome of a manifest of the target set.

        outside : of the range that the fit saw, or learned from pilots that are: twice as wide
        steps : image-steps, where not those of the question
        """
        x = logit(self.objective.at(steps).values([distribution]))
        moved, sd = self.posterior.at(x)
        value, half = float(expit(x + moved)[0]), float(self.calibration.factor(level) * sd[0])
        low, high = measured_within(value, 2 * half if outside else half, self.tested)
        covered, reason = (None, UNCALIBRATED) if outside else self.calibration.evidence(level)
        return OutcomePrediction(
            outcome=self.objective.outcome, value=value, low=float(low), high=float(high), level=level, reason=reason,
            family=self.objective.family, covered=covered,
        )  # fmt: skip

    def difference(
        self, a: LabelDistribution, b: LabelDistribution, level: float, steps: Sequence[int | None] = (None, None)
    ) -> tuple[float, float, float]:
        """(logits, half the width of its interval, P(a is better than b)): a level drops out, a slope does not."""
        pair = zip((a, b), steps, strict=True)
        x_a, x_b = (float(logit(self.objective.at(own).values([item]))[0]) for item, own in pair)
        moved, sd = self.posterior.difference(x_a, x_b)
        found = x_a - x_b + moved
        return found, self.calibration.factor(level) * sd, self.calibration.probability(found / sd)

    def width_after(self, distribution: LabelDistribution, pilots: Sequence[Floats | float], level: float) -> float:
        """Width of the manifest's interval once pilots with these predicted logits were trained as well.

        What they will measure is unknown, but not how much it will tell: the width does not depend on it.
        """
        x = logit(self.objective.values([distribution]))
        centre = float((x + self.posterior.at(x)[0])[0])
        every = np.concatenate([self.x, np.array(pilots, dtype=np.float64).ravel()])
        sd = float(self.calibration.spread.posterior(every, np.zeros(len(every))).at(x)[1][0])
        low, high = measured_within(expit(centre), self.calibration.factor(level) * sd, self.tested)
        return float(high - low)


def recalibrate(fit: Fit, outcome: str, pilots: Pilots | None, request: PredictionRequest) -> Recalibrated:
    """What pilots tell about one outcome of their target set; None: there are no pilots yet.

    Raises FitError where the fit does not hold what its left-out target sets were predicted to be.
    """
    objective = Objective(fit, outcome, request)
    fitted = fit.outcomes[outcome]
    held, new = fitted.target_set, request.basis == "new_domain"
    if len(held.predicted) < len(held.residuals):
        raise FitError("the fit is too old for pilots", remedy="fit again: predictor fit RUNS --output FIT")
    x, residuals = _residuals(objective, pilots) if pilots else (np.empty(0), np.empty(0))
    if new and fitted.domain is not None:  # errors of domains that were left out are those of another one
        calibration = calibrate(Errors.of(fitted.domain, domains=True), len(x))
    else:
        extra = held.spread["new_domain"].sd ** 2 - held.spread["new_target_set"].sd ** 2
        calibration = calibrate(Errors.of(held), len(x), extra_variance=max(0.0, extra) if new else None)
    posterior = calibration.spread.posterior(x, residuals)
    tested = fit.outcomes[outcome].tested_images(request.target_set)
    return Recalibrated(objective, calibration, x, posterior, len(x), tested)


def _residuals(objective: Objective, pilots: Pilots) -> tuple[Floats, Floats]:
    """((k,) predicted logits, (k,) measured - predicted) of the pilots' configurations."""
    rows = rows_for(Selection(pilots.records), objective.outcome)
    if not rows:
        return np.empty(0), np.empty(0)
    trained = {record.run_id: {"image_steps": recipe_of(record)[2], "action": action_of(record).name}
               for record in pilots.records}  # fmt: skip
    cases = []
    for row in rows:
        assert row.case.distribution is not None  # read_pilots keeps counted runs alone
        recipe = {**objective.request.recipe, **trained[row.run_id]}
        own = replace(objective, request=replace(objective.request, recipe=recipe))
        cases.append(replace(own.case(row.case.distribution), tested=row.case.tested, chance=row.case.chance))
    configs = configurations(rows)
    predicted = logit(configs.mean(objective.model.evaluate(cases)))
    if not np.isfinite(predicted).all():
        raise FitError(
            f"family {objective.family} cannot be evaluated on every pilot: indicators are missing", where="pilots"
        )
    return predicted, configs.logits - predicted


def predict_with_pilots(
    fit: Fit,
    manifests: LabelDistribution | Mapping[str, LabelDistribution],
    records: Iterable[RunRecord],
    *,
    target_set: str = NEW,
    domain: str = NEW,
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    level: float = 0.9,
    all_classes: bool = False,
    probe: Probe | None = None,
) -> Predictions:
    """As `predictor.prediction.predict`, for the target set that the pilots are runs of; see `pilot_predictor`."""
    asked = {"target_set": target_set, "domain": domain, "model": model, "image_size": image_size,
             "image_steps": image_steps, "level": level, "probe": probe}  # fmt: skip
    return pilot_predictor(fit, records, **asked).predict(manifests, all_classes=all_classes)


@dataclass(frozen=True, eq=False)
class PilotPredictor:
    """A fit after some pilots: what they tell is learned once, and holds for any manifest of their target set.

    asked, request : domain and recipe, named and resolved
    found : {outcome: what the pilots tell about it}
    probe : of the images, that the fit was told of
    """

    fit: Fit
    pilots: Pilots
    asked: Mapping[str, Any]
    request: PredictionRequest
    level: float
    found: Mapping[str, Recalibrated]
    probe: Probe | None = None

    def with_roles(self, name: str, distribution: LabelDistribution) -> LabelDistribution:
        """The manifest with the pilots' target classes. Raises FitError where it, or the probe, has others."""
        found = self.pilots.with_roles(name, distribution)
        if self.probe is not None:
            check_classes(self.probe, name, found.target_names)
        return found

    @property
    def counted(self) -> dict[str, int]:
        """How many pilots there are, see `Prediction.pilots`."""
        return {
            "n_configurations": self.pilots.n_configurations,
            "n_runs": len(self.pilots.records),
            "at_chance": len(self.pilots.at_chance),
        }

    def check_telling(self) -> None:
        """Raise FitError where all pilots are at chance: advice and curves at their level would be of none."""
        if not self.pilots.records:
            raise FitError("; ".join(self.warnings), where="pilots", remedy="leave --pilot out until some tell more")

    @property
    def range(self) -> tuple[float, float]:
        """Image-steps that the fit saw."""
        return self.fit.ranges.get("image_steps", (0.0, np.inf))

    @cached_property
    def beyond(self) -> tuple[int, ...]:
        """Image-steps of pilots outside of them: how far such pilots miss was measured on none."""
        low, high = self.range
        steps = sorted({recipe_of(record)[2] or 0 for record in self.pilots.records})
        return tuple(own for own in steps if not low <= own <= high)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the pilots."""
        low, high = self.range
        found = [item.text(low) for item in self.pilots.at_chance]
        if not self.pilots.records:
            found.append("no pilot tells anything: the prediction is that without them")
        if self.beyond:
            own = ", ".join(f"{steps:,}" for steps in self.beyond)
            found.append(
                f"pilots with {own} image-steps; the fit saw {low:,.0f} to {high:,.0f}; how accuracy grows with them "
                "is a guess beyond that, and the interval is uncalibrated; train pilots inside of it"
            )
        return tuple(found)

    @cached_property
    def classes(self) -> dict[str, dict[str, KnownClass]]:
        """{outcome: what its classes deviate by in the pilots}, see `seen_classes`."""
        return {name: seen_classes(self.fit.outcomes[name], self.pilots.records) for name in self.found}

    def predict(
        self,
        manifests: LabelDistribution | Mapping[str, LabelDistribution],
        *,
        all_classes: bool = False,
        steps: Mapping[str, int] | None = None,
        outcomes: Sequence[str] = (),
        explain: bool = True,
        against: Sequence[str] | None = None,
    ) -> Predictions:
        """Predictions of manifests of the pilots' target set, best first. Raises FitError as `predict` does.

        all_classes : every class of every outcome that the pilots measured; else those with the lowest accuracy
        The others as in `predict`.
        """
        steps = steps or {}
        asked = ("accuracy", *outcomes) if outcomes else ()
        how: Any = {"steps": steps, "outcomes": asked, "explain": explain, "against": against}
        roles = {name: self.with_roles(name, item) for name, item in named_manifests(manifests).items()}
        if not self.pilots.records:  # nothing was learnt: what is said without them stands
            how |= {"all_classes": all_classes, "probe": self.probe}
        base = predict(self.fit, roles, target_set=NEW, level=self.level, **self.asked, **how)
        if not self.pilots.records:
            told = (replace(item, warnings=(*item.warnings, *self.warnings), pilots=self.counted)
                    for item in base.predictions)  # fmt: skip
            return replace(base, predictions=tuple(told))
        done = [
            self._recalibrated(item, roles[item.manifest], steps.get(item.manifest), all_classes, explain)
            for item in base.predictions
        ]
        if done[0].outcomes[0].outcome in self.found:  # the first one decides the order
            done.sort(key=lambda item: -(item.outcomes[0].value or 0.0))
        moved = (
            self._compared(item, roles, steps) if item.outcome in self.found else item for item in base.comparisons
        )
        return replace(base, predictions=tuple(done), comparisons=tuple(in_points(item, done) for item in moved))

    def _compared(
        self, item: Comparison, roles: Mapping[str, LabelDistribution], steps: Mapping[str, int]
    ) -> Comparison:
        """The comparison at the slope that the pilots show."""
        own = steps.get(item.a), steps.get(item.b)
        found = self.found[item.outcome].difference(roles[item.a], roles[item.b], self.level, own)
        difference, half, p_a_better = found
        return replace(
            item,
            logit_difference=difference,
            low=difference - half,
            high=difference + half,
            p_a_better=p_a_better,
            covered=None,
            points_at_half=float(expit(difference)) - 0.5,
            points_at_ninety=float(expit(logit(0.9) + difference)) - 0.9,
        )

    def _recalibrated(
        self, item: Prediction, distribution: LabelDistribution, steps: int | None, all_classes: bool, explain: bool
    ) -> Prediction:
        """The prediction with the outcomes that the pilots measured."""
        outcomes: dict[str, OutcomePrediction] = {own.outcome: own for own in item.outcomes}
        outside = bool(item.outside or self.beyond)
        classes = []
        for name, own in self.found.items():
            result = own.predict(distribution, self.level, outside=outside, steps=steps)
            outcomes[name] = result
            if explain and (all_classes or name == "accuracy"):
                most = None if all_classes else WORST
                made = pilot_classes(own.objective, distribution, result, self.classes[name], most)
                classes += [made] if made is not None else []
        with_pilots = {outside_warning(own, item.manifest): outside_fact(own) for own in item.outside}
        without = item.warnings if item.unknown is None else set(item.warnings) - set(self.request.warnings)
        warnings = (with_pilots.get(line, line) for line in item.warnings if line in without)
        return replace(
            item,
            status="outside" if outside else "pilot",
            basis="pilot",
            warnings=(*warnings, *self.warnings),
            unknown=None,  # the pilots are runs with that recipe
            target_set=self.pilots.target_set,
            domain=self.pilots.domain,
            recipe={**item.recipe, "assumed": False},
            outcomes=tuple(outcomes.values()),
            pilots=self.counted,
            classes=tuple(classes),
        )


def pilot_predictor(
    fit: Fit,
    records: Iterable[RunRecord],
    *,
    target_set: str = NEW,
    domain: str = NEW,
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    level: float = 0.9,
    outcomes: Sequence[str] | None = None,
    probe: Probe | None = None,
) -> PilotPredictor:
    """Learn from pilots.

    outcomes : those to recalibrate; None: all
    records : the pilots; each outcome that they measured and the fit models is recalibrated
    target_set : name of the pilots' target set, needed where the records are of several
    domain : its domain; the pilots' own where the fit knows that
    probe : of the training images: what it says is where the pilots begin
    image_steps : of the run that is asked about; the fit's most frequent ones where left out, as without pilots

    Raises FitError as `predict` and `read_pilots` do, and for a network or resolution that the pilots do not have.
    """
    share_between("level", level, remedy="use e.g. --level 0.9")
    whole_number("image_steps", image_steps, remedy="use e.g. --image-steps 30000, or leave it out")
    pilots = read_pilots(records, target_set)
    for name, given, own in (("--model", model, pilots.model), ("--image-size", image_size, pilots.image_size)):
        if given is not None and given != own:
            raise FitError(f"{name} {given}; the pilots were trained with {own}", remedy=f"leave {name} out")
    fit = pilots.fit_of(fit)
    asked = {
        "domain": pilots.home(fit, domain),
        "model": pilots.model,
        "image_size": pilots.image_size,
        "image_steps": image_steps,
    }
    request = resolve(fit, NEW, asked["domain"], asked["model"], asked["image_size"], asked["image_steps"])
    if probe is not None:
        fit = with_probe(fit, probe, domain=request.domain)
    measured = {name for record in pilots.records for name, item in record.outcomes.items() if item.scale == "accuracy"}
    wanted = [name for name in fit.outcomes if name in measured and (outcomes is None or name in outcomes)]
    found = {name: recalibrate(fit, name, pilots, request) for name in wanted}
    return PilotPredictor(fit, pilots, asked, request, level, found, probe)
