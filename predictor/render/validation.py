"""How well a fit predicts held-out runs, for a reader: a block for each outcome and kind of held-out run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.models.fit import Fit
from predictor.models.links import measured_within
from predictor.models.scales import SHARES
from predictor.render.page import Block, Heading, PageTable, Said, page_text
from predictor.render.tables import points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHOSEN = "*"
LEVEL = "0.9"  # of the coverage and widths that are printed
SPLITS = {
    "configuration": "held-out configurations of known target sets",
    "new_draws": "the same on data seeds that the fit did not use: images and design are both new; single runs",
    "target_set": "left-out target sets",
    "domain": "left-out image domains",
    "extrapolation": "the largest fifth of each target set, by images",
}
_SKILLS = {"mean": "mean", "log_n": "log N", "log_n_log_h": "log N + log H", "nearest": "nearest"}


def head(fit: Fit) -> list[str]:
    """What the fit was made of."""
    training = fit.training
    domains = fit.domains
    lines = [
        f"{training['n_configurations']} configurations, {training['n_runs']} runs, {len(fit.target_sets)} target "
        f"sets, {len(domains)} domains; studies: {', '.join(training['studies'])}"
    ]
    if training["named"]:
        lines.append(f"held out or reported, used because named with --study: {', '.join(training['named'])}")
    return lines


def foot(fit: Fit, written: str | Path | None) -> list[str]:
    """How to read the table, and what was left out of it."""
    present = dict.fromkeys(row["split"] for row in fit.validation)
    reasons = dict.fromkeys(
        f"{row['split']}: {row['coverage_reason']}"
        for row in fit.validation
        if row["coverage_reason"] and row["chosen"]
    )
    other = "" if all(row["scale"] in SHARES for row in fit.validation) else ", on another scale in the outcome's unit"
    return [
        f"{CHOSEN} chosen; weights and intervals of a fold are learnt on the other folds. Seeds are averaged.",
        *(f"{split}: {SPLITS[split]}" for split in present),
        f"MAE, RMSE, width and interval score in points{other}; ranks and decisions are compared inside target sets; "
        "covered: by 90 % intervals, with the exact 95 % binomial interval; skill: 1 - MSE / MSE of the baseline.",
        "known level: MAE when the level of each target set is known; noise: best rank agreement and least MAE that "
        "seed noise allows.",
        *reasons,
        *(f"left out: {line}" for line in fit.left_out),
        *([f"written: {written}"] if written is not None else []),
    ]


def blocks(validation: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[dict[str, str]]]]:
    """The table cut by outcome and split: a title with what all its rows share, and the rows."""
    made = []
    for (outcome, split), group in groupby(validation, key=lambda row: (row["outcome"], row["split"])):
        own = list(group)
        first = own[0]
        least = points(first["noise_floor"], first["scale"])
        title = (
            f"{outcome.upper()}   {split}   n = {first['n_configurations']} configurations, {first['n_runs']} runs   "
            f"noise: rank ceiling {_number(first['noise_ceiling'], 3)}, least MAE {least}"
        )
        lines = [line for row in own if row["chosen"] for line in _where_covered(row)]
        made.append(("\n".join([title, *lines]), [shown_row(row) for row in own]))
    return made


def _where_covered(row: Mapping[str, Any]) -> list[str]:
    """By study and by domain, how many of how many intervals held."""
    by = row.get("covered_by")
    if not by:
        return []
    lines = [f"covered by {kind}: {_counts(by[kind])}" for kind in ("study", "domain") if by.get(kind)]
    studies = row.get("covered_studies", [])
    if studies and set(studies) != set(by.get("study", {})):
        lines.append(
            f"intervals are made from and counted on {', '.join(studies)}, whose designs are drawn as a user's would be"
        )
    elif row["split"] == "configuration":
        lines.append("intervals are made from all configurations: no study has 30 that are drawn as a user's would be")
    return lines


def _counts(counts: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{name} {inside}/{n}" for name, (inside, n) in counts.items())


def comparison_blocks(fit: Fit) -> list[tuple[str, list[dict[str, str]]]]:
    """How comparisons of held-out configurations of one target set came out: intervals, and P(a is better)."""
    from predictor.prediction.differences import differences

    made = []
    for name, fitted in fit.outcomes.items():
        errors = differences(fitted.configuration, known=True)
        covered = errors.covered(0.9)
        if covered is None:
            continue
        title = (
            f"{name.upper()}   comparisons of held-out configurations of one target set   90 %: {covered[0]:,} of "
            f"{covered[1]:,} pairs covered, every target set judged by the others"
        )
        made.append((title, [_reliability_row(row) for row in errors.reliability()]))
    return made


def _reliability_row(row: Mapping[str, float]) -> dict[str, str]:
    return {"P stated": _number(row["stated"], 2), "right": _number(row["observed"], 2), "pairs": f"{int(row['n']):,}"}


def held_out_blocks(scored: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[dict[str, str]]]]:
    """What the fit predicts of held-out studies, which it never saw: a block for each outcome and study."""
    made = []
    for (outcome, studies), group in groupby(scored, key=lambda row: (row["outcome"], row["studies"])):
        own = list(group)
        first = own[0]
        rest = (
            f"; {first['n_left_out']} runs of unknown target sets or recipes not scored" if first["n_left_out"] else ""
        )
        title = (
            f"{outcome.upper()}   HELD OUT, for scoring alone: {', '.join(studies)}   n = "
            f"{first['n_configurations']} configurations, {first['n_runs']} runs   least MAE by noise "
            f"{points(first['noise_floor'], first['scale'])}{rest}"
        )
        lines = [line for row in own if row["chosen"] for line in _pairs_told(row)]
        made.append(("\n".join([title, *lines]), [_scored_row(row) for row in own]))
    return made


def _pairs_told(row: Mapping[str, Any]) -> list[str]:
    lines = [f"covered by domain: {_counts(row['covered_by']['domain'])}"] if row.get("covered_by") else []
    if row.get("pairs_covered"):
        inside, n = row["pairs_covered"]
        bins = row["pairs_reliability"]
        apart = sum(abs(one["stated"] - one["observed"]) for one in bins) / len(bins)
        lines.append(
            f"comparisons inside target sets: {inside:,}/{n:,} covered ({_counts(row['pairs_covered_by_domain'])}); "
            f"P(a is better): mean |stated - observed| {apart:.3f} in {len(bins)} bins"
        )
        told = (f"{one['stated']:.2f} {one['observed']:.2f} ({int(one['n']):,})" for one in bins)
        lines.append(f"P stated, right (pairs): {', '.join(told)}")
    return lines


def _scored_row(row: Mapping[str, Any]) -> dict[str, str]:
    covered = row["covered"]
    bounds = f"[{_number(row['coverage_low'], 2)}, {_number(row['coverage_high'], 2)}]" if covered else ""
    return {
        "family": f"{row['family']} {CHOSEN}" if row["chosen"] else row["family"],
        "MAE": points(row["mae"], row["scale"]),
        "RMSE": points(row["rmse"], row["scale"]),
        "R2": _number(row["r2"], 2),
        "Spearman": _number(row["spearman"], 2),
        "decisions": _number(row["decision_accuracy"], 2),
        "equal N": _number(row["decision_accuracy_equal_n"], 2),
        "covered": f"{covered[0]}/{covered[1]} {bounds}" if covered else "-",
        "width": points(row["width"], row["scale"]),
        "score": points(row["interval_score"], row["scale"]),
        **{f"skill {name}": _number(row["skill"].get(key), 2) for key, name in _SKILLS.items()},
    }


def shown_row(row: Mapping[str, Any]) -> dict[str, str]:
    """One row as it is printed; the only place where figures are rounded."""
    covered = row["covered"]["0.9"]
    coverage = "not measured"
    if covered:
        low, high = row["coverage_low"]["0.9"], row["coverage_high"]["0.9"]
        coverage = f"{covered[0]}/{covered[1]} [{_number(low, 2)}, {_number(high, 2)}]"
    return {
        "family": f"{row['family']} {CHOSEN}" if row["chosen"] else row["family"],
        "MAE": points(row["mae"], row["scale"]),
        "known level": points(row["mae_without_level"], row["scale"]),
        "RMSE": points(row["rmse"], row["scale"]),
        "R2": _number(row["r2"], 2),
        "Spearman": _number(row["spearman"], 2),
        "decisions": _number(row["decision_accuracy"], 2),
        "equal N": _number(row["decision_accuracy_equal_n"], 2),
        "covered": coverage,
        "width": points(row["width"]["0.9"], row["scale"]),
        "score": points(row["interval_score"], row["scale"]),
        **{f"skill {name}": _number(row["skill"][key], 2) for key, name in _SKILLS.items()},
    }


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row with plain columns and full precision."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("chosen_in_folds", "covered", "covered_by", "covered_studies"):
            continue
        if isinstance(value, Mapping):
            flat |= {f"{key}_{name}": item for name, item in value.items()}
        else:
            flat[key] = value
    return flat


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def probe_lines(fit: Fit) -> list[str]:
    """What probes of the images bring to target sets and domains that were left out."""
    lines = []
    for name, entry in fit.content["outcomes"].items():
        own = entry.get("probed") or {}
        for basis, what in (("new_target_set", "target sets"), ("new_domain", "domains")):
            if basis not in own:
                continue
            block = own[basis]
            inside = block["covered"].get("0.9")
            told = f"{inside[0]} of {inside[1]} covered, width {points(block['width'])}" if inside else "not measured"
            lines.append(
                f"with a probe of the images, {name}, {len(set(block['left_out']))} left-out {what}: MAE "
                f"{points(block['mae'])} (without {points(block['mae_without'])}); nominal 90 %: {told}"
            )
    return lines


def every_section(
    fit: Fit, *, scored: Sequence[Mapping[str, Any]] = (), written: str | Path | None = None
) -> list[list[Block]]:
    """Everything: what was fitted, a section for each split, how often P was right, how to read it.

    scored : rows of `score_held_out`; written : where the fit was written
    """

    def section(title: str, rows: Sequence[Mapping[str, str]], *before: str) -> list[Block]:
        first, *others = title.split("\n")
        return [
            Heading((*before, *first.split("   "))),
            *(Said(line, indent="  ") for line in others),
            PageTable(rows),
        ]

    shown = [*blocks(fit.validation), *comparison_blocks(fit), *held_out_blocks(scored)]
    page: list[list[Block]] = [_said(head(fit)), *(section(title, rows) for title, rows in shown)]
    page.append([Said(line, indent="  ") for line in probe_lines(fit)])
    for family, own in fit.recipe_families.items():
        if own is fit:
            continue
        name = f"RECIPE FAMILY {family}"
        page.append([Heading((name,)), *_said(head(own))])
        page += [section(title, rows, name) for title, rows in blocks(own.validation)]
        notes = [*probe_lines(own), *(f"left out: {line}" for line in own.left_out)]
        page.append([Said(f"{family}: {line}", indent="  ") for line in notes])
    return [*page, _said(foot(fit, written))]


def _said(lines: Sequence[str]) -> list[Block]:
    return [Said(line, indent="  ") for line in lines]


def every_kind(fit: Fit, scored: Sequence[Mapping[str, Any]] = ()) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV. scored : rows of `score_held_out`"""
    apart = {name: own for name, own in fit.recipe_families.items() if own is not fit}
    covered = [
        {"outcome": row["outcome"], "split": row["split"], "by": kind, "name": name, "covered": own[0], "of": own[1]}
        for row in fit.validation
        if row["chosen"]
        for kind, found in (row["covered_by"] or {}).items()
        for name, own in (found or {}).items()
    ]
    return {
        "held out": rows(fit),
        "covered by": covered,
        "recipe family": [{"recipe_family": n, **flat_row(row)} for n, own in apart.items() for row in own.validation],
        "held-out study": [flat_row(row) for row in scored],
        "left out": [{"reason": line} for line in fit.left_out],
    }


