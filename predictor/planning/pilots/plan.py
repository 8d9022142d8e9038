"""Which subsamples of a manifest to train first, so that the prediction for the whole of it narrows most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError, listed
from predictor.grids.compose import compose, source, target_set
from predictor.images.results import Probe
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.planning.objective import named_targets
from predictor.planning.pilots.predict import Recalibrated, recalibrate
from predictor.planning.pilots.read import Pilots, read_pilots
from predictor.planning.pilots.recipe import GridRecipe
from predictor.planning.pilots.subsamples import Subsample, candidates, least_telling, telling
from predictor.prediction import predict
from predictor.prediction.probed import check_classes, with_probe
from predictor.prediction.request import NEW, PredictionRequest, resolve, with_roles
from predictor.recipes import FROZEN
from predictor.records.schema import RunRecord
from predictor.results import Result
from predictor.spec import seeded

SCHEMA_VERSION = 1
MOST = 20
AS_GOOD = 1.02  # times the narrowest width: what costs less is as good
WORTH = 0.02  # of the width: pilots that are expected to narrow it by less bring nothing


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """One subsample to train.

    counts : images of each target class, largest first
    image_steps : None for a frozen network, whose head is solved for
    shape : in proportion (a thinned copy) | head cut (no class above a cap: closer to balanced)
    forecast : accuracy that it is predicted to reach
    width_before, width_after : of the manifest's accuracy interval (fractions), once those before it are trained
    """

    shape: str
    counts: tuple[int, ...]
    n_samples: int
    image_steps: int | None
    forecast: float
    width_before: float
    width_after: float

    @property
    def worth(self) -> bool:
        """Whether it is expected to narrow the interval by more than nothing."""
        return self.width_before - self.width_after >= WORTH * self.width_before


@dataclass(frozen=True, kw_only=True, repr=False)
class PilotPlan(Result):
    """The subsamples to train, in order.

    classes : the target classes in the order that gives each the count it has in the manifest, at data seed 0
    width_now : of the manifest's interval as things stand
    share : part of the whole run's image-steps that they may cost together; None: as little as is known to tell
    chance : accuracy of a guess; notes : what should be known before they are trained
    """

    manifest: str
    target_set: str
    domain: str
    recipe: dict[str, Any]
    outcome: str
    level: float
    classes: tuple[str, ...]
    width_now: float
    share: float | None
    chance: float
    pilots: tuple[Pilot, ...]
    notes: tuple[str, ...] = ()
    fit: str = "a fit in memory"
    shown_by: ClassVar[str] = "pilots"

    def __repr__(self) -> str:
        widths = f"{100 * self.width_now:.1f} -> {100 * self.pilots[-1].width_after:.1f} points"
        return f"<PilotPlan of {len(self.pilots)} pilots for {self.manifest}: width {widths}>"

    def to_dict(self) -> dict[str, Any]:
        """One object for JSON."""
        content = asdict(self)
        del content["fit"]  # a command says it on the terminal
        return {"schema_version": SCHEMA_VERSION, **content}


def plan_pilots(
    fit: Fit,
    distribution: LabelDistribution,
    n: int,
    *,
    manifest: str = "manifest",
    target_set: str = "mine",
    domain: str = NEW,
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
    share: float | None = None,
    level: float = 0.9,
    pilots: Iterable[RunRecord] | None = None,
    available: Mapping[str, int] | None = None,
    probe: Probe | None = None,
) -> PilotPlan:
    """Choose subsamples one after the other, each the one that narrows the manifest's interval most.

    They have image-steps that the fit's runs had, and are forecast to leave chance, where any is.

    n : how many, 1 to 20
    share : together they cost at most this share of the image-steps of the run on the whole manifest; None: an image is
        shown as often as in that run, where the fit saw runs so short
    pilots : runs of the target set that there are already: none of them is planned again
    available : {class: images to train on}, where some are kept for testing; None: all of the manifest
    probe : of the training images

    Raises FitError for a number of pilots or share that is none, a share that pays for no run as the fit knows them, a
    manifest too small to subsample, and pilots of other classes.
    """
    if not 1 <= n <= MOST:
        raise FitError(f"{n} pilots; needed: 1 to {MOST}", remedy="use e.g. --next 3")
    if share is not None and not share > 0:
        raise FitError(f"share {share:g}; needed: above 0", remedy="use e.g. --share 1, or leave it out")
    own = read_pilots(pilots, NEW if target_set == "mine" else target_set) if pilots is not None else None
    if own is not None:
        target_set, model, image_size = own.target_set, own.model, own.image_size
        fit = own.fit_of(fit)
        distribution = own.with_roles(manifest, distribution)
    home = domain if own is None else own.home(fit, domain)
    domain = own.domain if own is not None and domain == NEW else domain  # its name in the grid
    request = resolve(fit, NEW, home if home in fit.domains else NEW, model, image_size, image_steps)
    now = named_targets(with_roles(manifest, distribution, request))
    if probe is not None:
        check_classes(probe, manifest, now.target_names)
        fit = with_probe(fit, probe, domain=request.domain)
    state = recalibrate(fit, "accuracy", own, request)
    counts = now.target_counts
    frozen = fit.recipe_family == FROZEN
    steps = int(now.n_samples) if frozen else request.recipe["image_steps"]  # an image is described once, its cost
    if not steps:
        raise FitError("the fit names no image-steps", where=manifest, remedy="say --image-steps")
    if (counts < 1).any():
        without = [name for name, count in zip(now.target_names, counts, strict=True) if not count]
        raise FitError(
            f"target classes without images: {listed(without)}; a run trains at least one of each",
            where=manifest,
            remedy="leave them out of --targets, or add images",
        )
    least, _ = _known_steps(fit, steps)
    limit = math.inf if share is None else share * steps / n
    if limit < least:
        raise FitError(
            f"{_pilots(n)} for {100 * share:g} % of {steps:,} image-steps have {int(limit):,} each; "  # type: ignore[operator]
            f"the shortest runs that the fit knows have {least:,}",
            remedy=f"use --share {math.ceil(100 * n * least / steps) / 100:g}, or leave it out",
        )
    room = counts if available is None else np.array([available.get(name, 0) for name in now.target_names])

    def able(whole: int) -> list[Subsample]:
        """Those that could be trained, with forecasts. whole : image-steps of the run on the whole manifest"""
        most = math.inf if share is None else share * whole / n
        every = candidates(now, np.minimum(counts, room), whole, least, min(_known_steps(fit, whole)[1], most))
        return [_forecast(state, item, frozen) for item in _untried(every, own, fit)]

    found = able(steps)
    if not found:
        raise FitError(
            f"{int(counts.sum()):,} image(s) of {len(counts)} classes are too few to subsample"
            + (" once more" if own is not None else ""),
            where=manifest,
            remedy="train the manifest itself",
        )
    chance = 1 / len(counts)
    tells = least_telling(chance, state.tested)
    notes: tuple[str, ...] = ()
    leaving = telling(found, tells)
    if len(leaving) < min(n, len(found)):
        longer = (whole for whole in _longer(fit, steps) if len(telling(able(whole), tells)) >= n)
        notes = (_at_chance(manifest, found, len(leaving), chance, tells, next(longer, None)),)
        leaving = sorted(found, key=lambda item: -item.forecast)[:n]
    found = leaving
    x = np.array([item.x for item in found])
    told = own is not None and bool(own.records)  # pilots at chance tell nothing of the width either
    width = state.width_after(now, [], level) if told else _width(fit, now, request, level)
    first, chosen, taken = width, [], []
    while len(chosen) < min(n, len(found)):
        free = [i for i in range(len(found)) if i not in taken]
        widths = [round(state.width_after(now, [*x[taken], x[i]], level), 9) for i in free]
        good = [i for i, own_width in zip(free, widths, strict=True) if own_width <= AS_GOOD * min(widths)]
        best = min(good, key=lambda i: (found[i].image_steps, int(found[i].counts.sum()), i))
        taken.append(best)
        after = widths[free.index(best)]
        item = found[best]
        chosen.append(
            Pilot(
                shape=item.shape,
                counts=tuple(sorted(item.counts.tolist(), reverse=True)),
                n_samples=int(item.counts.sum()),
                image_steps=None if frozen else item.image_steps,
                forecast=item.forecast,
                width_before=width,
                width_after=after,
            )
        )
        width = after
    if first - width < WORTH * first:
        notes = (*notes, "no pilot is expected to narrow the interval: the prediction is as sharp without them")
    return PilotPlan(
        manifest=manifest, target_set=target_set, domain=domain, recipe=request.recipe, outcome="accuracy", level=level,
        classes=ranked(now.target_names, counts, target_set), width_now=first, share=share, chance=chance,
        pilots=tuple(chosen), notes=(*(() if told else request.warnings), *notes), fit=fit.where,
    )  # fmt: skip


def _width(fit: Fit, now: LabelDistribution, request: PredictionRequest, level: float) -> float:
    """Of the interval that is predicted without any pilot."""
    recipe = {name: request.recipe[name] for name in ("model", "image_size", "image_steps")}
    found = predict(fit, now, domain=request.domain, level=level, outcomes=["accuracy"], explain=False, **recipe)
    own = found.predictions[0].outcome("accuracy")
    return (1.0 if own.high is None else own.high) - (own.low or 0.0)


def _pilots(n: int) -> str:
    return "1 pilot" if n == 1 else f"{n} pilots"


def _known_steps(fit: Fit, steps: int) -> tuple[int, int]:
    """Fewest and most image-steps of a pilot: those of the fit's runs, as what it says of others is a guess."""
    low, high = fit.ranges.get("image_steps", (1, steps))
    return min(math.ceil(low), steps), max(min(int(high), steps), min(math.ceil(low), steps))


