"""Configurations that could be trained next: what the grids of a registry plan, and their levels crossed anew."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, SpecError
from predictor.grids import load_grid, plan_grid
from predictor.grids.compose import compose, recipe_of, source, target_set_of
from predictor.protocols import compared_as, protocol_beside
from predictor.records.schema import RunRecord
from predictor.records.store import study_folders
from predictor.spec import RunSpec, Stage, StageData, canonical_json, planned_counts

LEVELS = 8  # of each axis that are crossed: those that most configurations have
MOST = 4000  # candidates that are weighed: beyond it a fixed sample of the crossing


@dataclass(frozen=True, eq=False)
class Candidate:
    """One configuration: its block in a grid, and what it would be trained on."""

    block: Mapping[str, Any]
    distribution: LabelDistribution
    target_set: str
    domain: str
    image_steps: int


@dataclass(frozen=True, eq=False)
class Space:
    """Everything that a grid of one network, recipe and protocol needs.

    specs : {target set: its single-stage specs}, trained or planned
    files : {source: file}; domains : {target set: domain}
    """

    specs: Mapping[str, Sequence[RunSpec]]
    files: Mapping[str, str | None]
    domains: Mapping[str, str]
    seeds: Sequence[Mapping[str, int]]
    notes: tuple[str, ...] = ()
    _checked: dict[str, bool] = field(default_factory=dict, repr=False)

    @property
    def first(self) -> RunSpec:
        """Any spec: network and recipe are the same in all, and all are comparable."""
        return next(iter(self.specs.values()))[0]

    def content(self, blocks: Sequence[Mapping[str, Any]], study: str) -> dict[str, Any]:
        """The grid of these blocks, as plain data."""
        digests = {key: digest for own in self.specs.values() for spec in own for key, digest in spec.sources.items()}
        return compose(
            study=study,
            protocol=protocol_beside([spec for own in self.specs.values() for spec in own]),
            sources={name: source(name, digest, self.files.get(name)) for name, digest in sorted(digests.items())},
            target_sets={name: self._target_set(name) for name in sorted({block["target_set"] for block in blocks})},
            model=self.first.model.model_dump(mode="json"),
            recipe=recipe_of(self.first),
            seeds=self.seeds,
            blocks=blocks,
        )

    def _target_set(self, name: str) -> dict[str, Any]:
        own = self.specs[name]
        shifts = {key: test for spec in own for key, test in spec.target.shifts.items()}
        return target_set_of(own[0], self.domains[name], shifts)

    def possible(self, block: Mapping[str, Any]) -> bool:
        """Whether a grid with this block can be planned: a profile may ask for more than its size allows."""
        key = canonical_json(dict(block))
        if key not in self._checked:
            try:
                plan_grid(self.content([block], "design"))
                self._checked[key] = True
            except SpecError:
                self._checked[key] = False
        return self._checked[key]


def read_space(runs: str | Path, records: Sequence[RunRecord], studies: Sequence[str] | None = None) -> Space:
    """The space around the records of a registry and the grids beside them.

    Held-out studies are left out unless named. Where the runs are of several networks or recipes, the one with most.

    Raises FitError where no run states a spec of one stage.
    """
    files: dict[str, str | None] = {}
    domains = {record.target_set: record.domain for record in records}
    specs = [RunSpec.model_validate(record.spec) for record in records if record.spec is not None]
    for folder in study_folders(runs, studies):
        if not (folder / "grid.yaml").is_file():
            continue
        grid = load_grid(folder / "grid.yaml")
        if grid.held_out and not studies:
            continue
        files |= {name: source.file for name, source in grid.sources.items()}
        domains |= grid.domains
        specs += [run.spec for run in grid.runs]
    single = [spec for spec in specs if len(spec.stages) == 1 and not spec.stages[0].data.blend]
    single = [spec for spec in single if spec.stages[0].recipe is None and spec.stages[0].data.samples_per_class]
    if not single:
        raise FitError(
            "no run of one stage that states its spec", where=str(runs), remedy="train some: trainer run GRID.yaml"
        )
    keys = [_context(spec, protocol) for spec, protocol in zip(single, compared_as(single), strict=True)]
    contexts = Counter(keys)
    context, n = contexts.most_common(1)[0]
    kept = [spec for spec, key in zip(single, keys, strict=True) if key == context]
    notes = () if len(contexts) == 1 else (
        f"{len(contexts)} networks, recipes or protocols; designed for the one of {n} of {len(single)} runs",
    )  # fmt: skip
    by_set: dict[str, dict[str, RunSpec]] = {}
    for spec in kept:
        by_set.setdefault(spec.target.name, {}).setdefault(spec.run_id, spec)
    seeds = Counter(canonical_json(spec.seeds.model_dump()) for spec in kept)
    least = max(seeds.values()) / 2
    chosen = [spec.seeds for spec in kept if seeds[canonical_json(spec.seeds.model_dump())] >= least]
    return Space(
        specs={name: [own[key] for key in sorted(own)] for name, own in sorted(by_set.items())},
        files=files,
        domains=domains,
        seeds=[{"data": d, "training": t} for d, t in sorted({(s.data, s.training) for s in chosen})],
        notes=notes,
    )


def _context(spec: RunSpec, protocol: int) -> str:
    recipe = spec.recipe.model_dump(mode="json", exclude={"flip"})
    return canonical_json({"protocol": protocol, "model": spec.model.model_dump(mode="json"), "recipe": recipe})


def candidates(space: Space, finished: set[str]) -> list[Candidate]:
    """Configurations of the space of which no run is finished.

    finished : configuration ids
    First what the grids plan, then every target set crossed with the levels of size, profile, other classes and
    schedule that its own image source has seen anywhere; no class larger than any that was taken or planned from it.
    """
    found: dict[str, Candidate] = {}
    trained = {_key(spec) for own in space.specs.values() for spec in own if spec.configuration_id in finished}
    for name, own in space.specs.items():
        home = own[0].stages[0].data.source
        kin = [s for others in space.specs.values() for s in others if s.stages[0].data.source == home]
        everything = [s for others in space.specs.values() for s in others]
        sizes = _frequent([s.stages[0].data.samples_per_class for s in everything])
        profiles = _frequent([s.stages[0].data.profile for s in everything if _free(s)])
        others = _frequent([s.stages[0].data.others for s in kin])
        steps = _frequent([s.stages[0].image_steps for s in everything])
        planned = [(s.stages[0].data, s.stages[0].image_steps) for s in own]
        width = own[0].model.head - len(own[0].target.classes)
        largest = max(int(planned_counts(s).target_counts.max()) for s in kin)
        crossing = [
            (own[0].stages[0].data.model_copy(update={"samples_per_class": size, "profile": p, "others": o}), n)
            for size, p, o, n in itertools.product(sizes, profiles, others, steps)
            if sum(group.n_classes for group in o) <= width
        ]
        for data, n in [*planned, *crossing]:
            spec = own[0].model_copy(update={"stages": (Stage(data=data, image_steps=n),)})
            key = _key(spec)
            if key in trained or key in found:
                continue
            try:
                distribution = planned_counts(spec)
            except ValueError:
                continue
            if int(distribution.target_counts.max()) > largest:
                continue
            found[key] = Candidate(_block(name, data, n), distribution, name, space.domains[name], n)
    every = list(found.values())
    if len(every) > MOST:
        keep = np.random.default_rng(0).permutation(len(every))[:MOST]
        every = [every[i] for i in sorted(keep)]
    return every


def _free(spec: RunSpec) -> bool:
    """Whether the profile goes with any number of classes."""
    return spec.stages[0].data.profile.counts is None


def _key(spec: RunSpec) -> str:
    stage = spec.stages[0]
    return canonical_json(
        {"target": spec.target.name, "data": stage.data.model_dump(mode="json"), "n": stage.image_steps}
    )


def _frequent(levels: Sequence[Any]) -> list[Any]:
    counted = Counter(levels)
    return sorted(counted, key=lambda level: (-counted[level], str(level)))[:LEVELS]


def _block(name: str, data: StageData, steps: int) -> dict[str, Any]:
    profile = data.profile.model_dump(mode="json", exclude_defaults=True)
    block: dict[str, Any] = {
        "target_set": name,
        "samples_per_class": data.samples_per_class,
        "profile": {"shape": data.profile.shape, **profile},
    }
    if data.others:
        block["others"] = [[group.model_dump(mode="json", exclude_defaults=True) for group in data.others]]
    return {**block, "image_steps": steps}
