"""Claims that cannot be decided yet -> the runs that would decide them, as a grid that `trainer run` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from predictor.claims.base import TARGET_SETS, Claim
from predictor.claims.evidence import PartResult
from predictor.claims.target_sets import FRACTALS, Site
from predictor.errors import SpecError
from predictor.grids import plan_grid
from predictor.grids.compose import compose, recipe_of, source, target_set_of
from predictor.spec import target_counts

STUDY = "missing"
SEEDS = (0, 1, 2)
MOST_SEEDS = 30  # of all configurations together
STAGE_PLANS: dict[str, list[dict[str, Any]]] = {
    "many-then-few": [{"share": 0.5}, {"share": 0.5, "head": "fresh", "others": "none"}],
    "few-then-many": [{"share": 0.5, "others": "none"}, {"share": 0.5, "head": "fresh"}],
}


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a claim lacks.

    n_runs : runs of the grid that the registry does not hold
    further_target_sets : so many target sets more than the registry has at all are needed
    notes : why some target set cannot serve
    blocks : of the grid, one configuration each; target_sets : names of theirs
    """

    n_runs: int
    further_target_sets: int
    notes: tuple[str, ...]
    blocks: tuple[Mapping[str, Any], ...] = field(repr=False)
    target_sets: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = []
        if self.n_runs:
            parts.append(f"{self.n_runs} runs on {', '.join(self.target_sets)}")
        if self.further_target_sets:
            sets = "target set" if self.further_target_sets == 1 else "target sets"
            parts.append(f"{self.further_target_sets} further {sets}: name them in a grid of your own")
        return "; ".join([*parts, *self.notes])


def missing(
    claim: Claim, parts: Sequence[PartResult], places: Sequence[Site], finished: set[str], files: Mapping[str, str]
) -> Missing | None:
    """The runs that give every part of a claim enough target sets; None where each has them.

    finished : run ids that the registry holds; files : {source: file} as grids name them
    """
    lacking = [part for part in parts if part.n_target_sets < TARGET_SETS]
    if not lacking:
        return None
    if claim.design is None:
        return Missing(n_runs=0, further_target_sets=0, notes=("the claim states no design",), blocks=())
    blocks: list[Mapping[str, Any]] = []
    n_runs, notes, short = 0, [], 0
    chosen: set[str] = set()
    for part in lacking:
        fit = [site for site in places if site.shifts or part.outcome != "robustness"]
        new = [site for site in fit if site.target_set not in part.target_sets]
        wanted = TARGET_SETS - part.n_target_sets
        coming = sum(site.target_set in chosen for site in new)
        for site in new:
            if coming >= wanted or site.target_set in chosen:
                continue
            try:
                found, n = _open_blocks(claim, site, places, finished, files)
            except SpecError as error:
                notes.append(f"{site.target_set}: {error.problem}")
                continue
            if found:
                chosen.add(site.target_set)
                blocks, n_runs, coming = [*blocks, *found], n_runs + n, coming + 1
        short = max(short, wanted - coming)
    return Missing(
        n_runs=n_runs,
        further_target_sets=short,
        notes=tuple(dict.fromkeys(notes)),
        blocks=tuple(blocks),
        target_sets=tuple(sorted(chosen)),
    )


def grid_content(
    blocks: Sequence[Mapping[str, Any]], places: Sequence[Site], files: Mapping[str, str], study: str = STUDY
) -> dict[str, Any]:
    """The grid of these blocks: plain data, as its YAML holds it."""
    by_name = {site.target_set: site for site in places}
    used = {block["target_set"]: by_name[block["target_set"]] for block in blocks}
    first = next(iter(used.values()))
    plans = {str(block["stages"]) for block in blocks if "stages" in block}
    seeds = sorted({seed for site in used.values() for c in site.configurations for seed in c.run_ids})
    if len(seeds) > MOST_SEEDS:  # every configuration drew its own: there is nothing to pair with
        seeds = list(SEEDS)
    known = {FRACTALS[0]: FRACTALS[1], **first.sources}
    return compose(
        study=study,
        protocol=first.spec.protocol,
        sources={name: source(name, digest, files.get(name)) for name, digest in sorted(known.items())},
        target_sets={name: _target_set(site) for name, site in sorted(used.items())},
        model=first.spec.model.model_dump(mode="json"),
        recipe={**recipe_of(first.spec), "image_steps": first.image_steps},
        seeds=seeds if len(seeds) >= len(SEEDS) else list(SEEDS),
        blocks=[block for number, block in enumerate(blocks) if block not in blocks[:number]],
        stage_plans={name: STAGE_PLANS[name] for name in sorted(plans)},
    )


def _target_set(site: Site) -> dict[str, Any]:
    return target_set_of(site.spec, site.domain or "unknown", site.shifts, trained=site.trained_source)


def _open_blocks(
    claim: Claim, site: Site, places: Sequence[Site], finished: set[str], files: Mapping[str, str]
) -> tuple[list[Mapping[str, Any]], int]:
    """The configurations of a claim's design at a site that the registry lacks, in whole or in part, and their runs."""
    assert claim.design is not None
    found, n_runs = [], 0
    for levels in claim.design(site):
        block = {"target_set": site.target_set, **levels}
        if isinstance(others := block.get("others"), list):
            block["others"] = [others]  # a list would be several levels: these groups are one
        runs = plan_grid(grid_content([block], places, files)).runs
        largest = max((max(target_counts(run.spec).values(), default=0) for run in runs), default=0)
        if largest > site.largest:
            raise SpecError(f"{largest} images of one class; the largest that a run has had is {site.largest}")
        open_runs = {run.spec.run_id for run in runs} - finished
        if open_runs and block not in found:
            found.append(block)
            n_runs += len(open_runs)
    return found, n_runs