def summary(fit: Fit, fmt: str = "table", *, everything: bool = False) -> str:
    """What was fitted, and how well it predicts held-out runs. everything : what `predictor fit --all` prints"""
    from predictor.render.validation_screen import FitTold, page

    return page_text(page(FitTold(fit=fit), everything=everything), fmt)


def rows(fit: Fit) -> list[dict[str, Any]]:
    """One row for each outcome, kind of held-out run and family."""
    return [flat_row(row) for row in fit.validation]


def plot(fit: Fit, outcome: str | None = None) -> Figure:
    """Predictions of held-out configurations against what was measured. outcome : the first one where left out"""
    from predictor.figures import predicted_against_measured

    name = outcome or next(iter(fit.outcomes))
    return predicted_against_measured(held_out_points(fit, name), name)


def held_out_points(fit: Fit, outcome: str) -> Any:
    """Out-of-fold predictions of the chosen family, with intervals made as for a prediction from the other folds."""
    import pandas as pd

    fitted = fit.outcomes[outcome]
    held = fitted.configuration
    half = np.full(len(held.fold), np.inf)  # where the other folds are too few
    for own in np.unique(held.fold):
        here = held.fold == own
        found = held.part(~here).half_width(held.predicted[here], float(LEVEL), signs=held.part(here).signs)
        half[here] = np.inf if found is None else found
    images = np.array([fitted.n_tested.get(name, np.inf) for name in held.groups])
    low, high = fitted.scale.interval(*measured_within(held.predicted, half, images))
    predicted = fitted.scale.values(held.predicted)
    return pd.DataFrame(
        {"measured": held.measured, "target_set": held.groups, "predicted": predicted, "low": low, "high": high}
    )
