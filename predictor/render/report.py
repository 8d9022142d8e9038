"""A registry as one self-contained HTML page: what was trained, what agrees, how well the fit predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor import figures
from predictor.errors import FitError, package_version
from predictor.reading import MIB, read_text
from predictor.render.agreement import agreement_lines
from predictor.render.tables import number, points
from predictor.render.validation import LEVEL, held_out_points
from predictor.text import visible

if TYPE_CHECKING:
    from predictor.agreements import AgreementTable
    from predictor.models.fit import Fit
    from predictor.records import RunRecord

MAX_CARD = MIB  # bytes of a registry's README.md that the page shows
SHOWN_INDICATORS = 3  # panels of the scatter figure: those that agree best


@dataclass(frozen=True)
class Picture:
    """A figure as a data address, with what it shows."""

    title: str
    caption: str
    uri: str


MOST_LINES = 8  # on agreement in the summary: those with an interval and the most configurations


def registry_page(runs: Path, studies: Sequence[str] | None = None) -> tuple[str, int]:
    """(the page about a registry, its number of runs)."""
    from predictor.agreements import agreement
    from predictor.records import frame, read_registry

    records = read_registry(runs, studies)
    fit, reason = try_fit(records)
    title = f"Registry {runs.resolve().name}"
    return report_html(records, agreement(frame(records)), fit, reason, title, _card(runs)), len(records)


def report_html(
    records: Sequence[RunRecord],
    table: AgreementTable,
    fit: Fit | None,
    fit_reason: str | None,
    title: str,
    card: str | None = None,
) -> str:
    """The page. Every text is escaped; nothing is fetched from anywhere.

    fit : None where the runs allow none; `fit_reason` then says why
    card : text of the registry's data card, shown as it stands
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from predictor.records import frame as frame_of

    frame = frame_of(records)
    environment = Environment(
        loader=PackageLoader("predictor.render"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value, keep="\n\t") if type(value) is str else value,
    )  # fmt: skip
    summary = [row for row in table.summary_rows() if row.get("spearman") is not None]
    blocks: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in summary:
        blocks.setdefault((row["study"], row["target_set"], row["outcome"]), []).append(row)
    return environment.get_template("report.html.j2").render(
        title=title,
        studies=study_rows(records),
        n_runs=len(records),
        n_configurations=len({(r.study, r.configuration_id) for r in records}),
        n_target_sets=len({r.target_set for r in records if r.provenance == "trained"}),
        n_domains=len({r.domain for r in records if r.provenance == "trained"}),
        summary=summary_lines(summary, fit),
        citations=citations(records),
        card=card,
        version=package_version("predictor"),
        pictures=pictures(frame, table, fit),
        blocks={key: agreement_lines(own, table.level) for key, own in blocks.items()},
        notes=table.notes,
        validation=validation_rows(fit) if fit else [],
        fit_reason=fit_reason,
        left_out=fit.left_out if fit else [],
        level=f"{table.level:.0%}",
    )


def study_rows(records: Sequence[RunRecord]) -> list[dict[str, str]]:
    """What each study holds: runs, configurations, target sets, outcomes, devices, hours."""
    rows = []
    for study in dict.fromkeys(record.study for record in records):
        own = [record for record in records if record.study == study]
        seconds = sum(record.seconds.total for record in own if record.seconds)
        devices = {r.environment.device_name or r.environment.device for r in own if r.environment}
        rows.append(
            {
                "study": study,
                "provenance": ", ".join(sorted({r.provenance for r in own}))
                + (" (held out)" if own[0].held_out else ""),
                "configurations": number(len({r.configuration_id for r in own})),
                "runs": number(len(own)),
                "diverged": number(sum(r.status == "diverged" for r in own)),
                "target sets": ", ".join(sorted({r.target_set for r in own})),
                "outcomes": ", ".join(sorted({name for r in own for name in r.outcomes})),
                "device": ", ".join(sorted(devices)) or "-",
                "hours": f"{seconds / 3600:.2f}" if seconds else "-",
            }
        )
    return rows


def pictures(frame: Any, table: AgreementTable, fit: Fit | None) -> list[Picture]:
    """The figures that the runs allow."""
    made: list[Picture] = []

    def add(title: str, caption: str, draw: Callable[[], Any]) -> None:
        made.append(Picture(title, caption, figures.data_uri(draw())))

    long = table.to_frame()
    defined = long[long["statistic"].eq("spearman") & long["value"].notna()]
    for study, own in defined.groupby("study", sort=False):
        add(
            f"Agreement in {study}",
            "Spearman's rho over configurations, seeds averaged; grey: undefined. Strongest indicators on top.",
            lambda own=own: figures.agreement_map(own),
        )
    for study, own in defined[defined["outcome"].eq("accuracy")].groupby("study", sort=False):
        best = own.assign(size=own["value"].astype(float).abs()).groupby("indicator")["size"].mean()
        names = best.sort_values(ascending=False).index[:SHOWN_INDICATORS].tolist()
        runs = frame[frame["study"].eq(study)]
        add(
            f"Best indicators against accuracy in {study}",
            "A point is a configuration: the mean of its seeds; the bar reaches from the lowest seed to the highest.",
            lambda runs=runs, names=names: figures.indicator_against_outcome(runs, names, "accuracy"),
        )
    for outcome in fit.outcomes if fit else ():
        points = held_out_points(fit, outcome)
        row = headline(fit, outcome)
        counted = row["covered"].get(LEVEL) if row and row["covered"] else None
        nested = f"; the table's, chosen anew in every fold, hold {counted[0]} of {counted[1]}" if counted else ""
        inside = int(((points["low"] <= points["measured"]) & (points["measured"] <= points["high"])).sum())
        add(
            f"Predicted against measured: {outcome}",
            f"Every point was predicted by a fit that had not seen its configuration; intervals made from the other "
            f"folds' errors hold {inside} of {len(points)} (nominal 90 %){nested}.",
            lambda points=points, outcome=outcome: figures.predicted_against_measured(points, outcome),
        )
    return made


