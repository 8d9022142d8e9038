"""Which subsamples of a manifest to train first, so that the prediction for the whole of it narrows most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, listed
from predictor.grids.compose import compose, source, target_set
from predictor.models.fit import Fit
from predictor.models.links import logit
from predictor.planning.objective import named_targets
from predictor.planning.pilots.predict import Recalibrated, read_pilots, recalibrate
from predictor.prediction.request import NEW, resolve, with_roles
from predictor.records.schema import RunRecord
from predictor.results import Result
from predictor.spec import seeded
from predictor.statistics.shares import apportion

SCHEMA_VERSION = 1
FRACTIONS = tuple(0.5**k for k in range(1, 9))  # of the manifest's images
MOST = 20
FEWEST = 0.02  # of the full run's image-steps: a shorter pilot says little of it
Candidate = tuple[str, LabelDistribution, int]


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """One subsample to train.

    counts : images of each target class, largest first
    shape : in proportion (a thinned copy) | head cut (no class above a cap: closer to balanced)
    width_before, width_after : of the manifest's accuracy interval (fractions), once those before it are trained
    """

    shape: str
    counts: tuple[int, ...]
    n_samples: int
    image_steps: int
    width_before: float
    width_after: float


@dataclass(frozen=True, kw_only=True, repr=False)
class PilotPlan(Result):
    """The subsamples to train, in order.

    classes : the target classes in the order that gives each the count it has in the manifest, at data seed 0
    width_now : of the manifest's interval as things stand
    """

    manifest: str
    target_set: str
    domain: str
    recipe: dict[str, Any]
    outcome: str
    level: float
    classes: tuple[str, ...]
    width_now: float
    share: float
    pilots: tuple[Pilot, ...]
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
    share: float = 0.3,
    level: float = 0.9,
    pilots: Iterable[RunRecord] | None = None,
) -> PilotPlan:
    """Choose subsamples one after the other, each the one that narrows the manifest's interval most.

    n : how many, 1 to 20
    share : together they cost at most this share of the image-steps of the run on the whole manifest, except where
        pilots that short would be shorter than any run of the fit, and the full run is not
    pilots : runs of the target set that there are already

    Raises FitError for a number of pilots or share that is none, and for a manifest too small to subsample.
    """
    if not 1 <= n <= MOST:
        raise FitError(f"{n} pilots; needed: 1 to {MOST}", remedy="use e.g. --next 3")
    if not 0 < share <= 1:
        raise FitError(f"share {share:g}; needed: above 0, at most 1", remedy="use e.g. --share 0.3")
    known = fit.domains
    own = read_pilots(pilots, NEW if target_set == "mine" else target_set) if pilots is not None else None
    if own is not None:
        target_set, model, image_size = own.target_set, own.model, own.image_size
        image_steps = image_steps or own.image_steps
        domain = own.domain if domain == NEW else domain
    request = resolve(fit, NEW, domain if domain in known else NEW, model, image_size, image_steps)
    now = named_targets(with_roles(manifest, distribution, request))
    state = recalibrate(fit, "accuracy", own, request)
    counts = now.target_counts
    steps = request.recipe["image_steps"]
    if not steps:
        raise FitError("the fit names no image-steps", where=manifest, remedy="say --image-steps")
    if (counts < 1).any():
        without = [name for name, count in zip(now.target_names, counts, strict=True) if not count]
        raise FitError(
            f"target classes without images: {listed(without)}; a run trains at least one of each",
            where=manifest,
            remedy="leave them out of --targets, or add images",
        )
    seen = fit.ranges.get("image_steps", (0, 0))
    # inside what the fit saw, where the full run is: a shorter pilot would rest on a guess
    least = max(round(FEWEST * steps), int(seen[0]) if seen[0] <= steps <= seen[1] else 1)
    candidates = _candidates(now, steps, share * steps / n, least)
    if not candidates:
        raise FitError(
            f"{int(counts.sum()):,} image(s) of {len(counts)} classes are too few to subsample",
            where=manifest,
            remedy="train the manifest itself",
        )
    x = np.array([_predicted(state, item, steps) for _, item, steps in candidates])
    width = state.width_after(now, [], level)
    first, chosen, taken = width, [], []
    while len(chosen) < min(n, len(candidates)):
        free = [i for i in range(len(candidates)) if i not in taken]
        widths = [state.width_after(now, [*x[taken], x[i]], level) for i in free]
        best = free[int(np.argmin(np.round(widths, 9)))]
        shape, item, own_steps = candidates[best]
        taken.append(best)
        chosen.append(
            Pilot(
                shape=shape,
                counts=tuple(sorted(item.target_counts.tolist(), reverse=True)),
                n_samples=int(item.target_counts.sum()),
                image_steps=own_steps,
                width_before=width,
                width_after=min(widths),
            )
        )
        width = min(widths)
    return PilotPlan(
        manifest=manifest, target_set=target_set, domain=domain, recipe=request.recipe, outcome="accuracy", level=level,
        classes=ranked(now.target_names, counts, target_set), width_now=first, share=share, pilots=tuple(chosen),
        fit=fit.where,
    )  # fmt: skip


def next_pilots(
    fit: Fit, manifests: Mapping[str, LabelDistribution], records: Iterable[RunRecord], *, target_set: str = NEW,
    **asked: Any,
) -> dict[str, Pilot]:  # fmt: skip
    """{manifest: the one pilot that would narrow it most}, without those too small to subsample."""
    found = {}
    records = list(records)
    for name, item in manifests.items():
        try:
            own = None if target_set == NEW else target_set
            plan = plan_pilots(fit, item, 1, manifest=name, target_set=own or "mine", pilots=records, **asked)
        except FitError:
            continue
        found[name] = plan.pilots[0]
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


def _candidates(now: LabelDistribution, steps: int, limit: float, least: int) -> list[Candidate]:
    """(shape, subsample of the targets, image-steps), each different.

    least, limit : image-steps of a pilot; between them as often an image as in the full run
    """
    counts = now.target_counts
    total, classes = int(counts.sum()), len(counts)
    found: dict[tuple[int, ...], Candidate] = {}
    for fraction in FRACTIONS:
        size = max(round(fraction * total), 2 * classes)
        if size >= total:
            continue
        for shape in ("in proportion", "head cut"):
            thinned = _thinned(counts, size) if shape == "in proportion" else np.minimum(counts, _cap(counts, size))
            own_steps = min(max(round(min(steps * thinned.sum() / total, limit)), least), steps)
            rows = [(name, "", int(c)) for name, c in zip(now.target_names, thinned, strict=True)]
            item = LabelDistribution.from_counts(rows, targets=now.target_names)
            found.setdefault(tuple(sorted(thinned.tolist())), (shape, item, own_steps))
    return list(found.values())


def _thinned(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`size` images in proportion, at least one of each class and never more than it has."""
    return np.minimum(apportion(counts.astype(np.float64), size), counts)


