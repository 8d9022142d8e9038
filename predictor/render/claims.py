"""Verdicts on claims for a reader: one line a claim, and with `everything` one line a part."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from predictor.claims.results import part_rows
from predictor.render.page import Block, PageTable, Said, page_text
from predictor.render.tables import p_value
from predictor.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.claims import ClaimResult, ClaimsReport

OPTIONAL = ("p", "runs", "pairs", "margin", "target sets")


def page(report: ClaimsReport, *, everything: bool = False) -> list[list[Block]]:
    """Verdicts, each in a sentence, notes. everything : every part of every claim, and every target set"""
    results = report.results
    sections: list[list[Block]] = [[PageTable([_line(result) for result in results], optional=OPTIONAL)]]
    sections.append([Said(f"{r.label}  {r.question} {_sentence(r)}", indent="    ") for r in results])
    if everything:
        sections.append([PageTable([_part_line(result, part) for result in results for part in result.parts])])
        sets = [
            {"claim": r.label, "part": p.name, "outcome": p.outcome}
            | {name: _points(value) for name, value in p.target_sets.items()}
            for r in results
            for p in r.parts
            if p.target_sets
        ]
        sections.append([PageTable(sets)] if sets else [])
    notes = [
        "effect: points of accuracy, the mean over target sets of the claim's first part, with the interval of "
        "Student's t; margin: a smaller effect counts as none; pairs: configurations that were compared with a "
        "changed one; q: p after Holm's adjustment, over the paper's claims (C) together and over what people repeat "
        "(P) in all recipe families together; a verdict needs 6 target sets; all parts: --all"
    ]
    notes += [f"{count} runs not used: {why}" for why, count in report.unused.items()]
    if any(r.missing and r.missing.n_runs for r in results):
        notes.append("--missing FILE writes the missing runs as a grid for `trainer run`")
    return [*sections, [Said(note, indent="    ") for note in notes]]


def kinds(report: ClaimsReport) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV: verdicts, their parts, and what was not used."""
    names = (
        "claim", "domain", "question", "verdict", "effect", "low", "high", "level", "margin", "p", "p_adjusted",
        "n_target_sets", "n_pairs", "n_runs", "reason", "note", "differs",
    )  # fmt: skip
    return {
        "claim": [
            {name: getattr(r, name) for name in names} | {"missing": str(r.missing) if r.missing else None}
            for r in report.results
        ],
        "part": part_rows(report.results),
        "unused": [{"reason": why, "n_runs": count} for why, count in report.unused.items()],
    }


def content(report: ClaimsReport) -> dict[str, Any]:
    """The report as one JSON object, with full precision and run ids."""
    rows = []
    for result in report.results:
        row = asdict(result) | {"target_set": None, "missing": None}
        if result.missing:
            missing = asdict(result.missing)
            row["missing"] = {**missing, "blocks": list(missing["blocks"])}
        rows.append(row)
    return {"schema_version": 1, "claims": rows, "unused": dict(report.unused)}


def _line(result: ClaimResult) -> dict[str, object]:
    return {
        "claim": result.label,
        "verdict": result.verdict,
        "effect": _points(result.effect),
        "interval": _interval(result.low, result.high, result.level),
        "margin": f"{100 * result.margin:g}",
        "p": p_value(result.p),
        "q": p_value(result.p_adjusted),
        "target sets": result.n_target_sets,
        "pairs": result.n_pairs,
        "runs": result.n_runs,
    }


def _sentence(result: ClaimResult) -> str:
    parts = [f"{result.verdict}{': ' + result.reason if result.reason else ''}"]
    if result.note:
        parts.append(result.note)
    if result.differs is not None:
        told = (
            "the effect differs between domains" if result.differs < 0.05 else "no difference between domains is shown"
        )
        parts.append(f"{told} (Welch's test over target sets, p {p_value(result.differs)})")
    if result.missing:
        parts.append(f"missing: {result.missing}")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def _part_line(result: ClaimResult, part: Any) -> dict[str, object]:
    return {
        "claim": result.label,
        "part": part.name,
        "outcome": part.outcome,
        "expects": part.expects,
        "effect": _points(part.effect),
        "interval": _interval(part.low, part.high, part.level),
        "p for": p_value(part.supports),
        "p against": p_value(part.contradicts),
        "sets": part.n_target_sets,
        "pairs": part.n_bases,
        "runs": len(part.run_ids),
    }


def _points(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:+z.1f}"


def _interval(low: float | None, high: float | None, level: float) -> str | None:
    return None if low is None or high is None else f"[{100 * low:+z.1f}, {100 * high:+z.1f}] {level:.0%}"


def rows(report: ClaimsReport) -> list[dict[str, Any]]:
    """One row for each part of a claim, with the claim's verdict."""
    return part_rows(report.results)


def summary(report: ClaimsReport, fmt: str = "table", **options: Any) -> str:
    """The verdicts in words. options : those of `page`"""
    return page_text(page(report, **options), fmt)


def plot(report: ClaimsReport) -> Figure:
    """The effect of each claim that has one, with its interval, in points."""
    import pandas as pd

    from predictor.figures import intervals

    told = [r for r in report.results if None not in (r.effect, r.low, r.high)]
    points = pd.DataFrame(
        [{"label": r.label, "series": r.verdict, "value": r.effect, "low": r.low, "high": r.high} for r in told],
        columns=["label", "series", "value", "low", "high"],
    )
    points[["value", "low", "high"]] *= 100
    return intervals(points, "effect on accuracy (points)", against=0.0)


def claim_lines(report: ClaimsReport) -> list[dict[str, object]]:
    """The rows of the table, a claim each, and one for each domain where a claim differs between them."""
    return [_line(result) for result in shown(report).results]


def claim_sentence(result: ClaimResult) -> str:
    """The verdict on a claim with its reason, and what is missing."""
    return _sentence(shown(result))
