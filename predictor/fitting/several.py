"""Several registries in one fit: the first is the main one, of the others only what has enough evidence enters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from predictor.errors import FitError
from predictor.fitting.rows import entering, recipe_of
from predictor.images.results import Probe
from predictor.models.case import recipe_name
from predictor.records import RunRecord, read_registry
from predictor.records.indicator_inputs import probes_of
from predictor.records.sampling import sampled
from predictor.text import command

ENTERS = 4  # configurations of a target set and network from which further registries enter a fit


def read_several(
    registries: Sequence[str | Path],
    studies: Sequence[str] | None = None,
    most: int | None = None,
    take: Sequence[str] = (),
) -> tuple[list[RunRecord], list[str]]:
    """(the records to fit on, in words what was left out).

    Of each registry but the first, a target set under one network enters with `ENTERS` configurations that the first
    one does not hold: fewer tell its level and slope no better than pilots do, and would move everybody's prediction.

    most : runs of each registry; of a larger one a stated sample, see `predictor.records.sampling`
    take : settings of other recipes that become factors, see `predictor.fitting.select`

    Raises RegistryError where there is no registry, FitError where two name one study or target set and mean
    different things.
    """
    named = [Path(registry) for registry in registries]
    if len(set(map(str, named))) < len(named):
        raise FitError("a registry is named twice", remedy="name every registry once")
    found: list[RunRecord] = []
    notes: list[str] = []
    for number, registry in enumerate(named):
        among = studies if len(named) == 1 else None
        chosen = None if most is None else sampled(registry, among, most)
        notes += [f"{registry}: {chosen.note}"] if chosen else []
        own = read_registry(registry, among, chosen.configurations if chosen else None)
        if studies and len(named) > 1:
            own = [record for record in own if record.study in studies]
        if number:
            own, left = _entering(own, found, registry, entering([*found, *own], studies, take))
            notes += left
            _check_alike(found, own, registry)
        found += own
    return found, notes


def _entering(
    records: Sequence[RunRecord], before: Sequence[RunRecord], registry: Path, fitted: set[str]
) -> tuple[list[RunRecord], list[str]]:
    """(the records that go on, in words what does not). fitted : runs that the fit would take; it names all others"""
    known = {record.run_id for record in before}
    groups: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        groups[record.target_set, recipe_name(*recipe_of(record)[:2])].append(record)
    kept, notes = [], []
    for (target_set, recipe), own in sorted(groups.items()):
        completed = [record for record in own if record.status == "completed" and record.run_id not in known]
        every = {record.configuration_id for record in completed}
        new = {record.configuration_id for record in completed if record.run_id in fitted}
        if len(new) >= ENTERS or (len(every) >= ENTERS and not new):
            kept += own
            continue
        if len(every) >= ENTERS:  # of several recipes: those of others go on, to be named with what takes them
            kept += [record for record in own if record.run_id not in fitted]
            notes.append(
                f"{registry}: {_many(new)} of {target_set} with {recipe} in the recipe that is fitted: {ENTERS} are "
                "needed to enter a fit"
            )
        elif every:
            pilots = command("predictor", "predict", "MANIFEST", "--pilot", registry)
            notes.append(
                f"{registry}: {_many(every)} of {target_set} with {recipe}: {ENTERS} are needed to enter a fit; fewer "
                f"are pilots: {pilots}"
            )
    return kept, notes


def _many(configurations: set[str]) -> str:
    return f"{len(configurations)} configuration{'s' * (len(configurations) > 1)}"


def _check_alike(before: Sequence[RunRecord], after: Sequence[RunRecord], registry: Path) -> None:
    """Refuse a target set of one name and other classes or another domain."""
    known = {record.target_set: (record.domain, _classes(record)) for record in before}
    for record in after:
        home = known.get(record.target_set)
        own = record.domain, _classes(record)
        if home is not None and home != own:
            what = f"domain {own[0]} instead of {home[0]}" if home[0] != own[0] else "other classes"
            raise FitError(
                f"target set {record.target_set!r} has {what} than in the registries before",
                where=str(registry),
                remedy="give it another name in its grid",
            )


def _classes(record: RunRecord) -> frozenset[str] | None:
    distribution = record.distribution
    return None if distribution is None else frozenset(distribution.target_names)


def probes_of_several(registries: Sequence[str | Path]) -> dict[str, Probe]:
    """{key: probe} of the training images of all of them."""
    return {key: probe for registry in registries for key, probe in probes_of(registry).items()}
