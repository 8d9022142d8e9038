"""What a data set reaches when it shrinks or grows as it is: every class keeps its share of the images.

Image-steps grow with the images, so that each image is shown as often as now, up to what the fit saw, unless they are
fixed. Hours follow from image-steps at a measured speed; money from hours and from what an image costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import Fit
from predictor.models.scales import Scale
from predictor.planning.advice.prices import ANY, check_priced
from predictor.planning.objective import growth_of
from predictor.prediction import predict
from predictor.prediction.predict import shown_outcomes
from predictor.prediction.probed import check_classes
from predictor.prediction.recipes import named_recipe
from predictor.prediction.request import resolve, with_roles
from predictor.results import Result

if TYPE_CHECKING:
    from predictor.images.results import Probe
    from predictor.records.schema import RunRecord

SCHEMA_VERSION = 1
POINTS = 13  # sizes of the curve, at most about
MOST = 1e4  # times larger or smaller
SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class ScalePoint:
    """The data set at one size; accuracies are fractions.

    scale : of the images that there are; images_added : 0 where it shrinks
    value, low, high : prediction and interval; backed : see `OutcomePrediction`
    gain, gain_low, gain_high : against the data set as it is; None at scale 1 or where no level is known
    gain_at_half : the same if the data set as it is reaches 50 %; p_better : probability that it is better
    hours : of one run, at the speed; money : of that and of the images that are added; None where not known
    outside : indicators beyond what the fit saw
    """

    scale: float
    n_samples: int
    images_added: int
    image_steps: int | None
    value: float | None
    low: float | None
    high: float | None
    backed: bool
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    gain_at_half: float | None
    p_better: float | None
    hours: float | None
    money: float | None
    outside: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class RealRun:
    """A configuration that was trained on the target set: the mean over its seeds, accuracy as a fraction."""

    configuration_id: str
    n_samples: int
    image_steps: int | None
    value: float
    n_runs: int


@dataclass(frozen=True, kw_only=True, repr=False)
class ScaleCurve(Result):
    """Sizes of one data set, smallest first, and real runs of its target set.

    images_per_second, device, from_runs : the speed that the hours rest on, and how many runs tell it (0: as said)
    priced : whether money is told
    """

    manifest: str
    outcome: str
    status: str
    target_set: str
    domain: str
    recipe: Mapping[str, Any]
    level: float
    points: tuple[ScalePoint, ...]
    runs: tuple[RealRun, ...]
    images_per_second: float | None
    device: str | None
    from_runs: int
    priced: bool
    steps_fixed: bool
    covered: tuple[int, int] | None
    notes: tuple[str, ...]
    fit: str
    shown_by: ClassVar[str] = "curve"

    def __repr__(self) -> str:
        first, last = self.points[0], self.points[-1]
        return f"<ScaleCurve of {self.manifest}: {first.n_samples:,} to {last.n_samples:,} images, {self.outcome}>"

    def to_dict(self) -> dict[str, Any]:
        """One object for JSON."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def scale_curve(
    fit: Fit,
    distribution: LabelDistribution,
    scale: tuple[float, float] = (0.25, 8.0),
    *,
    manifest: str = "manifest",
    outcome: str = "accuracy",
    target_set: str = "new",
    domain: str = "new",
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    recipe: str | Path | None = None,
    level: float = 0.9,
    pilots: Iterable[RunRecord] | None = None,
    runs: Sequence[RunRecord] = (),
    images_per_second: float | None = None,
    price_hour: float | None = None,
    prices: Mapping[str, float] | None = None,
    probe: Probe | None = None,
) -> ScaleCurve:
    """Predict a data set at sizes from `scale[0]` to `scale[1]` times its own.

    runs : records that are shown beside the curve where they are of its target set, and that tell the speed
    images_per_second : the speed; where left out the median of those of `runs` with the same network and resolution
    price_hour : what an hour of the device costs; prices : {class: price of one image}, '*' of those not named
    pilots : runs of the data set's own target set; probe : of its training images, where the target set is new
    The others as in `predictor.prediction.predict`.

    Raises FitError for a scale or price that is none, an outcome that the fit does not predict for these images, and
    where `predict` would.
    """
    sizes = _sizes(*scale)
    for name, price in (("--price-hour", price_hour), ("--speed", images_per_second)):
        if price is not None and not (np.isfinite(price) and price > 0):
            raise FitError(f"{name} {price!r}; needed: a number above 0", remedy="give what it is, or leave it out")
    named = named_recipe(fit, recipe, model=model, image_size=image_size, image_steps=image_steps)
    asked: dict[str, Any] = {"target_set": target_set, "domain": domain}
    if pilots is None:
        fit = named.fit
        request = resolve(fit, **asked, **named.asked)
        if outcome not in {item.name for item in shown_outcomes(fit, request)}:
            raise FitError(
                f"{outcome} was not measured on such images", where=manifest, remedy="name --target-set or --domain"
            )
        now = with_roles(manifest, distribution, request)
        if probe is not None and request.basis != "in_domain":
            check_classes(probe, manifest, now.target_names)
        predicted = partial(predict, fit, **asked, recipe=named, level=level, probe=probe)
    elif recipe is not None:
        raise FitError("the pilots state their recipe themselves", remedy="leave --recipe out")
    else:
        from predictor.planning.pilots.predict import pilot_predictor

        own = {"model": model, "image_size": image_size, "image_steps": image_steps}
        learned = pilot_predictor(fit, pilots, **asked, **own, level=level, probe=probe)
        learned.check_telling()
        fit, request, predicted = learned.fit, learned.request, learned.predict
        now = learned.with_roles(manifest, distribution)
    fixed = image_steps or named.image_steps or not request.recipe["image_steps"]
    growth = None if fixed else growth_of(fit, now, request.recipe["image_steps"])
    plans = {f"{size:.9g}": now if size == 1 else now.scaled(size) for size in sizes}
    steps = {} if growth is None else {name: growth.steps(item.n_samples) for name, item in plans.items()}
    found = predicted(plans, steps=steps, outcomes=[outcome], explain=False, against=["1"])
    by_name = {item.manifest: item for item in found.predictions}
    base = by_name["1"]
    own = base.outcome(outcome)
    if own.value is None:
        raise FitError(f"no statement on {outcome}: {own.reason}", where=manifest, remedy="ask for accuracy")
    speed, device, from_runs = (images_per_second, None, 0) if images_per_second else _speed(runs, request.recipe)
    if price_hour is not None and speed is None:
        raise FitError(
            "nothing says how fast the network is trained, so hours have no price", where=manifest,
            remedy="say --speed IMAGES_PER_SECOND, or --runs with runs of it",
        )  # fmt: skip
    points = []
    for size, (name, plan) in zip(sizes, plans.items(), strict=True):
        told, row = by_name[name].outcome(outcome), found.compared(name, "1", outcome)
        own_steps = request.recipe["image_steps"] if growth is None else steps[name]
        hours = own_steps / speed / SECONDS if speed and own_steps else None
        points.append(
            ScalePoint(
                scale=size,
                n_samples=plan.n_samples,
                images_added=max(plan.n_samples - now.n_samples, 0),
                image_steps=own_steps,
                value=told.value,
                low=told.low,
                high=told.high,
                backed=told.backed,
                gain=row and row.points,
                gain_low=row and row.points_low,
                gain_high=row and row.points_high,
                gain_at_half=row and row.points_at_half,
                p_better=row and row.p_a_better,
                hours=hours,
                money=_money(now, plan, hours, price_hour, prices, manifest),
                outside=by_name[name].outside,
            )
        )
    kept = [record for record in runs if record.target_set == base.target_set]
    shown = _real(kept, outcome, request.recipe) if Scale(own.scale).is_share else ()
    notes = [*request.warnings]
    if probe is not None and base.basis not in ("in_domain", "pilot"):
        notes.append("the level rests on a probe of the images: pilots measure it")
    if growth is not None and points[-1].image_steps == growth.most < growth.image_steps * points[-1].scale:
        notes.append(
            f"image-steps stop at {growth.most:,}, the most that the fit saw: larger sizes show each image less"
        )
    return ScaleCurve(
        manifest=manifest, outcome=outcome, status=base.status, target_set=base.target_set, domain=base.domain,
        recipe=request.recipe, level=level, points=tuple(points), runs=tuple(shown), images_per_second=speed,
        device=device, from_runs=from_runs, priced=price_hour is not None or prices is not None,
        steps_fixed=growth is None, covered=own.covered, notes=tuple(notes), fit=fit.where,
    )  # fmt: skip