def _forecast(state: Recalibrated, item: Subsample, frozen: bool) -> Subsample:
    x = logit(state.objective.at(None if frozen else item.image_steps).values([item.distribution]))
    moved, _ = state.posterior.at(x)
    return replace(item, x=float(x[0]), forecast=float(expit(x + moved)[0]))


def _untried(found: list[Subsample], own: Pilots | None, fit: Fit) -> list[Subsample]:
    """Those of which the fit does not only guess, and of which no pilot says already what they would."""
    largest = fit.ranges.get("n_target_samples", (0, math.inf))[1]
    found = [item for item in found if item.counts.sum() <= largest] or found
    if own is None:
        return found
    trained = {sizes for sizes, _ in own.trained}  # with other image-steps they tell the same
    return [
        item
        for item in found
        if item.key[0] not in trained
        and not any(silent.covers(int(item.counts.sum()), item.image_steps) for silent in own.at_chance)
    ]


def _longer(fit: Fit, steps: int) -> Iterator[int]:
    """Longer runs on the whole manifest, up to the longest that the fit knows."""
    most = int(fit.ranges.get("image_steps", (1, steps))[1])
    while steps < most:
        steps = min(2 * steps, most)
        yield steps


def _at_chance(manifest: str, found: list[Subsample], n: int, chance: float, tells: float, longer: int | None) -> str:
    """That only n pilots are forecast to leave chance, and what to ask for instead. longer : image-steps that help"""
    few = "no subsample is" if not n else f"only {n} subsample{'s are' if n > 1 else ' is'}"
    best = max(item.forecast for item in found)
    ways = [f"ask for {n}: --next {n}"] if n else []
    ways += [f"plan longer runs: --image-steps {longer}"] if longer else []
    remedy = ", or ".join(ways) or "collect more images, or train the manifest itself"
    return (
        f"{manifest}: {few} forecast to do better than chance ({100 * chance:.1f} % by guessing; the best reaches "
        f"{100 * best:.1f} %; needed: {100 * tells:.1f} %); {'the others' if n else 'they'} may tell nothing; {remedy}"
    )


