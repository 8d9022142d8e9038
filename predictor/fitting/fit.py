"""Run records -> Fit: every outcome, every family, the validation table; deterministic, data only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import FitError, listed, package_version
from predictor.fitting.calibration import Calibrated, models_of, spread
from predictor.fitting.classes import per_class
from predictor.fitting.configurations import Configurations, configurations
from predictor.fitting.description import description
from predictor.fitting.draws import crossed_parts
from predictor.fitting.folds import group_folds
from predictor.fitting.held_out import calibrate_all
from predictor.fitting.left_out import UNFITTED
from predictor.fitting.parallel import processes_for, side_by_side
from predictor.fitting.probes import probed, told_of
from predictor.fitting.rows import Selection, outcome_names, record_family, rows_for, select
from predictor.fitting.shifts import ROBUSTNESS, SHIFT, robustness_by_shift
from predictor.fitting.stored import covered_at, n_tested, of_configurations, residuals, single
from predictor.fitting.validation import Split, choose, splits, validate, validate_draws
from predictor.images.results import Probe
from predictor.models.base import Family, families, forget
from predictor.models.by_shift import BY_SHIFT
from predictor.models.fit import KIND, SCHEMA_VERSION, Fit, rounded
from predictor.models.probed import Told
from predictor.models.rows import Row, Sample
from predictor.records import RunRecord, read_registry
from predictor.statistics.ties import varies

FEWEST = 10  # configurations of an outcome: fewer calibrate no 90 % interval
ENOUGH = 2000  # runs and outcomes from which more processes bring more than their start costs
APART = (
    "classwise",
    "gaussian_process",
    "average",
)  # compete for recipe families beside the main one: they know actions
NO_PROBES: Mapping[str, Probe] = {}
Progress = Callable[[str, float], None]
_Job = tuple[
    str, Sample | str, Sequence[Family], Mapping[str, Told]
]  # outcome, its runs or a problem, families, probes
PROBED = "accuracy"  # a probe of training images says nothing of a shift


def fit_registry(
    records: str | Path | Iterable[RunRecord],
    outcomes: Sequence[str] | None = None,
    family_names: Sequence[str] | None = None,
    studies: Sequence[str] | None = None,
    *,
    take: Sequence[str] = (),
    notes: Sequence[str] = (),
    probes: Mapping[str, Probe] = NO_PROBES,
    progress: Progress | None = None,
    processes: int | None = None,
) -> Fit:
    """Fit, choose, validate and calibrate; recipe families (`predictor.recipes`) each for themselves.

    records : runs, or the folder of a registry
    outcomes : names; all that were measured where left out
    family_names : models that compete, else all that do by default; the baselines are always fitted for comparison
    studies : only these; held-out studies and reported tables enter only when named here
    take : settings of other recipes that become factors, see `predictor.fitting.select`
    notes : what was left out of the records before
    probes : {key: probe} of training images, as `predictor.records.indicator_inputs.probes_of` reads them
    progress : called with what is being done and the share that is done, 0 to 1: after each held-out fold, or after
        each outcome where several are fitted side by side
    processes : that fit outcomes side by side; None: one a core where there is enough to do. The fit is the same

    Raises FitError where no outcome can be fitted, or a named outcome, family or study is unknown.
    """
    tell = progress or (lambda line, share: None)
    if isinstance(records, str | Path):
        records = read_registry(records)
    records = list(records)
    main = select(records, studies, take=take)
    apart, reasons = {}, []
    for family in sorted(set(map(record_family, records)) - {main.family}):
        try:
            apart[family] = select(records, studies, family=family, take=take)
        except FitError as fault:
            reasons.append(f"{UNFITTED}{family}: {fault.problem}")
    selections = [main, *apart.values()]
    available = dict.fromkeys(name for selection in selections for name in outcome_names(selection))
    unknown = sorted(set(outcomes or ()) - set(available))
    if unknown:
        shown = ", ".join(available) or "none"
        raise FitError(f"no run measured {', '.join(unknown)}; measured: {shown}", remedy="check --outcome")
    content = _content(main, outcomes, _families(family_names), family_names is None, probes, tell, processes)
    families = {}
    for family, selection in apart.items():

        def within(line: str, share: float, family: str = family) -> None:
            tell(f"{family}: {line}", share)

        wanted = [name for name in outcomes or () if name in outcome_names(selection)] or None
        if outcomes is not None and wanted is None:
            continue
        competing = _families(family_names or APART)
        try:
            families[family] = _content(selection, wanted, competing, True, probes, within, processes)
        except FitError as fault:
            reasons.append(f"{UNFITTED}{family}: {fault.problem}")
    content["left_out"] += [*notes, *reasons]
    if families:
        content["recipe_families"] = families
    return Fit(rounded(content))


def _content(
    selection: Selection,
    outcomes: Sequence[str] | None,
    competing: Sequence[Family],
    with_shifts: bool,
    probes: Mapping[str, Probe],
    tell: Progress,
    processes: int | None,
) -> dict[str, Any]:
    """What fit.json holds of one recipe family. Raises FitError where no outcome, or not one that is named, can be."""
    left_out = list(selection.left_out)
    fitted: dict[str, Any] = {}
    validation: list[dict[str, Any]] = []
    reasons = []
    names = [name for name in outcome_names(selection) if outcomes is None or name in outcomes]
    made: dict[str, _Made] = {}
    for one in _made(selection, names, competing, told_of(selection.records, probes), tell, processes):
        made[one.name] = one
    if with_shifts:
        made |= _with_shifts(selection, made)
    for name in names:
        if made[name].problem is not None:
            if outcomes is not None:
                raise FitError(
                    f"outcome {name}: {made[name].problem}", remedy=f"leave it out, or {_more(selection, 'runs')}"
                )
            reasons.append(f"{name}: {made[name].problem}")
            continue
        fitted[name] = made[name].entry
        validation += made[name].table
        left_out += [f"{name}: {note}" for note in made[name].notes]
    if ROBUSTNESS in fitted and (note := _robustness_rows(selection, names)[1]):
        left_out.append(f"{ROBUSTNESS}: {note}")
    if not fitted:
        raise FitError(f"no outcome can be fitted ({listed(reasons) or 'nothing was measured'})",
                       remedy=_more(selection, "configurations"))  # fmt: skip
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "versions": {"predictor": package_version("predictor"), "numpy": np.__version__},
        "recipe_family": selection.family,
        **description(selection, rows_for(selection, next(iter(fitted)))),
        "left_out": left_out + reasons,
        "outcomes": fitted,
        "validation": validation,
    }


@dataclass(frozen=True)
class _Made:
    """One outcome: what fit.json holds of it, its validation rows, notes on what was left out; or what was wrong.

    held : the families on held-out configurations
    """

    name: str
    entry: dict[str, Any]
    table: list[dict[str, Any]]
    notes: list[str]
    problem: str | None = None
    held: Mapping[str, Calibrated] = field(default_factory=dict)


def _made(
    selection: Selection,
    names: Sequence[str],
    competing: Sequence[Family],
    told: Mapping[str, Told],
    tell: Progress,
    processes: int | None,
) -> Iterator[_Made]:
    """Every outcome, as soon as it is done: the largest first, so that no process is left with one at the end."""
    runs = {name: sum(name in record.outcomes for record in selection.records) for name in names}
    jobs = _jobs(selection, sorted(names, key=lambda name: -runs[name]), competing, told)
    processes = processes_for(processes, len(names), enough=sum(runs.values()) >= ENOUGH)
    if processes > 1:
        tell(f"{len(names)} outcomes, {processes} at a time", 0.0)
        for done, one in enumerate(side_by_side(_fit_one, jobs, processes), start=1):
            tell(f"{one.name}: done", done / len(names))
            yield one
        return
    for number, job in enumerate(jobs):

        def within(line: str, share: float, done: int = number) -> None:
            tell(line, (done + share) / len(names))

        yield from side_by_side(partial(_fit_one, tell=within), [job], 1)


def _jobs(
    selection: Selection, names: Sequence[str], competing: Sequence[Family], told: Mapping[str, Told]
) -> Iterator[_Job]:
    """(outcome, its runs or why they cannot be fitted, the families); one after the other, while others are fitted."""
    for name in names:
        try:
            rows = _robustness_rows(selection, names)[0] if name == ROBUSTNESS else Sample.of(rows_for(selection, name))
            written = {(r.configuration_id, r.target_set) for r in selection.records if name in r.outcomes}
            problem = _problem(rows, configurations(rows), len(written))
            yield name, problem or rows, competing, told if name == PROBED else {}
        except FitError as fault:
            yield name, fault.problem, competing, {}


def _robustness_rows(selection: Selection, names: Sequence[str]) -> tuple[Sample, str | None]:
    """Runs of robustness that were tested on shifts with a model of their own alone; and which others there are.

    A mean over shifts of which one cannot be predicted would be another quantity than the one that is shown.
    """
    rows = Sample.of(rows_for(selection, ROBUSTNESS))
    shifts = [(name, Sample.of(rows_for(selection, name))) for name in names if name.startswith(SHIFT)]
    without = {name for name, own in shifts if _problem(own, configurations(own))}
    out = np.array([not without.isdisjoint(row.case.shifts) for row in rows], dtype=bool)
    if len(without) == len(shifts) or not out.any():
        return rows, None
    return rows.part(np.flatnonzero(~out)), f"{out.sum()} runs left out: no model of {listed(sorted(without))}"


def _fit_one(job: _Job, tell: Progress = lambda line, share: None) -> _Made:
    name, rows, competing, told = job
    if isinstance(rows, str):
        return _Made(name, {}, [], [], rows)
    try:
        return _Made(name, *_fit_outcome(name, rows, configurations(rows), competing, told, tell))
    except FitError as fault:
        return _Made(name, {}, [], [], fault.problem)
    finally:
        forget()


def _more(selection: Selection, what: str) -> str:
    """How there can be more to fit on."""
    if not any(record.provenance == "imported" for record in selection.records):
        return f"train more {what}: trainer run GRID.yaml"
    return "add results on other images: of an imported run a fit knows the counts or indicators, not the recipe"


def _families(names: Sequence[str] | None) -> list[Family]:
    known = families()
    for name in names or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or list(known)
            raise FitError(f"unknown model family {name!r}; near: {', '.join(near)}", remedy="check --family")
    return [item for item in known.values() if item.baseline or (item.default if names is None else item.name in names)]


def _problem(rows: Sequence[Row], configs: Configurations, written: int = 0) -> str | None:
    """Why an outcome cannot be fitted. written : configurations as their records name them"""
    if (n := len(configs.ids)) < FEWEST:
        same = f" ({written} by their settings: those that a fit cannot tell apart are one)" if written > n else ""
        return f"{n} configurations{same}; at least {FEWEST} are needed"
    if not varies(configs.values):
        return f"it never varies: {configs.values[0]:.4g} in all {len(configs.ids)} configurations"
    return None


def _fit_outcome(
    name: str,
    rows: Sequence[Row],
    configs: Configurations,
    competing: Sequence[Family],
    told: Mapping[str, Told],
    tell: Progress,
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str], None, dict[str, Calibrated]]:
    """(what fit.json holds for the outcome, its validation rows, notes on what was left out, no problem, families)."""
    models = [family.name for family in competing if not family.baseline]
    named = any(item.default and not item.baseline and item.name not in models for item in families().values())
    if not named and any(row.case.distribution is not None for row in rows):
        competing = [family for family in competing if not family.tables]
    made, notes = splits(rows, configs)
    by_name = {split.name: split for split in made}
    total = len(made)
    tell(f"{name}: configuration", 0.0)
    inside = by_name["configuration"].folds
    draws = crossed_parts(rows, configs, [fold for fold in inside if not isinstance(fold, tuple)])
    if draws is None:
        notes.append("new_draws: the runs share one data seed, or do not say theirs; new draws were not tested")
    fits, failed = calibrate_all(competing, rows, configs, inside, draws=draws)
    notes += [f"family {key} left out: {problem.removeprefix(f'family {key} ')}" for key, problem in failed.items()]
    if not fits or (named and not set(models) & set(fits)):  # what was asked for: no baseline stands in for it
        raise FitError(listed([f"{key}: {failed[key].removeprefix(f'family {key} ')}" for key in models] or notes))
    working = [family for family in competing if family.name in fits]
    chosen_new = chosen = choose(fits, without_level=False)
    table = validate(name, rows, configs, fits, by_name["configuration"], chosen)
    table += validate_draws(name, rows, configs, fits, chosen)
    weights = next((item.weights for item in fits.values() if item.weights), None)
    found: dict[str, dict[str, Calibrated]] = {"configuration": fits}
    for number, split in enumerate(made[1:], start=1):
        tell(f"{name}: {split.name}", number / total)
        growing = split.name == "extrapolation"
        try:
            own, lost = calibrate_all(
                working, rows, configs, split.folds, without_level=split.without_level,
                weights=weights if growing else None,
            )  # fmt: skip
            if not own:
                raise FitError(next(iter(lost.values())))
        except FitError as fault:
            notes.append(f"split {split.name} left out: {fault.problem}")
            continue
        notes += [f"{split.name}: family {key} left out: {problem}" for key, problem in lost.items()]
        found[split.name] = own
        pick = chosen if growing else choose(own, without_level=split.without_level)
        chosen_new = pick if split.name == "target_set" else chosen_new
        if pick in own:
            table += validate(name, rows, configs, own, split, pick, fits if growing else None)
    across = found.get("target_set", {})
    if not across and len(np.unique(configs.target_sets)) > 1:
        across, _ = calibrate_all(working, rows, configs, group_folds(configs.target_sets), without_level=True)
    by_set = across.get(chosen_new)
    over_domains = found.get("domain", {})
    by_domain = over_domains.get(chosen_new)
    larger = found.get("extrapolation", {}).get(chosen)  # the family that predicts inside the range goes on beyond it
    entry = {
        "scale": configs.scale.plain(),
        "target_sets": sorted(set(configs.target_sets.tolist())),
        "domains": sorted(set(configs.domains.tolist())),
        "tested": {row.target_set: sorted(row.case.tested) for row in rows if row.case.tested is not None},
        "families": {key: item.parameters for key, item in fits.items()},
        "models": models_of(fits),
        "configuration": of_configurations(fits[chosen], configs, table),
        "target_set": {
            "family": chosen_new,
            **residuals(by_set or fits[chosen_new]),
            "single": single(by_set or fits[chosen_new]),
            "covered": covered_at(table, "target_set"),
            "spread": spread(by_set, by_domain, fits[chosen_new], len(np.unique(configs.domains))),
        },
        "extrapolation": {
            "family": chosen,
            **residuals(larger),
            "groups": larger.batches,
            "covered": covered_at(table, "extrapolation"),
        }
        if larger is not None
        else None,
        "domain": {
            "family": chosen_new,
            **residuals(by_domain),
            "single": single(by_domain),
            "sets": by_domain.groups.tolist(),
            "groups": by_domain.domains.tolist(),
            "covered": covered_at(table, "domain"),
        }
        if by_domain is not None and by_name["domain"].no_intervals is None
        else None,
        "n_tested": n_tested(configs),
        "usual_steps": configs.usual_steps,
        "per_class": per_class(rows, configs, fits, chosen, across, chosen_new),
    }
    if told:
        entry["probed"] = probed(rows, configs, across, over_domains, chosen_new, told, entry["per_class"])
    if by_set is None:  # residuals inside the only target set calibrate comparisons, never a level
        entry["target_set"]["groups"] = ["only target set"] * len(configs.ids)
    return entry, table, notes, None, {key: replace(item, fold_parameters=()) for key, item in fits.items()}


def _with_shifts(selection: Selection, made: Mapping[str, _Made]) -> dict[str, _Made]:
    """Robustness again, predicted shift by shift, where every shift was fitted; else nothing."""
    one = made.get(ROBUSTNESS)
    shifts = {name: item for name, item in made.items() if name.startswith(SHIFT) and item.problem is None}
    if one is None or one.problem is not None or not shifts:
        return {}
    rows, _ = _robustness_rows(selection, list(made))
    configs = configurations(rows)
    told, tested = {}, {}
    for name, item in shifts.items():
        own = Sample.of(rows_for(selection, name))
        told[name] = configurations(own), item.held[item.entry["configuration"]["family"]]
        tested[name] = {row.case.level or "": sorted(row.case.tested) for row in own if row.case.tested is not None}
    found = robustness_by_shift(rows, configs, one.held[one.entry["configuration"]["family"]], told, tested)
    if found is None:
        return {ROBUSTNESS: replace(one, notes=[*one.notes, "by_shift: some shift of some configuration has no model"])}
    fits = {**one.held, BY_SHIFT.name: found}
    table = validate(ROBUSTNESS, rows, configs, fits, Split("configuration", ()), BY_SHIFT.name)
    table += validate_draws(ROBUSTNESS, rows, configs, fits, BY_SHIFT.name)
    table += [row for row in one.table if row["split"] not in ("configuration", "new_draws")]
    entry = {**one.entry, "families": {**one.entry["families"], BY_SHIFT.name: found.parameters}}
    entry["configuration"] = of_configurations(found, configs, table)
    return {ROBUSTNESS: replace(one, entry=entry, table=table)}
