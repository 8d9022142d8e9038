"""What a change of the class counts is predicted to bring: counts -> accuracies, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError
from predictor.indicators import compute
from predictor.indicators.registry import known
from predictor.models.case import CLASS_FEATURES, RECIPE, Case, base_of
from predictor.models.evaluate import ReadyModel
from predictor.models.fit import Fit
from predictor.models.outcome import OutcomeFit
from predictor.prediction.request import PredictionRequest, make_case

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Targets:
    """A manifest whose target classes get other counts; whatever else it holds stays.

    distribution : with its targets named
    """

    distribution: LabelDistribution

    @cached_property
    def _main(self) -> NDArray[np.int64]:
        """(T,) the largest entry of each target class, that new images go to; -1 where it has no image."""
        place = {name: i for i, name in enumerate(self.distribution.target_names)}
        main = np.full(len(place), -1)
        for entry, name in enumerate(self.distribution.classes):
            i = place.get(name)
            if i is not None and (main[i] < 0 or self.distribution.counts[entry] > self.distribution.counts[main[i]]):
                main[i] = entry
        return main

    @cached_property
    def _usual_source(self) -> str:
        """Source of most target images: what a class without images is assumed to come from."""
        rows = [row for row in self.distribution.rows() if row[0] in set(self.distribution.target_names)]
        sources: dict[str, int] = {}
        for _, source, count in rows:
            sources[source] = sources.get(source, 0) + count
        return max(sorted(sources), key=sources.__getitem__) if sources else ""

    @cached_property
    def _quick(self) -> bool:
        """Whether every target has exactly one entry: then its count is the entry's."""
        entries = sum(name in self.distribution.targets for name in self.distribution.classes)  # type: ignore[operator]
        return bool((self._main >= 0).all()) and entries == len(self._main)

    @property
    def counts(self) -> Counts:
        """(T,) images of each target class now, in the order of `distribution.target_names`."""
        return self.distribution.target_counts

    def with_counts(self, counts: Counts, others: Sequence[tuple[str, str, int]] | None = None) -> LabelDistribution:
        """The manifest with these images for each target; `others` are added to its other classes.

        New images go where the class has most of its images; cuts take from its largest entries first.

        >>> d = LabelDistribution.from_counts({"cat": 5, "dog": 1, "road": 3}, targets=["cat", "dog"])
        >>> Targets(d).with_counts(np.array([4, 8])).rows()
        [('cat', '', 4), ('dog', '', 8), ('road', '', 3)]
        """
        change = int(counts.sum() - self.counts.sum())
        if self._quick and not others and (counts > 0).all():
            entries = self.distribution.counts.copy()
            entries[self._main] = counts
            return replace(self.distribution, counts=entries, n_samples=self.distribution.n_samples + change)
        values = self.distribution.counts.copy()
        extra: list[tuple[str, str, int]] = list(others or ())
        for i, difference in enumerate((counts - self.counts).tolist()):
            if difference > 0 and self._main[i] < 0:
                extra.append((self.distribution.target_names[i], self._usual_source, difference))
            elif difference > 0:
                values[self._main[i]] += difference
            elif difference < 0:
                self._cut(values, self.distribution.target_names[i], -difference)
        keys = zip(self.distribution.classes, self.distribution.sources, values.tolist(), strict=True)
        added = sum(count for _, _, count in others or ())
        return LabelDistribution.from_counts(
            [*keys, *extra], targets=self.distribution.targets, n_samples=self.distribution.n_samples + change + added
        )

    def _cut(self, values: Counts, name: str, n: int) -> None:
        entries = [i for i, label in enumerate(self.distribution.classes) if label == name]
        for entry in sorted(entries, key=lambda i: -values[i]):
            taken = min(n, int(values[entry]))
            values[entry] -= taken
            n -= taken


def named_targets(distribution: LabelDistribution) -> LabelDistribution:
    """The distribution with its targets named, so that a class that is added is no target.

    Raises PredictorError where images carry several labels: an image more is then more than one label more.
    """
    if distribution.n_samples != int(distribution.counts.sum()):
        raise PredictorError(
            "images carry several labels, so images cannot be planned class by class",
            remedy="plan a manifest with one label an image",
        )
    return distribution if distribution.targets is not None else distribution.with_targets(distribution.target_names)


