"""Where missing runs can be trained: the target sets of a registry, each with what a grid needs to know of it."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from predictor.claims.configurations import Configuration, unedited
from predictor.claims.origins import origin, synthetic
from predictor.errors import SpecError
from predictor.protocols import compared_as
from predictor.spec import RunSpec, TestSet

FRACTALS = ("fractaldb", "fractals:classes=1000,instances=1000,seed=0")  # where no run names drawn images
DOUBLINGS = 4  # a design goes up to four times the size that it starts from


@dataclass(frozen=True, eq=False)
class Site:
    """A target set as the registry's own runs train it.

    configurations : those of this target set in one context (protocol, network, recipe)
    sources : {name: digest} of every source that the registry knows
    capacity : {source: other classes that a run has taken from it}
    taken : {source: {(classes, images of each) that a run has taken from it}}: what exists is what was trained on
    """

    configurations: Sequence[Configuration]
    sources: Mapping[str, str]
    capacity: Mapping[str, int]
    taken: Mapping[str, Set[tuple[int, int]]] = field(default_factory=dict)

    @cached_property
    def spec(self) -> RunSpec:
        """One of its specs; all share target classes, test images, network and recipe."""
        return min(self.configurations, key=lambda c: c.id).spec

    @property
    def target_set(self) -> str:
        """Name."""
        return self.spec.target.name

    @property
    def domain(self) -> str:
        """Image domain."""
        return self.configurations[0].domain

    @property
    def n_classes(self) -> int:
        """Target classes."""
        return len(self.spec.target.classes)

    @cached_property
    def samples_per_class(self) -> int:
        """A size from which a design can go up: the largest with a quarter of the largest ever trained."""
        sizes = {c.size for c in self.configurations if c.single and unedited(c.data.profile)} or {self._size}
        fitting = [size for size in sizes if DOUBLINGS * size <= max(sizes)]
        return max(fitting, default=min(sizes))

    @property
    def _size(self) -> int:
        return max(c.size for c in self.configurations) or 1

    @cached_property
    def image_steps(self) -> int:
        """The schedule that most of its configurations have."""
        return Counter(c.image_steps for c in self.configurations).most_common(1)[0][0]

    @cached_property
    def shifts(self) -> dict[str, TestSet]:
        """Every shift that one of its runs was tested on."""
        found: dict[str, TestSet] = {}
        for c in self.configurations:
            found |= c.spec.target.shifts
        return dict(sorted(found.items()))

    @cached_property
    def trained_source(self) -> tuple[str, str]:
        """(source, split) of the target images."""
        return next((c.data.source, c.data.split) for c in self.configurations if c.size)

    def others(
        self,
        kinds: Sequence[str],
        n_classes: int,
        samples_per_class: int,
        *,
        keep_shifts: bool = False,
        together: bool = False,
    ) -> Any:
        """A grid's level of `others`: n_classes other classes of the first of these kinds that the registry knows.

        kinds : same, other, synthetic; see `predictor.claims.configurations.other_kind`
        keep_shifts : sources first that share no origin with a shift
        together : the classes may come from several sources, each as far as a run has taken it
        Raises SpecError where no source of these kinds is known.
        """  # fmt: skip
        known = [name for kind in kinds for name in self._of_kind(kind, keep_shifts)]
        if not known:
            raise SpecError(f"no run takes other classes from {' or '.join(kinds)} sources", where=self.target_set)
        most = {name: self._images(name, n_classes) for name in known}
        ranked = [name for name in known if most[name] >= samples_per_class]
        if not ranked:
            best = max(known, key=most.__getitem__)
            raise SpecError(
                f"no run shows {samples_per_class} images of each other class; {best} gave {most[best]:g}",
                where=self.target_set,
            )
        if not together:
            return {"source": ranked[0], "n_classes": n_classes, "samples_per_class": samples_per_class}
        level, left = [], n_classes
        for number, name in enumerate(ranked, start=1):
            taken = left if number == len(ranked) else min(left, self.capacity.get(name, left))
            if taken:
                level.append({"source": name, "n_classes": taken, "samples_per_class": samples_per_class})
            left -= taken
        return level

    def _of_kind(self, kind: str, keep_shifts: bool) -> list[str]:
        own = self.trained_source[0]
        tests = {origin(test.source) for test in self.shifts.values()}
        if kind == "same":
            return [own]
        if kind == "synthetic":
            return sorted(name for name, digest in self.sources.items() if synthetic(digest)) or [FRACTALS[0]]
        names = [
            name
            for name in self.capacity
            if origin(name) != origin(own) and not synthetic(self.sources[name]) and self._near(name)
        ]
        return sorted(names, key=lambda name: (keep_shifts and origin(name) in tests, -self.capacity[name], name))

    def _images(self, name: str, n_classes: int) -> float:
        """Images of each of so many other classes that a run has had from the source; of drawn ones as many as wanted.

        Where no run took so many classes: of as many as any did.
        """
        if name == FRACTALS[0] or synthetic(self.sources.get(name, "")):
            return math.inf
        taken = self.taken.get(name, set())
        enough = min(n_classes, max((classes for classes, _ in taken), default=0))
        return max((images for classes, images in taken if classes >= enough), default=0)

    @cached_property
    def largest(self) -> int:
        """Images of the largest target class that a run of this target set has had."""
        return max((max(c.counts) for c in self.configurations if c.counts), default=0)

    def _near(self, name: str) -> bool:
        """Whether a run of this target set has taken classes from the source: another domain's would be no answer."""
        return any(other.source == name for c in self.configurations for s in c.spec.stages for other in s.data.others)


def sites(groups: Sequence[Sequence[Configuration]], known: Mapping[str, str]) -> list[Site]:
    """The target sets of the context that most of them share, those with shifts first.

    known : {source: digest} beyond those of the runs, as grids name them
    """
    contexts: dict[str, dict[str, list[Configuration]]] = defaultdict(lambda: defaultdict(list))
    sources, capacity = dict(known), Counter[str]()
    taken: dict[str, set[tuple[int, int]]] = defaultdict(set)
    every = [configuration for group in groups for configuration in group]
    protocols = compared_as([configuration.spec for configuration in every])
    for configuration, protocol in zip(every, protocols, strict=True):
        spec = configuration.spec
        sources |= spec.sources
        contexts[_context(spec, protocol)][spec.target.name].append(configuration)
        for stage in spec.stages:
            for other in stage.data.others:
                capacity[other.source] = max(capacity[other.source], other.n_classes)
                taken[other.source].add((other.n_classes, other.samples_per_class))
        if configuration.counts:  # classes of the target's own source are as large as those of other target sets
            size = min(configuration.counts)
            taken[configuration.data.source].add((len(configuration.counts), size))
    if not contexts:
        return []
    chosen = max(contexts.values(), key=lambda own: (len(own), sum(map(len, own.values()))))
    found = [Site(own, sources, capacity, taken) for own in chosen.values() if any(c.size for c in own)]
    return sorted(found, key=lambda site: (not site.shifts, site.target_set))


def _context(spec: RunSpec, protocol: int) -> str:
    """What one grid states once: whether images are mirrored is a target set's own."""
    model = spec.model.model_dump(mode="json")
    recipe = spec.recipe.model_dump(mode="json", exclude={"flip"})
    return json.dumps([protocol, model, recipe], sort_keys=True)
