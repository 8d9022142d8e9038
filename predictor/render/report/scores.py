"""How well the fit predicts what it had not seen: errors, coverage, calibration, P(A beats B), held-out studies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from predictor.models.fit import Fit
from predictor.prediction.differences import differences
from predictor.render.report.drawing import against_measured, told_and_seen
from predictor.render.report.embedded import EmbeddedTable, Picture, picture
from predictor.render.report.material import Material
from predictor.render.report.story import headline
from predictor.render.tables import points
from predictor.render.validation import LEVEL, SPLITS, flat_row, held_out_points
from predictor.statistics.binomial import exact_interval

NAMES = {
    "configuration": "new configurations",
    "new_draws": "new images as well",
    "target_set": "new target sets",
    "domain": "new kinds of images",
    "extrapolation": "the largest fifth",
}
Point = tuple[float, float, float, float]  # stated, observed, low, high
ENOUGH = 10  # pairs of a bin that is drawn
SERIES = 6  # of the figure of reliability
DRAWN = 3  # outcomes whose predictions are drawn


def split_notes() -> list[tuple[str, str]]:
    """(kind of held-out run, what it is)."""
    return [(NAMES[name], text) for name, text in SPLITS.items()]


def score_table(fit: Fit) -> EmbeddedTable:
    """The chosen family on every kind of held-out run, beside the mean and the number of images alone."""
    baselines = {(r["outcome"], r["split"], r["family"]): r for r in fit.validation}
    rows = []
    for row in fit.validation:
        if not row["chosen"]:
            continue
        key, scale = (row["outcome"], row["split"]), row["scale"]
        other = {name: baselines.get((*key, name)) for name in ("mean", "log_n")}
        rows.append(
            {
                "outcome": row["outcome"],
                "held out": NAMES.get(row["split"], row["split"]),
                "error (MAE)": points(row["mae"], scale),
                "by the mean": points(other["mean"]["mae"] if other["mean"] else None, scale),
                "by log N": points(other["log_n"]["mae"] if other["log_n"] else None, scale),
                "noise alone": points(row["noise_floor"], scale),
                "rank rho": _two(row["spearman"]),
                "better of two": "-" if row["decision_accuracy"] is None else f"{row['decision_accuracy']:.0%}",
                "90 % covers": _covered(
                    row["covered"].get(LEVEL), row["coverage_low"].get(LEVEL), row["coverage_high"].get(LEVEL)
                ),
                "width": points(row["width"].get(LEVEL), scale),
                "n (runs)": f"{row['n_configurations']:,} ({row['n_runs']:,})",
            }
        )
    return EmbeddedTable("Held-out scores", rows, [flat_row(row) for row in fit.validation])


def coverage_table(fit: Fit) -> EmbeddedTable | None:
    """By study and by domain, how many 90 % intervals held."""
    rows, full = [], []
    for row in fit.validation:
        for kind in ("domain", "study") if row["chosen"] and row["covered_by"] else ():
            for name, (inside, n) in row["covered_by"].get(kind, {}).items():
                low, high = exact_interval(inside, n)
                full.append({"outcome": row["outcome"], "held_out": row["split"], "by": kind, "name": name,
                             "covered": inside, "n": n, "low": low, "high": high})  # fmt: skip
                if row["split"] == "configuration":
                    rows.append({"outcome": row["outcome"], "by": kind, "name": name,
                                 "90 % covers": _covered((inside, n), low, high)})  # fmt: skip
    return EmbeddedTable("Coverage by domain and study", rows, full) if rows else None


def reliability_rows(about: Material) -> list[dict[str, Any]]:
    """How often P(A beats B) was right: {outcome, pairs, stated, observed, n}, of held-out runs and studies."""
    rows = []
    for name, fitted in about.fit.outcomes.items() if about.fit else ():
        for one in differences(fitted.configuration, known=True).reliability():
            rows.append({"outcome": name, "pairs": "held-out configurations", **one})
    for row in about.scored:
        if row["chosen"]:
            rows += [
                {"outcome": row["outcome"], "pairs": ", ".join(row["studies"]), **one}
                for one in row["pairs_reliability"]
            ]
    return rows


def reliability_table(rows: Sequence[Mapping[str, Any]]) -> EmbeddedTable | None:
    """Stated against observed, in bins of P."""
    shown = [
        {"outcome": row["outcome"], "pairs of": row["pairs"], "P stated (mean)": f"{row['stated']:.2f}",
         "A was better": f"{row['observed']:.2f}", "n pairs": f"{int(row['n']):,}"}
        for row in rows
    ]  # fmt: skip
    return EmbeddedTable("P(A beats B), stated and observed", shown, list(rows)) if shown else None


def held_out_table(about: Material) -> EmbeddedTable | None:
    """The fit's score on studies that it never saw."""
    rows = []
    for row in about.scored:
        if not row["chosen"]:
            continue
        pairs = row["pairs_covered"]
        rows.append(
            {
                "study": ", ".join(row["studies"]), "outcome": row["outcome"],
                "error (MAE)": points(row["mae"], row["scale"]),
                "noise alone": points(row["noise_floor"], row["scale"]),
                "rank rho": _two(row["spearman"]),
                "better of two": "-" if row["decision_accuracy"] is None else f"{row['decision_accuracy']:.0%}",
                "90 % covers": _covered(row["covered"], row["coverage_low"], row["coverage_high"]),
                "width": points(row["width"], row["scale"]),
                "pairs covered": f"{pairs[0]:,} of {pairs[1]:,}" if pairs else "-",
                "n (runs)": f"{row['n_configurations']:,} ({row['n_runs']:,})",
            }
        )  # fmt: skip
    full = [{key: value for key, value in flat_row(row).items() if not isinstance(value, list)} for row in about.scored]
    return EmbeddedTable("Score on held-out studies", rows, full) if rows else None


