"""Claims about training data: a verdict each, what it rests on, and the effect in every target set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from predictor.claims.results import part_rows
from predictor.render.claims import claim_lines, claim_sentence
from predictor.render.report.drawing import effects
from predictor.render.report.embedded import EmbeddedTable, Picture, picture
from predictor.render.report.material import Material

if TYPE_CHECKING:
    import pandas as pd

    from predictor.claims import ClaimResult


@dataclass(frozen=True)
class Verdict:
    """One claim as the page shows it; picture : None where no part has an effect."""

    name: str
    question: str
    verdict: str
    sentence: str
    picture: Picture | None


def verdict_table(about: Material) -> EmbeddedTable | None:
    """A row a claim."""
    if about.claims is None:
        return None
    names = ("claim", "recipe", "domain", "question", "verdict", "effect", "low", "high", "level", "margin", "p",
             "p_adjusted", "n_target_sets", "n_pairs", "n_runs")  # fmt: skip
    full = [{name: getattr(result, name) for name in names} for result in about.claims.results]
    rows = [
        {name: "-" if value is None else str(value) for name, value in row.items()} for row in claim_lines(about.claims)
    ]
    return EmbeddedTable("Verdicts", rows, full)


def part_table(about: Material) -> EmbeddedTable | None:
    """A row a part of a claim, with what it needs."""
    if about.claims is None:
        return None
    full = part_rows([result for result in about.claims.results if result.domain is None])
    rows = []
    for row in full:
        value, low, high = row["effect"], row["low"], row["high"]
        rows.append(
            {
                "claim": " ".join(str(row[key]) for key in ("claim", "recipe") if row[key]),
                "part": str(row["part"]), "outcome": str(row["outcome"]),
                "expects": str(row["expects"]), "effect": _points(value),
                "interval": "-" if low is None else f"[{_points(low)}, {_points(high)}] {row['level']:.0%}",
                "target sets": str(row["n_target_sets"]), "pairs": str(row["n_pairs"]), "runs": str(row["n_runs"]),
            }
        )  # fmt: skip
    return EmbeddedTable("Parts of the claims", rows, full)


def verdicts(about: Material, colours: Mapping[str, Any]) -> list[Verdict]:
    """Every claim over all domains, with its effects drawn."""
    if about.claims is None:
        return []
    domains = dict(zip(about.configurations["target_set"], about.configurations["domain"], strict=True))
    made = []
    for result in about.claims.results:
        if result.domain is not None:
            continue
        points = _effects(result, domains)
        drawn = None
        if points is not None:
            drawn = picture(
                effects(points, colours, 100 * result.margin), f"Effects of {result.label}",
                "A mark is a target set, the bar the mean over target sets with its interval; inside the grey band, of "
                f"{100 * result.margin:g} point to each side, an effect counts as none.",
                _alt(result),
            )  # fmt: skip
        made.append(Verdict(result.label, result.question, result.verdict, _reason(result), drawn))
    return made


def _reason(result: ClaimResult) -> str:
    """The sentence on a claim without its first word, the verdict, which stands before it."""
    text = claim_sentence(result)[len(result.verdict) :].lstrip(":;. ")
    return text[:1].upper() + text[1:]


def _effects(result: ClaimResult, domains: Mapping[str, str]) -> pd.DataFrame | None:
    import pandas as pd

    rows = [
        {
            "part": f"{part.name} ({part.outcome})", "target_set": name, "domain": domains[name], "effect": 100 * value,
            "mean": 100 * (part.effect or 0.0), "low": 100 * _or_nan(part.low), "high": 100 * _or_nan(part.high),
        }
        for part in result.parts
        if part.effect is not None
        for name, value in part.target_sets.items()
    ]  # fmt: skip
    return pd.DataFrame(rows) if rows else None


def _alt(result: ClaimResult) -> str:
    told = [
        f"{part.name}, {part.outcome}: {_points(part.effect)} points over {part.n_target_sets} target sets"
        for part in result.parts
        if part.effect is not None
    ]
    return f"Effects that {result.label} speaks of. {'; '.join(told)}."


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _points(value: Any) -> str:
    return "-" if value is None else f"{100 * value:+z.1f}"
