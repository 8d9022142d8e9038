"""What a model sees of one run or manifest, and the features it may use: known before training, all of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.recipes import NONE, PUSHES, Action

Floats = NDArray[np.float64]

TRANSFORMS = {"log": math.log, "log1p": math.log1p}
RECIPE = ("image_steps", "passes")  # numbers of the recipe that may be features; passes: image-steps per image
# standard deviation of what each kind of action adds to the logits of the targets
SPREADS = tuple(f"spread_{name}" for name in PUSHES)
CLASS_FEATURES = (
    "log_count",  # images of the class itself
    "log_mean_count",  # of the mean target: what counts beyond that is the prior, more for the head costs the tail
    "small_count",  # log(1 + 10 / own): where a class is tiny the power law bends; 0 for a large one
    "log1p_other_classes",
    "log1p_foreign_classes",  # those of them that come from sources without any target
    "log1p_other_share",  # log(1 + images of others / images of targets)
    "log_image_steps",
    "log1p_scarce_steps",  # log(1 + 20 N / image-steps): each image was seen too rarely
    "log_unevenness",  # log(mean of squared counts / squared mean) of the targets: 0 where they are balanced
    "steps_unevenness",  # the same times log(image-steps / 15,000): a short training learns the prior first
    "blend_share",  # of the class's images, from other sources than most images of the targets
    *(f"push_{name}" for name in PUSHES),  # what an action adds to a class's logit, see `Action.pushes`
    "push",  # of all actions together: what they share
    "push_by_size",  # the same times log_mean_count
    "push_by_classes",  # the same times log(number of targets)
    "push_by_unevenness",  # the same times log_unevenness: it wears off where classes are far apart
    "push_spread",  # its standard deviation over the targets: the same for every class
    *SPREADS,  # the kinds of actions differ in what they bring on the whole, not in what they move alone
)
DESIGN_FEATURES = (  # of a whole design, from the class counts
    "mean_log_target",
    "log_mean_target",
    "log_imbalance",  # their difference: 0 where the targets are balanced
    "log_head",  # log(largest target / mean target)
    "log_image_steps",
    "log1p_other_classes",
    "log1p_foreign_classes",
    "log1p_other_share",
    "root_blend_share",
    "log_effective_classes",  # entropy of the images over all classes
    *SPREADS,
)
SMALL, FEW_PASSES, STEPS = 10.0, 20.0, 15_000.0


@dataclass(frozen=True, eq=False)
class Case:
    """One run or manifest, as a model sees it before training.

    distribution : None where only indicators were reported
    indicators : the indicators that could be computed
    recipe : numbers of the recipe, e.g. {"image_steps": 60000}
    level : key of the target set and recipe that fix the level, see `level_key`; None: a new target set
    domain : image domain, None: a new one
    chance : accuracy of a guess, 1 / number of targets
    tested : target classes that the test set covers; None: all of them
    shifts : names of the outcomes that robustness is the mean of, e.g. ("shift:tiny",)
    action : what training does about imbalance
    network : network and resolution, where these are factors of the fit; else the level says them

    >>> d = LabelDistribution.from_counts({"cat": 100, "dog": 10})
    >>> case = Case(d, {"n_samples": 110.0}, {"image_steps": 1000.0})
    >>> round(case.feature("log n_samples"), 3), case.class_features().shape
    (4.7, (2, 24))
    """

    distribution: LabelDistribution | None
    indicators: Mapping[str, float]
    recipe: Mapping[str, float] = field(default_factory=dict)
    level: str | None = None
    chance: float = 0.0
    tested: frozenset[str] | None = None
    domain: str | None = None
    shifts: tuple[str, ...] = ()
    action: Action = NONE
    network: str | None = None
    _known: dict[tuple[str, ...], list[float]] = field(default_factory=dict, repr=False)  # asked for in every fold

    def feature(self, name: str) -> float:
        """Value of 'indicator', 'log indicator', 'log1p indicator' or a design feature; nan where the case lacks it."""
        if name in DESIGN_FEATURES:
            return float(self.design[DESIGN_FEATURES.index(name)])
        if name in self.indicators:  # a column of a table may begin as a transform does
            return float(self.indicators[name])
        transform, base = transform_of(name)
        value = self.recipe.get(base, self.indicators.get(base, math.nan))
        if base == "passes":
            value = self.recipe.get("image_steps", math.nan) / max(self.indicators.get("n_samples", math.nan), 1.0)
        if not transform:
            return float(value)
        return TRANSFORMS[transform](value) if value > (0 if transform == "log" else -1) else math.nan

    def features(self, names: Sequence[str]) -> list[float]:
        """The features in the order of `names`."""
        key = tuple(names)
        if key not in self._known:
            self._known[key] = [self.feature(name) for name in key]
        return self._known[key]

    @cached_property
    def _tested_counts(self) -> NDArray[np.int64]:
        if self.distribution is None:
            return np.empty(0, dtype=np.int64)
        counts = self.distribution.target_counts
        if self.tested is None:
            return counts
        keep = np.fromiter((name in self.tested for name in self.distribution.target_names), dtype=bool)
        return counts[keep]

    @property
    def tested_counts(self) -> NDArray[np.int64]:
        """(T,) images of each tested target class; empty where class counts are unknown."""
        return self._tested_counts

    @cached_property
    def _class_features(self) -> Floats:
        return class_features(self, self._tested_counts)

    def class_features(self) -> Floats:
        """(T, 24) the columns CLASS_FEATURES for every tested target class."""
        return self._class_features

    @cached_property
    def design(self) -> Floats:
        """(14,) the numbers DESIGN_FEATURES; nan where class counts or image-steps are not known."""
        if self.distribution is None or not len(self.distribution.target_counts):
            return np.full(len(DESIGN_FEATURES), math.nan)
        targets = np.maximum(self.distribution.target_counts.astype(np.float64), 0.5)
        others = self.distribution.other_counts.astype(np.float64)
        steps = self.recipe.get("image_steps")
        mean, mean_log = math.log(targets.mean()), float(np.log(targets).mean())
        share = np.concatenate([targets, others[others > 0]])
        share = share / share.sum()
        blend = _blend_shares(self.distribution)
        return np.array([
            mean_log, mean, mean - mean_log, math.log(targets.max()) - mean, math.log(steps) if steps else math.nan,
            math.log1p(len(others)), math.log1p(_foreign_classes(self.distribution)),
            math.log1p(float(others.sum()) / float(targets.sum())),
            math.sqrt(float(blend.mean())), -float(np.sum(share * np.log(share))),
            *self.action.pushes(self.distribution.target_counts).std(axis=1).tolist(),
        ])  # fmt: skip


def class_features(case: Case, counts: NDArray[np.int64]) -> Floats:
    """(T, 24) columns CLASS_FEATURES. A class without images has -inf as its log count.

    counts : (T,) images of the tested target classes, in the order of the target names
    Only `case.distribution`, `case.recipe`, `case.action` and `case.tested` matter.
    """
    rows = np.zeros((len(counts), len(CLASS_FEATURES)))
    distribution, steps = case.distribution, case.recipe.get("image_steps")
    if distribution is None or not len(counts):
        return rows
    targets, others = distribution.target_counts, distribution.other_counts
    with np.errstate(divide="ignore"):
        rows[:, 0] = np.log(counts)
    rows[:, 1] = math.log(max(float(targets.mean()), 0.5))
    rows[:, 2] = np.log1p(SMALL / np.maximum(counts, 0.5))
    rows[:, 3] = math.log1p(len(others))
    rows[:, 4] = math.log1p(_foreign_classes(distribution))
    rows[:, 5] = math.log1p(float(others.sum()) / max(float(targets.sum()), 1.0))
    rows[:, 6] = math.log(steps) if steps else math.nan
    rows[:, 7] = math.log1p(FEW_PASSES * distribution.n_samples / steps) if steps else math.nan
    inside = np.maximum(targets.astype(np.float64), 0.5)
    rows[:, 8] = math.log(float(np.mean(inside**2)) / float(inside.mean()) ** 2)
    rows[:, 9] = rows[:, 8] * math.log(steps / STEPS) if steps else math.nan
    blend = _blend_shares(distribution)
    keep = np.array([case.tested is None or name in case.tested for name in distribution.target_names], dtype=bool)
    rows[:, 10] = blend[keep]
    if case.action != NONE:
        pushes = case.action.pushes(targets)
        push = pushes.sum(axis=0)
        rows[:, 11:15] = pushes[:, keep].T
        rows[:, 15] = push[keep]
        for column, by in ((16, rows[:, 1]), (17, math.log(len(targets))), (18, rows[:, 8])):
            rows[:, column] = push[keep] * by
        rows[:, 19] = push.std()
        rows[:, 20:] = pushes.std(axis=1)
    return rows


def _blend_shares(distribution: LabelDistribution) -> Floats:
    """(C,) share of each target's images that comes from other sources than most images of the targets do."""
    targets = distribution.target_names
    if len(set(distribution.sources)) == 1:
        return np.zeros(len(targets))
    number = {name: i for i, name in enumerate(targets)}
    by_source: dict[str, Floats] = {}
    for name, source, n in distribution.rows():
        if name in number:
            by_source.setdefault(source, np.zeros(len(targets)))[number[name]] += n
    if len(by_source) < 2:
        return np.zeros(len(targets))
    home = max(sorted(by_source), key=lambda source: float(by_source[source].sum()))
    total = np.sum(list(by_source.values()), axis=0)
    return np.asarray(1 - by_source[home] / np.maximum(total, 1.0)) * (total > 0)


