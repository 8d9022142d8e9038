"""A stated sample of a large registry: whole configurations, so many of every study and target set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from predictor.records.parts import part_column, part_files
from predictor.records.store import stored_json, study_folders

FIELDS = ("configuration_id", "target_set", "run_id")


@dataclass(frozen=True)
class SampledRuns:
    """The configurations that were chosen, and in words how many of how many."""

    configurations: frozenset[str]
    note: str


def sampled(path: str | Path, studies: Sequence[str] | None, most: int) -> SampledRuns | None:
    """At most so many runs: configurations in the order of their ids' digests, in turn of every study and target set.

    None where the registry has no more. The same registry gives the same sample. Raises RegistryError as
    `read_registry`.
    """
    runs: list[tuple[str, str, str, str]] = []
    for folder in study_folders(path, studies):
        rows = [
            tuple(getattr(record, field) for field in FIELDS)
            for record in (stored.parse() for stored in stored_json(folder))
        ]
        for part in part_files(folder):
            rows += zip(*(part_column(part, field) for field in FIELDS), strict=True)
        runs += [(folder.name, *row) for row in rows]
    return sample_of(runs, most)


def sample_of(rows: Iterable[tuple[str, str, str, str]], most: int) -> SampledRuns | None:
    """The same of runs that are known already. rows : (study, configuration, target set, run id) of each"""
    runs: dict[tuple[str, str], dict[str, set[str]]] = {}
    for study, configuration, target_set, run_id in rows:
        runs.setdefault((study, target_set), {}).setdefault(configuration, set()).add(run_id)
    sizes = {key: {name: len(ids) for name, ids in found.items()} for key, found in runs.items()}
    n_runs = sum(sum(found.values()) for found in sizes.values())
    if n_runs <= most:
        return None
    waiting = {key: sorted(found, key=_digest, reverse=True) for key, found in sorted(sizes.items())}
    chosen: set[str] = set()
    taken = 0
    while any(waiting.values()):
        for key, names in waiting.items():
            if names and taken + sizes[key][names[-1]] <= most:
                name = names.pop()
                taken += sizes[key][name]
                chosen.add(name)
            elif names:
                names.clear()
    n = sum(len(found) for found in sizes.values())
    return SampledRuns(frozenset(chosen), f"a sample is fitted, {taken:,} of {n_runs:,} runs, {len(chosen):,} of {n:,} "
                                          "configurations, of every study and target set (--sample)")  # fmt: skip


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