def _sizes(low: float, high: float) -> list[float]:
    """Sizes in equal ratios from 1 on, and both ends.

    >>> _sizes(0.25, 8)[:6]
    [0.25, 0.353553391, 0.5, 0.707106781, 1.0, 1.41421356]
    """
    if not (1 / MOST <= low < high <= MOST and low <= 1 <= high):
        raise FitError(
            f"scale {low:g}..{high:g}; needed: two numbers around 1, the smaller one first, within {1 / MOST:g} and "
            f"{MOST:g}",
            remedy="use e.g. --scale 0.25..8",
        )
    octaves = math.log2(high / low)
    each = next((each for each in (4, 2, 1) if octaves * each <= POINTS), 0.5)
    first, last = math.ceil(math.log2(low) * each - 1e-9), math.floor(math.log2(high) * each + 1e-9)
    between = {float(f"{2 ** (k / each):.9g}") for k in range(first, last + 1)}
    return sorted({float(low), float(high), *between})


def _speed(runs: Sequence[RunRecord], recipe: Mapping[str, Any]) -> tuple[float | None, str | None, int]:
    """(median images a second, device, runs) of the recipe's network and resolution, on the device with most runs."""
    from predictor.fitting.rows import recipe_of

    found: dict[str, list[float]] = {}
    for record in runs:
        rate, device = record.images_per_second, record.environment and record.environment.device
        if rate and device and recipe_of(record)[:2] == (recipe["model"], recipe["image_size"]):
            found.setdefault(device, []).append(rate)
    if not found:
        return None, None, 0
    device = max(found, key=lambda name: (len(found[name]), name))
    return median(found[device]), device, len(found[device])


