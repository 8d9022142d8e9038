"""Runs of one's own target set, read as pilots: which of them tell anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, listed, with_near
from predictor.fitting.rows import recipe_of, record_family
from predictor.fitting.settings import differing, in_words, recipe_text, usual_of
from predictor.models.outcome import UNKNOWN_TESTED
from predictor.prediction.request import NEW
from predictor.records.gate import pass_gate
from predictor.records.schema import Outcome, Reported, RunRecord

if TYPE_CHECKING:
    from predictor.models.fit import Fit

MOST = 100  # configurations: more than that are a registry to fit on
ERRORS = 3  # standard errors: a pilot that is not so far above chance is at chance


@dataclass(frozen=True)
class AtChance:
    """A configuration that reached no more than a guess: it says that it was trained too little, not how hard it is.

    value : its accuracy, mean of n_runs; tested : images of one test; n_samples : target images that it trained on
    image_steps : None for a frozen network, whose head is solved for
    """

    configuration_id: str
    value: float
    chance: float
    tested: int
    n_runs: int
    image_steps: int | None
    n_samples: int

    def covers(self, n_samples: int, image_steps: int) -> bool:
        """Whether a run with no more images, and none shown more often, would be at chance as well."""
        return n_samples <= self.n_samples and (self.image_steps is None or image_steps <= self.image_steps)

    def text(self, least: float = 0.0) -> str:
        """In words, with why. least : image-steps of the shortest runs that the fit knows"""
        steps = f" after {self.image_steps:,} image-steps" if self.image_steps else ""
        if self.image_steps and self.image_steps < least:
            why = f"no run of the fit had so few image-steps; train with {least:,.0f} or more"
        elif self.image_steps is None:
            why = f"its {self.n_samples:,} images were too few; train on more"
        else:
            why = f"its {self.n_samples:,} images were too few, or shown too seldom; train on more, or for longer"
        return (
            f"pilot {self.configuration_id} is at chance: {100 * self.value:.1f} % of {self.tested:,} test images"
            f"{steps} ({100 * self.chance:.1f} % by guessing); it tells nothing and is left out; {why}"
        )


@dataclass(frozen=True, eq=False)
class Pilots:
    """Runs of one target set that the fit does not know.

    records : completed runs with class counts that tell something
    at_chance : configurations that do not, and are in no record of these
    trained : (counts, image-steps) of those that tell something
    classes : its target classes; family : of their recipe, see `predictor.recipes`
    """

    records: tuple[RunRecord, ...]
    target_set: str
    domain: str
    model: str | None
    image_size: int | None
    classes: tuple[str, ...]
    trained: frozenset[tuple[tuple[int, ...], int]]
    family: str
    at_chance: tuple[AtChance, ...] = ()

    @cached_property
    def n_configurations(self) -> int:
        """Configurations: seeds of one are one piece of evidence."""
        return len({record.configuration_id for record in self.records})

    def fit_of(self, fit: Fit) -> Fit:
        """The part of a fit that is of their recipe's family; the fit itself where it has none."""
        return fit.recipe_families.get(self.family, fit)

    def home(self, fit: Fit, domain: str = NEW) -> str:
        """The domain that is asked of a fit: the one that is named, else their own where the fit knows that.

        Pilots that tell nothing do not tell the domain either: what is predicted is the same as without them.
        """
        return self.domain if domain == NEW and self.records and self.domain in fit.domains else domain

    def with_roles(self, name: str, distribution: LabelDistribution) -> LabelDistribution:
        """The manifest with the pilots' target classes.

        Raises FitError where it tests others: their accuracy is that of another question.
        """
        if distribution.targets is None:
            others = self._others
            targets = [c for c in distribution.class_names if c in self.classes or c not in others]
            if set(targets) < set(distribution.class_names):
                distribution = distribution.with_targets(targets)
        tested = set(distribution.target_names)
        if tested != set(self.classes):
            parts = []
            if beyond := sorted(tested - set(self.classes)):
                parts.append(f"it tests {with_near(beyond, sorted(set(self.classes) - tested))}, which no pilot tested")
            if lacking := sorted(set(self.classes) - tested):
                parts.append(f"the pilots tested {listed([repr(c) for c in lacking])}, which it does not")
            raise FitError(
                f"its target classes are not those of the pilots: {'; '.join(parts)}",
                where=name,
                remedy=f"name the classes of {self.target_set} as the pilots do, with --targets FILE, or train pilots "
                "of these",
            )
        if not distribution.target_counts.any():
            raise FitError(
                f"no image of {with_near(self.classes, distribution.class_names)}",
                where=name,
                remedy="spell the classes as the pilots do",
            )
        return distribution

    @cached_property
    def _others(self) -> frozenset[str]:
        """Classes that the pilots only trained on."""
        found = (record.distribution for record in self.records)
        return frozenset(name for own in found if own is not None for name in own.class_names) - set(self.classes)