def pictures(about: Material, colours: Mapping[str, Any]) -> Iterator[Picture]:
    """Predicted against measured of the main outcomes, calibration, reliability."""
    fit = about.fit
    if fit is None:
        return
    domain_of = {name: known.domain for name, known in fit.target_sets.items()}
    colours = {**{name: "0.5" for name in domain_of.values()}, **colours}
    for outcome in sorted(fit.outcomes, key=lambda name: (name not in ("accuracy", "robustness"), name))[:DRAWN]:
        yield _predicted(fit, outcome, colours, domain_of)
    series = dict(_calibration(fit))
    if series:
        yield picture(
            told_and_seen(series, "stated coverage (%)", "measured coverage (%)"), "Calibration",
            "Stated coverage of intervals against how many held, with exact binomial 95 % intervals; on the diagonal "
            "both are equal, above it intervals are too wide.",
            _alt("Stated and measured coverage", series, "held"),
        )  # fmt: skip
    by: dict[str, list[Point]] = {}
    for one in reliability_rows(about):
        if one["n"] >= ENOUGH:
            point = (one["stated"], one["observed"], float("nan"), float("nan"))
            by.setdefault(f"{one['outcome']}, {one['pairs']}", []).append(point)
    series = dict([(name, own) for name, own in by.items() if len(own) > 2][:SERIES])
    if series:
        yield picture(
            told_and_seen(series, "stated P(A beats B) (%)", "A was better (%)"), "Reliability of P(A beats B)",
            "Of pairs of data sets for one target set: the stated probability against how often it was right, in bins "
            f"of {ENOUGH} pairs or more; pairs share configurations, so that they have no binomial interval.",
            _alt("Stated probability that A beats B, and how often it was so", series, "seen"),
        )  # fmt: skip


def _predicted(fit: Fit, outcome: str, colours: Mapping[str, Any], domain_of: Mapping[str, str]) -> Picture:
    found = held_out_points(fit, outcome)
    inside = int(((found["low"] <= found["measured"]) & (found["measured"] <= found["high"])).sum())
    row = headline(fit, outcome)
    error = f", MAE {points(row['mae'], row['scale'])}" if row else ""
    counted = row["covered"].get(LEVEL) if row else None
    usual = f"; of the designs that intervals are made for {counted[0]} of {counted[1]}" if counted else ""
    return picture(
        against_measured(found, outcome, colours, domain_of), f"Predicted against measured: {outcome}",
        f"A point is a configuration, predicted by a fit that had not seen it (n = {len(found):,}); {inside} of "
        f"{len(found)} measured values lie inside of their interval{usual} (nominal 90 %). Colours are kinds of "
        "images, shapes target sets.",
        f"Predicted against measured {outcome} of {len(found)} held-out configurations{error}: {inside} of "
        f"{len(found)} inside of their 90 % interval.",
    )  # fmt: skip


def _alt(head: str, series: Mapping[str, Sequence[Point]], word: str) -> str:
    told = (
        f"{name}: {', '.join(f'{p:.0%} stated, {q:.1%} {word}' for p, q, *_ in own)}" for name, own in series.items()
    )
    return f"{head}. {'; '.join(told)}."


def _calibration(fit: Fit) -> Iterator[tuple[str, list[Point]]]:
    for outcome in ("accuracy", "robustness"):
        for split in NAMES:
            row = headline(fit, outcome, split)
            own = []
            for level, pair in (row["covered"] if row else {}).items():
                if pair:
                    own.append((float(level), pair[0] / pair[1], *exact_interval(*pair)))
            if own:
                yield f"{outcome}, {NAMES[split]}", own


def _covered(pair: Sequence[int] | None, low: float | None, high: float | None) -> str:
    return "not measured" if not pair else f"{pair[0]} of {pair[1]} [{_two(low)}, {_two(high)}]"


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