Available = Callable[[str, LabelDistribution], Mapping[str, int] | None]


def next_pilots(
    fit: Fit, manifests: Mapping[str, LabelDistribution], records: Iterable[RunRecord], *, target_set: str = NEW,
    available: Available = lambda name, distribution: None, **asked: Any,
) -> dict[str, Pilot | str]:  # fmt: skip
    """{manifest: the one pilot that would narrow it most, or in words why there is none}.

    available : manifest -> images of each class to train on, as for `plan_pilots`
    """
    found: dict[str, Pilot | str] = {}
    records = list(records)
    own = "mine" if target_set == NEW else target_set
    for name, item in manifests.items():
        try:
            room = available(name, item)
            plan = plan_pilots(fit, item, 1, manifest=name, target_set=own, pilots=records, available=room, **asked)
        except PredictorError as fault:
            found[name] = f"{fault.problem}; {fault.remedy}" if fault.remedy else fault.problem
            continue
        (pilot,) = plan.pilots
        nothing = f"a further one is expected to narrow the interval by less than {100 * WORTH:g} % of its width"
        found[name] = pilot if pilot.worth else nothing
    return found


def ranked(names: tuple[str, ...], counts: NDArray[np.int64], target_set: str, data_seed: int = 0) -> tuple[str, ...]:
    """The classes in the order in which a run spec of that data seed gives each class its own rank.

    A spec shuffles which class is large by its data seed and target set; undone here, a pilot is a true subsample.
    """
    place = seeded("rank", data_seed, target_set).permutation(len(names))  # as predictor.spec.ranked_classes
    by_size = np.argsort(-counts, kind="stable")
    order: list[str] = [""] * len(names)
    for rank, where in enumerate(place):
        order[where] = names[by_size[rank]]
    return tuple(order)


def grid_content(
    plan: PilotPlan,
    trained: GridRecipe,
    *,
    study: str,
    file: str,
    digest: str,
    train_split: str = "train",
    test_split: str = "test",
    flip: bool | None = None,
    seeds: int = 1,
) -> dict[str, Any]:
    """The grid of the pilots as plain data, for `grids.write.grid_text`.

    trained : how they are trained
    file, digest : the images of the target set, as a grid names a source
    flip : whether they may be mirrored; None: as `trained` says
    """
    return compose(
        study=study,
        protocol=trained.protocol,
        sources={"mine": source("mine", digest, file)},
        target_sets={
            plan.target_set: target_set(
                domain=plan.domain if plan.domain != NEW else plan.target_set, source="mine", classes=plan.classes,
                train_split=train_split, test_split=test_split, flip=trained.flip if flip is None else flip,
            )
        },
        model=trained.with_head(len(plan.classes)),
        recipe=trained.recipe,
        # which class is large stays with data seed 0, whatever the training seed
        seeds=[{"data": 0, "training": seed} for seed in range(seeds)],
        blocks=[
            {
                "target_set": plan.target_set,
                "samples_per_class": max(1, round(pilot.n_samples / len(pilot.counts))),
                "profile": _profile(pilot.counts),
                **({"epochs": 1} if pilot.image_steps is None else {"image_steps": pilot.image_steps}),
            }
            for pilot in plan.pilots
        ],
    )  # fmt: skip


def _profile(counts: tuple[int, ...]) -> dict[str, Any]:
    return {"shape": "balanced"} if len(set(counts)) == 1 else {"shape": "explicit", "counts": list(counts)}