@dataclass(frozen=True)
class Growth:
    """Image-steps in proportion to the images, so that each is shown as often as now, up to what the fit saw.

    now : images now; image_steps : for them; most : the largest number of steps in the fit's runs
    """

    now: int
    image_steps: int
    most: int

    def steps(self, n_samples: int) -> int:
        """Image-steps for so many images.

        >>> [Growth(100, 1000, 5000).steps(n) for n in (100, 250, 900)]
        [1000, 2500, 5000]
        """
        return round(min(max(self.image_steps, self.most), self.image_steps * n_samples / self.now))


def growth_of(fit: Fit, now: LabelDistribution, image_steps: int | None) -> Growth | None:
    """How image-steps grow with the images of a manifest; None where the fit knows no image-steps."""
    if not image_steps:
        return None
    most = fit.ranges.get("image_steps", [0, image_steps])[1]
    return Growth(max(now.n_samples, 1), int(image_steps), int(most))


@dataclass(frozen=True, eq=False)
class Objective:
    """Accuracies of label distributions as the chosen family of a fit predicts them.

    growth : how image-steps grow with the images; None: they are those of the request
    """

    fit: Fit
    outcome: str
    request: PredictionRequest
    growth: Growth | None = None

    def at(self, image_steps: int | None) -> Objective:
        """The same of runs of so many image-steps; None: as it is."""
        return self if image_steps is None else replace(self, request=self.request.with_steps(image_steps))

    def steps(self, distribution: LabelDistribution) -> int | None:
        """Image-steps that a run on the distribution is planned with."""
        return self.request.recipe["image_steps"] if self.growth is None else self.growth.steps(distribution.n_samples)

    @cached_property
    def family(self) -> str:
        """The family that was chosen for this kind of question; another where only that one was fitted."""
        return self.fitted.candidates(self.request.basis)[0]

    @property
    def fitted(self) -> OutcomeFit:
        """The outcome's own part of the fit."""
        return self.fit.outcomes[self.outcome]

    @property
    def model(self) -> ReadyModel:
        """The model of the family."""
        return self.fitted.families[self.family]

    @cached_property
    def _indicators(self) -> list[str] | None:
        """Indicators that the family needs; None: not known, so all of them."""
        bases = {base_of(name) for name in _features(self.model.parameters)}
        found = {"n_samples"}  # the recipe may be stated for each image
        for name in bases - {*CLASS_FEATURES, *RECIPE}:
            try:
                known(name)
            except PredictorError:  # a class feature of another kind
                return None
            found.add(name)
        return sorted(found)

    @cached_property
    def _asked(self) -> Case:
        """Any case of the question: what is the same for all of its cases."""
        nothing = LabelDistribution.from_counts({"any": 1})
        case = make_case(nothing, self.request)[0]
        tested = self.fitted.tested.get(self.request.target_set)
        return case if tested is None else replace(case, tested=tested)

    def case(self, distribution: LabelDistribution) -> Case:
        """The case of a distribution, with no more indicators than the family needs."""
        found = compute(distribution, self._indicators)
        return replace(
            self._asked,
            distribution=distribution,
            indicators={name: item.value for name, item in found.items() if item.value is not None},
            recipe=self._asked.recipe if self.growth is None else {"image_steps": float(self.steps(distribution) or 0)},
            chance=1 / len(distribution.target_names),
            _known={},
        )

    def values(self, distributions: Iterable[LabelDistribution]) -> Floats:
        """(n,) predicted accuracies.

        Raises FitError where the family cannot be evaluated for one of them.
        """
        found = self.model.evaluate([self.case(item) for item in distributions])
        if not np.isfinite(found).all():
            raise FitError(
                f"family {self.family} cannot be evaluated on this manifest: indicators are missing",
                remedy="fit with another one: predictor fit RUNS --family classwise",
            )
        return found


def _features(parameters: Any) -> set[str]:
    """Names of all features in the parameters, however deep: a family may be made of others."""
    if isinstance(parameters, list | tuple):
        return set().union(*map(_features, parameters)) if parameters and isinstance(parameters[0], Mapping) else set()
    if not isinstance(parameters, Mapping):
        return set()
    own = [name for key, names in parameters.items() if key.endswith("features") for name in names]
    return {*own, *set().union(*map(_features, parameters.values()))}