def headline(fit: Fit, outcome: str, split: str = "configuration") -> dict[str, Any] | None:
    """The validation row of the chosen family on one kind of held-out runs."""
    rows = (r for r in fit.validation if r["outcome"] == outcome and r["split"] == split and r["chosen"])
    return next(rows, None)


def summary_lines(agreement_rows: Sequence[dict[str, Any]], fit: Fit | None) -> list[str]:
    """What a reader takes home: how well the fit predicts, and what ranks accuracy best in each target set."""
    lines = []
    for outcome in ("accuracy", "robustness"):
        row = headline(fit, outcome) if fit else None
        if row is None:
            continue
        covered = row["covered"].get(LEVEL) if row["covered"] else None
        cover = f"; its 90\u00a0% intervals held {covered[0]} of {covered[1]}" if covered else "; coverage not measured"
        lines.append(
            f"On configurations that it had not seen, the fit misses {outcome} by {100 * row['mae']:.1f} points on "
            f"average{cover} ({row['n_configurations']} configurations, {row['n_runs']} runs)."
        )
        new = headline(fit, outcome, "target_set") if fit else None
        if new:
            lines.append(
                f"On target sets that it had not seen, it misses {outcome} by {100 * new['mae']:.1f} points; "
                f"Spearman's rho there is {new['spearman']:.2f}."
            )
    tried: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in agreement_rows:
        if row["outcome"] == "accuracy":
            tried.setdefault((row["study"], row["target_set"]), []).append(row)
    best_of = {key: max(rows, key=lambda r: abs(r["spearman"])) for key, rows in tried.items()}
    order = sorted(best_of, key=lambda key: (best_of[key]["low"] is None, -best_of[key]["n_configurations"]))
    for study, target_set in order[:MOST_LINES]:
        best, n_tried = best_of[study, target_set], len(tried[study, target_set])
        noun = "indicator" if n_tried == 1 else "indicators"
        interval = "undefined" if best["low"] is None else f"{best['low']:+z.2f} to {best['high']:+z.2f}"
        lines.append(
            f"{study}, {target_set}: of {n_tried} {noun} {best['indicator']} agrees best with accuracy, rho "
            f"{best['spearman']:+z.2f} (interval {interval}; {best['n_configurations']} configurations)."
        )
    if order[MOST_LINES:]:
        lines.append(f"{len(order) - MOST_LINES} more target sets with fewer configurations: the figures below.")
    return lines


def citations(records: Sequence[RunRecord]) -> list[str]:
    """Who reported the rows that were not trained here."""
    lines = {}
    for record in records:
        text = getattr(record.data, "citation", None) or record.citation
        if record.provenance != "trained" and text:
            lines[f"{record.study}: {record.provenance}, not trained here. {text}"] = None
    return list(lines)


def validation_rows(fit: Fit) -> list[dict[str, str]]:
    """The chosen family and the baselines on every split, rounded for reading."""

    def two(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    rows = []
    for row in fit.validation:
        covered = row["covered"].get(LEVEL) if row["covered"] else None
        skill = row["skill"]
        rows.append(
            {
                "outcome": row["outcome"],
                "split": row["split"],
                "family": row["family"],
                "chosen": "chosen" if row["chosen"] else "",
                "MAE (points)": points(row["mae"], row.get("scale", "accuracy")),
                "RMSE": points(row["rmse"], row.get("scale", "accuracy")),
                "R²": two(row["r2"]),
                "Spearman": two(row["spearman"]),
                "decisions": two(row["decision_accuracy"]),
                "covered (90 %)": f"{covered[0]}/{covered[1]}" if covered else "not measured",
                "width": points(row["width"].get(LEVEL) if row["width"] else None, row.get("scale", "accuracy")),
                "skill: mean": two(skill["mean"]),
                "log N": two(skill["log_n"]),
                "log N + H": two(skill["log_n_log_h"]),
                "nearest": two(skill["nearest"]),
                "n (runs)": f"{row['n_configurations']} ({row['n_runs']})",
            }
        )
    return rows


def try_fit(records: Sequence[RunRecord]) -> tuple[Fit | None, str | None]:
    """A fit of the records, or the reason why there is none."""
    from predictor.fitting import fit_registry

    try:
        return fit_registry(records), None
    except FitError as error:
        return None, str(error)


def _card(runs: Path) -> str | None:
    """The registry's own data card, if it has a readable one."""
    try:
        return read_text(runs / "README.md", limit=MAX_CARD, root=runs)
    except (OSError, UnicodeDecodeError):
        return None