def read_pilots(records: Iterable[RunRecord], target_set: str = NEW) -> Pilots:
    """The pilots among some records.

    target_set : which, where the records are of several

    Raises FitError where there are none, and where they are of several target sets, networks or label sets.
    """
    usable = [r for r in records if r.status == "completed" and not isinstance(r.data, Reported)]
    usable = [r for r in usable if r.outcomes.get("accuracy") and r.outcomes["accuracy"].scale == "accuracy"]
    found = sorted({record.target_set for record in usable})
    if target_set != NEW:
        usable = [record for record in usable if record.target_set == target_set]
    if not usable:
        has = f"; found target sets {listed(found)}" if found else ""
        wanted = "" if target_set == NEW else f" of {target_set!r}"
        raise FitError(
            f"no completed run{wanted} with class counts and an accuracy{has}",
            where="pilots",
            remedy="train some: predictor pilots MANIFEST --next 3 prints how",
        )
    pass_gate(usable)
    if target_set == NEW and len(found) > 1:
        raise FitError(
            f"runs of {len(found)} target sets: {listed(found)}", where="pilots", remedy="name yours: --target-set NAME"
        )
    kinds = sorted({(str(recipe_of(r)[0]), str(recipe_of(r)[1])) for r in usable})
    if len(kinds) > 1:
        shown = listed([f"{model} {size} px" for model, size in kinds])
        raise FitError(
            f"runs of several networks: {shown}", where="pilots", remedy="keep those of the one you will use"
        )
    texts = [recipe_text(record, actions=False) for record in usable]
    usual = usual_of(texts)
    if others := sorted({in_words(differing(text, usual)) for text in texts if text != usual}):
        raise FitError(
            f"runs of several recipes: {listed(others)}", where="pilots", remedy="keep those of the one you will use"
        )
    labels = {frozenset(_counted(record).target_names) for record in usable}
    if len(labels) > 1:
        raise FitError("runs of one target set with different classes", where="pilots", remedy="give each its own name")
    model, size, _ = recipe_of(usable[0])
    silent = _at_chance(usable)
    left_out = {item.configuration_id for item in silent}
    telling = tuple(sorted((r for r in usable if r.configuration_id not in left_out), key=lambda r: r.run_id))
    pilots = Pilots(
        records=telling,
        target_set=usable[0].target_set,
        domain=usable[0].domain,
        model=model,
        image_size=size,
        classes=_counted(usable[0]).target_names,
        trained=frozenset((tuple(sorted(_counted(r).target_counts.tolist())), recipe_of(r)[2] or 0) for r in telling),
        family=record_family(usable[0]),
        at_chance=silent,
    )
    if pilots.n_configurations > MOST:
        raise FitError(
            f"{pilots.n_configurations} configurations; pilots are 1 to {MOST}",
            where="pilots",
            remedy="fit on that many: predictor fit RUNS",
        )
    return pilots


def _counted(record: RunRecord) -> LabelDistribution:
    assert record.distribution is not None  # reported runs are no pilots
    return record.distribution


def _at_chance(records: Sequence[RunRecord]) -> tuple[AtChance, ...]:
    found = []
    for name in sorted({record.configuration_id for record in records}):
        own = [record for record in records if record.configuration_id == name]
        measured = [record.outcomes["accuracy"] for record in own]
        chance = measured[0].chance or 1 / len(_counted(own[0]).target_names)
        value, error = float(np.mean([m.value for m in measured])), _error(measured[0], chance) / math.sqrt(len(own))
        if value < chance + ERRORS * error:
            tested = sum(measured[0].tested) or UNKNOWN_TESTED
            images = int(_counted(own[0]).target_counts.sum())
            found.append(AtChance(name, value, chance, tested, len(own), recipe_of(own[0])[2], images))
    return tuple(found)


def _error(measured: Outcome, chance: float) -> float:
    """Standard error of a class-balanced accuracy at chance: sqrt(sum over C classes of p (1 - p) / n) / C."""
    tested = np.array([n for n in measured.tested if n], dtype=np.float64)
    if not len(tested):
        return math.sqrt(chance * (1 - chance) / UNKNOWN_TESTED)
    return float(np.sqrt(chance * (1 - chance) * (1 / tested).sum()) / len(tested))