def _cap(counts: NDArray[np.int64], size: int) -> int:
    """The largest cap under which at most `size` images remain."""
    low, high = 1, int(counts.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= size else (low, middle - 1)
    return low


def _predicted(state: Recalibrated, item: LabelDistribution, steps: int) -> float:
    request = state.objective.request
    own = replace(state.objective, request=replace(request, recipe={**request.recipe, "image_steps": steps}))
    return float(logit(own.values([item]))[0])


def grid_content(
    plan: PilotPlan,
    *,
    study: str,
    file: str,
    digest: str,
    protocol: int,
    recipe: Mapping[str, Any],
    train_split: str = "train",
    test_split: str = "test",
    seeds: int = 1,
) -> dict[str, Any]:
    """The grid of the pilots as plain data, for `grids.write.grid_text`.

    file, digest : the images of the target set, as a grid names a source
    protocol, recipe : that they are trained with; the recipe states its learning_rate
    """
    return compose(
        study=study,
        protocol=protocol,
        sources={"mine": source("mine", digest, file)},
        target_sets={
            plan.target_set: target_set(
                domain=plan.domain if plan.domain != NEW else plan.target_set, source="mine", classes=plan.classes,
                train_split=train_split, test_split=test_split,
            )
        },
        model={
            "name": plan.recipe["model"],
            "image_size": plan.recipe["image_size"],
            "head": max(len(plan.classes), 2),
        },
        recipe=recipe,
        # which class is large stays with data seed 0, whatever the training seed
        seeds=[{"data": 0, "training": seed} for seed in range(seeds)],
        blocks=[
            {
                "target_set": plan.target_set,
                "samples_per_class": max(1, round(pilot.n_samples / len(pilot.counts))),
                "profile": _profile(pilot.counts),
                "image_steps": pilot.image_steps,
            }
            for pilot in plan.pilots
        ],
    )  # fmt: skip


def _profile(counts: tuple[int, ...]) -> dict[str, Any]:
    return {"shape": "balanced"} if len(set(counts)) == 1 else {"shape": "explicit", "counts": list(counts)}