def _money(
    now: LabelDistribution,
    plan: LabelDistribution,
    hours: float | None,
    price_hour: float | None,
    prices: Mapping[str, float] | None,
    manifest: str,
) -> float | None:
    if price_hour is None and prices is None:
        return None
    total = (hours or 0.0) * (price_hour or 0.0)
    if prices is not None:
        before, after = (dict(zip(d.class_names, d.class_counts.tolist(), strict=True)) for d in (now, plan))
        check_priced(prices, after, manifest)
        total += sum(
            max(n - before.get(name, 0), 0) * prices.get(name, prices.get(ANY, 0.0)) for name, n in after.items()
        )
    return total


def _real(runs: Sequence[RunRecord], outcome: str, recipe: Mapping[str, Any]) -> list[RealRun]:
    """Configurations of the recipe's network and resolution that were measured, whatever their shape."""
    from predictor.fitting.rows import recipe_of

    groups: dict[str, list[RunRecord]] = {}
    for record in runs:
        measured = record.status == "completed" and outcome in record.outcomes and record.distribution is not None
        if measured and recipe_of(record)[:2] == (recipe["model"], recipe["image_size"]):
            groups.setdefault(record.configuration_id, []).append(record)
    return [
        RealRun(
            configuration_id=name, n_samples=own[0].distribution.n_samples, image_steps=recipe_of(own[0])[2],
            value=fmean(record.outcomes[outcome].value for record in own), n_runs=len(own),
        )  # type: ignore[union-attr]
        for name, own in sorted(groups.items())
    ]  # fmt: skip