def _foreign_classes(distribution: LabelDistribution) -> int:
    """Other classes of which no image comes from a source that holds a target."""
    if not len(distribution.other_counts) or len(set(distribution.sources)) == 1:
        return 0
    targets = set(distribution.target_names)
    entries = list(zip(distribution.classes, distribution.sources, strict=True))
    home = {source for name, source in entries if name in targets}
    others = {name for name, _ in entries if name not in targets}
    return len(others - {name for name, source in entries if source in home})


def transform_of(feature: str) -> tuple[str, str]:
    """The transform of a feature, and the name of what it transforms, which may hold blanks.

    >>> transform_of("log n_samples"), transform_of("share of code")
    (('log', 'n_samples'), ('', 'share of code'))
    """
    first, _, rest = feature.partition(" ")
    return (first, rest) if rest and first in TRANSFORMS else ("", feature)


def base_of(feature: str) -> str:
    """The name of what a feature transforms, or is."""
    return transform_of(feature)[1]


def check_features(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a predictor that is unknown, or that is only known after training.

    >>> check_features(["log out_accuracy"], known=["n_samples"])
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: 'out_accuracy' is known only after training, so it cannot predict. use indicators \
(ind_*) or the recipe (spec_*)
    """
    for name in names:
        if name in known and not name.startswith(("out_", "env_")):
            continue
        transform, _, base = name.rpartition(" ")
        if transform_of(name)[0]:
            transform, base = transform_of(name)
        elif base not in known:
            transform, base = "", name
        if base.startswith(("out_", "env_")):
            raise FitError(
                f"{base!r} is known only after training, so it cannot predict",
                remedy="use indicators (ind_*) or the recipe (spec_*)",
            )
        if transform and transform not in TRANSFORMS:
            raise FitError(f"unknown transform {transform!r} in feature {name!r}", remedy="use log or log1p")
        if base not in known and base not in RECIPE and name not in DESIGN_FEATURES:
            near = difflib.get_close_matches(base, [*known, *RECIPE], n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "list them: predictor indicators --list"
            raise FitError(f"unknown indicator {base!r} in feature {name!r}", remedy=hint)


def level_key(target_set: str, model: str | None, image_size: int | None) -> str:
    """What fixes the level of an accuracy, apart from the labels: target set, network and resolution.

    >>> level_key("cifar100/a", "small-net", 32)
    'cifar100/a | small-net 32 px'
    >>> level_key("in100", None, None)
    'in100 | recipe unknown'
    """
    return f"{target_set} | {recipe_name(model, image_size)}"


def recipe_name(model: str | None, image_size: int | None) -> str:
    """Network and resolution in words."""
    return f"{model} {image_size} px" if model else "recipe unknown"
