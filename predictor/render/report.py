"""A registry as one self-contained HTML page: what was trained, what agrees, how well the fit predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import FitError
from predictor.render import figures
from predictor.render.agreement import line
from predictor.render.tables import number

if TYPE_CHECKING:
    from predictor.agreement import AgreementTable
    from predictor.inference import Fit
    from predictor.records import RunRecord

SHOWN_INDICATORS = 3  # panels of the scatter figure: those that agree best
LEVEL = "0.9"


@dataclass(frozen=True)
class Picture:
    """A figure as a data address, with what it shows."""

    title: str
    caption: str
    uri: str


def report_html(
    records: Sequence[RunRecord], table: AgreementTable, fit: Fit | None, fit_reason: str | None, title: str
) -> str:
    """The page. Every text is escaped; nothing is fetched from anywhere.

    fit : None where the runs allow none; `fit_reason` then says why
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from predictor.records import frame as frame_of

    frame = frame_of(records)
    environment = Environment(
        loader=PackageLoader("predictor.render"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    summary = [row for row in table.summary_rows() if row.get("spearman") is not None]
    blocks: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in summary:
        blocks.setdefault((row["study"], row["target_set"], row["outcome"]), []).append(line(row, table.level))
    return environment.get_template("report.html.j2").render(
        title=title,
        studies=study_rows(records),
        n_runs=len(records),
        n_configurations=len({(r.study, r.configuration_id) for r in records}),
        n_target_sets=len({r.target_set for r in records if r.provenance == "trained"}),
        n_domains=len({r.domain for r in records if r.provenance == "trained"}),
        pictures=pictures(frame, table, fit),
        blocks=blocks,
        notes=table.notes,
        validation=validation_rows(fit) if fit else [],
        fit_reason=fit_reason,
        left_out=fit.content["left_out"] if fit else [],
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
    for outcome in fit.content["outcomes"] if fit else ():
        points = held_out_points(frame, fit, outcome)
        inside = int(((points["low"] <= points["measured"]) & (points["measured"] <= points["high"])).sum())
        add(
            f"Predicted against measured: {outcome}",
            f"Every point was predicted by a fit that had not seen its configuration; intervals made from the other "
            f"folds' errors hold {inside} of {len(points)} (nominal 90 %).",
            lambda points=points, outcome=outcome: figures.predicted_against_measured(points, outcome),
        )
    return made


def held_out_points(frame: Any, fit: Fit, outcome: str) -> Any:
    """Out-of-fold predictions of the chosen family, from the residuals that the fit keeps (in logits).

    The interval of a point comes from the residuals of the other folds.
    """
    held = fit.content["outcomes"][outcome]["configuration"]
    residual = np.array(held["residuals"], dtype=float)
    fold = np.array(held["fold"])
    column = f"out_{outcome}"
    means = frame[frame[column].notna()].groupby("configuration_id").agg({column: "mean", "target_set": "first"})
    points = means.loc[held["configurations"]].reset_index(drop=True).rename(columns={column: "measured"})
    share = points["measured"].to_numpy(float).clip(1e-4, 1 - 1e-4)
    eta = np.log(share / (1 - share)) - residual
    half = np.array([np.quantile(np.abs(residual[fold != own]), float(LEVEL)) for own in fold])
    for name, value in (("predicted", eta), ("low", eta - half), ("high", eta + half)):
        points[name] = 1 / (1 + np.exp(-value))
    return points


def validation_rows(fit: Fit) -> list[dict[str, str]]:
    """The chosen family and the baselines on every split, rounded for reading."""

    def points(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f}"

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
                "MAE (points)": points(row["mae"]),
                "RMSE": points(row["rmse"]),
                "R²": two(row["r2"]),
                "Spearman": two(row["spearman"]),
                "decisions": two(row["decision_accuracy"]),
                "covered (90 %)": f"{covered[0]}/{covered[1]}" if covered else "not measured",
                "width": points(row["width"].get(LEVEL) if row["width"] else None),
                "skill: mean": two(skill["mean"]),
                "log N": two(skill["log_n"]),
                "log N + H": two(skill["log_n_log_h"]),
                "nearest": two(skill["nearest"]),
                "n": f"{row['n_configurations']} ({row['n_runs']} runs)",
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
