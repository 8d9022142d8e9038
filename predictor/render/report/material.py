"""What the page is made of: runs, their configurations, a fit with its validation, verdicts and rank agreement.

A fit of exactly these runs is used as it is stored: its validation is not computed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.errors import FitError, PredictorError
from predictor.reading import MIB, read_text

if TYPE_CHECKING:
    import pandas as pd

    from predictor.agreements.estimated import PooledRho, Rho
    from predictor.claims import ClaimsReport
    from predictor.fitting import Selection
    from predictor.models.fit import Fit
    from predictor.records import RunRecord
    from predictor.records.columns import Columns

MAX_CARD = MIB  # bytes of a registry's README.md that the page shows
MAIN = ("accuracy", "robustness")
LARGE, TAKEN = 20_000, 2_500  # runs of a registry from which a page takes a sample to fit and judge; runs of that
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """Everything that the sections show.

    records : those that are read whole: all, of a large registry its sample and what is held out
    columns, frame : a row a run, of all; fit : None where the runs allow none, `fit_reason` then says why
    fit_from : where the fit comes from, in words; scored : rows of `score_held_out`
    claims : None where they cannot be judged, `claims_reason` then says why
    rhos : agreement inside target sets; card : the registry's README.md
    sample : what the claims are of, in words, where not of all runs
    """

    title: str
    records: Sequence[RunRecord]
    columns: Columns
    frame: pd.DataFrame
    fit: Fit | None
    fit_reason: str | None
    fit_from: str
    scored: Sequence[dict[str, Any]]
    claims: ClaimsReport | None
    claims_reason: str | None
    rhos: Sequence[Rho]
    card: str | None = None
    sample: str | None = None

    @cached_property
    def configurations(self) -> pd.DataFrame:
        """A row a configuration: means over its seeds, and what it was trained on."""
        frame = self.frame
        keys = ["study", "target_set", "configuration_id"]
        outcomes = [name for name in frame.columns if name.startswith("out_")]
        found = frame.groupby(keys, sort=True)[outcomes].mean()
        firsts = ["domain", "provenance", "held_out", "spec_model", "spec_image_steps", "axis_profile", "axis_stages",
                  "ind_n_samples", "ind_n_other_classes"]  # fmt: skip
        firsts = [name for name in firsts if name in frame]
        found = found.join(frame.groupby(keys, sort=True)[firsts].first())
        found["n_runs"] = frame.groupby(keys, sort=True).size()
        for name in ("spec_model", "spec_image_steps", "axis_profile", "axis_stages", "ind_n_other_classes"):
            if name not in found:
                found[name] = None
        return found.reset_index()

    @cached_property
    def trained(self) -> pd.DataFrame:
        """Configurations that were trained, not reported."""
        return self.configurations[self.configurations["provenance"].eq("trained")]

    @cached_property
    def domains(self) -> list[str]:
        """Image domains, the one with most configurations first."""
        return self.configurations.groupby("domain").size().sort_values(ascending=False, kind="stable").index.tolist()

    @cached_property
    def pooled(self) -> list[PooledRho]:
        """Agreement of trained runs over target sets."""
        from predictor.agreements.estimated import pooled_estimates

        trained = set(self.frame.loc[self.frame["provenance"].eq("trained"), "study"])
        return pooled_estimates([row for row in self.rhos if row.study in trained])

    def groups(self, outcome: str) -> list[PooledRho]:
        """`pooled` of an outcome, indicators that say the same folded into one."""
        from predictor.agreements.estimated import folded

        own = [row for row in self.pooled if row.outcome == outcome]
        return folded(own, self.frame[self.frame["provenance"].eq("trained")]) if own else []


def material(
    runs: Path, studies: Sequence[str] | None = None, *, fit: Path | None = None, progress: Progress | None = None
) -> Material:
    """Read a registry and compute what is not stored.

    fit : a fit.json to show; None: RUNS/fit.json or the fit that ships, where it is of exactly these runs, else a new
        one
    Raises RegistryError where there is no registry, FitError for a fit that cannot be read.
    """
    from predictor.records import read_registry
    from predictor.records.indicator_inputs import probes_of

    tell = progress or (lambda line, share: None)
    tell("reading runs", 0.0)
    columns, records, taken, sample = _read(runs, studies)
    every = _Selected(columns, lambda: read_registry(runs, studies) if sample else records)
    found, reason, where = _fit(every, taken, sample, runs, fit, probes_of(runs), tell)
    title = f"Registry {runs.resolve().name}"
    return material_of(
        records, found, reason, where, title=title, card=_card(runs), columns=columns, taken=taken, sample=sample,
        progress=tell,
    )  # fmt: skip


def material_of(
    records: Sequence[RunRecord],
    fit: Fit | None,
    fit_reason: str | None,
    fit_from: str = "a fit of these runs",
    *,
    title: str,
    card: str | None = None,
    columns: Columns | None = None,
    taken: Sequence[RunRecord] | None = None,
    sample: str | None = None,
    progress: Progress | None = None,
) -> Material:
    """The same of records and their fit.

    columns : of all runs, where `records` are not all
    taken, sample : those that the claims are of, and in words; None: all
    """
    from predictor.agreements.estimated import rank_estimates
    from predictor.fitting import score_held_out
    from predictor.records.columns import columns_of
    from predictor.records.frame import frame_of

    tell = progress or (lambda line, share: None)
    tell("indicators", 0.3)
    columns = columns or columns_of(records)
    table = frame_of(columns)
    tell("agreement", 0.45)
    outcomes = [name for name in MAIN if f"out_{name}" in table] or [
        name.removeprefix("out_") for name in table if name.startswith("out_")
    ]
    rhos = rank_estimates(table, outcomes)
    tell("held-out studies", 0.55)
    scored = score_held_out(fit, records) if fit else []
    tell("claims", 0.65)
    report, why = _claims(records if taken is None else taken)
    return Material(
        title=title, records=records, columns=columns, frame=table, fit=fit, fit_reason=fit_reason, fit_from=fit_from,
        scored=scored, claims=report, claims_reason=why, rhos=rhos, card=card, sample=sample,
    )  # fmt: skip


def _read(
    runs: Path, studies: Sequence[str] | None
) -> tuple[Columns, Sequence[RunRecord], Sequence[RunRecord], str | None]:
    """(columns of all, records read whole, those that a page fits and judges, in words which): see `Material`.

    Of a large registry whole configurations are fitted and judged, and all that is held out is scored.
    """
    from predictor.records import finished_ids, read_registry
    from predictor.records.columns import columns_of
    from predictor.records.sampling import sample_of
    from predictor.records.store import study_folders

    if sum(len(finished_ids(folder)) for folder in study_folders(runs, studies)) <= LARGE:
        records = read_registry(runs, studies)
        return columns_of(records), records, records, None
    columns = columns_of(runs, studies)
    own, like = columns.own, [columns.examples[kind] for kind in columns.like.tolist()]
    names = ([one.study for one in like], own["configuration_id"], [one.target_set for one in like], own["run_id"])
    chosen = sample_of(zip(*names, strict=True), TAKEN)
    if chosen is None:  # fewer runs than finished files say
        records = read_registry(runs, studies)
        return columns, records, records, None
    taken = read_registry(runs, studies, chosen.configurations)
    held = sorted({one.study for one in columns.examples if one.held_out})
    records = [*(one for one in taken if one.study not in held), *(read_registry(runs, held) if held else ())]
    return columns, records, taken, f"{len(taken):,} of these {len(own):,} runs, of every study and target set"


def _claims(records: Sequence[RunRecord]) -> tuple[ClaimsReport | None, str | None]:
    from predictor.claims import claims

    try:
        return claims(records), None
    except PredictorError as error:
        return None, str(error)


def _fit(
    every: _Selected,
    taken: Sequence[RunRecord],
    sample: str | None,
    runs: Path,
    named: Path | None,
    probes: Any,
    tell: Progress,
) -> tuple[Fit | None, str | None, str]:
    """(the fit to show, why there is none, where it comes from)."""
    from predictor.fitting import fit_registry
    from predictor.models.fit import load_fit, shipped_fit

    if named is not None:
        found = load_fit(named)
        same = every.made(found)
        return found, None, f"{named.name}{'' if same else ', which was fitted on other runs than these'}"
    tell("stored fits", 0.1)
    for where, read in ((f"{runs.name}/fit.json", lambda: load_fit(runs / "fit.json")), ("the package", shipped_fit)):
        try:
            found = read()
        except FitError:
            continue
        if every.made(found):
            return found, None, f"the fit stored in {where}, of exactly these runs"
    tell("fitting, as no stored fit is of these runs", 0.15)
    where = f"a fit of {sample or 'these runs'}, made for this page"
    try:
        return fit_registry(taken, probes=probes), None, where
    except FitError as error:
        return None, str(error), ""


@dataclass(frozen=True, eq=False)
class _Selected:
    """What a fit of all the runs would take. Whole records are read only for a fit that may be of just these."""

    columns: Columns
    read: Callable[[], Sequence[RunRecord]]

    def made(self, fit: Fit) -> bool:
        """Whether a fit was made on exactly these runs; their digest is worked out where their number is right."""
        from predictor.fitting.rows import training_digest

        there = Counter(self.columns.examples[kind].study for kind in self.columns.like.tolist())
        if any(told["n_runs"] > there[study] for study, told in fit.training["studies"].items()):
            return False
        chosen = self.chosen
        if chosen is None or fit.training["n_runs"] != len(chosen.records):
            return False
        return bool(fit.training["digest"] == training_digest(chosen))

    @cached_property
    def chosen(self) -> Selection | None:
        """None where it can take none."""
        from predictor.fitting import select

        try:
            return select(self.read())
        except FitError:
            return None


def _card(runs: Path) -> str | None:
    """The registry's own data card, if it has a readable one."""
    try:
        return read_text(runs / "README.md", limit=MAX_CARD, root=runs)
    except (OSError, UnicodeDecodeError):
        return None
