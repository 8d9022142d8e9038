"""Which indicators predict: one table over all target sets, one figure; what says the same is one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from predictor.agreements.estimated import PooledRho
from predictor.errors import PredictorError
from predictor.render.report.drawing import pooled_rhos
from predictor.render.report.embedded import EmbeddedTable, Picture, picture
from predictor.render.report.material import MAIN, Material

DRAWN = 14  # rows of the figure
OF_STUDY = 6  # indicators of each outcome in the table of a study


def ranking(about: Material) -> tuple[EmbeddedTable | None, Picture | None]:
    """(a row a group of indicators with what it says of each outcome, the figure of the first outcome)."""
    outcomes = [name for name in MAIN if any(row.outcome == name for row in about.pooled)]
    if not outcomes:
        return None, None
    first = about.groups(outcomes[0])
    others = {(row.outcome, row.indicator): row for row in about.pooled}
    rows = []
    for row in first:
        line = {"indicator": row.indicator, "what it is": meaning(row.indicator, row.alike), **_cells(row, outcomes[0])}
        for outcome in outcomes[1:]:
            line |= _cells(others.get((outcome, row.indicator)), outcome)
        line |= {"target sets": str(row.n_target_sets), "n": f"{row.n_configurations:,}"}
        rows.append(line)
    full = [{**asdict(row), "alike": ", ".join(row.alike)} for row in about.pooled]
    drawn = picture(
        pooled_rhos(first[:DRAWN], outcomes[0]), "What ranks data sets",
        f"Mean of Spearman's rho over target sets with its 95 % interval, {outcomes[0]}; open: with the number of "
        f"images held fixed.{f' The strongest {DRAWN} of {len(first)} groups.' if len(first) > DRAWN else ''}",
        f"Mean rank correlation with {outcomes[0]}: "
        + "; ".join(f"{row.indicator} {rho_text(row)}" for row in first[:DRAWN]) + ".",
    )  # fmt: skip
    return EmbeddedTable("Indicators over all target sets", rows, full), drawn


def meaning(name: str, alike: Sequence[str] = ()) -> str:
    """What an indicator is, by its docstring, and which ones say the same; '-' for one that is not registered here."""
    from predictor.indicators import known

    try:
        told = known(name).summary
    except PredictorError:  # as somebody reported it
        told = "-"
    return f"{told} Says the same: {', '.join(alike)}." if alike else told


def of_study(about: Material, study: str) -> EmbeddedTable | None:
    """The indicators of one study: mean rho over its target sets, and how far they lie apart."""
    own = [row for row in about.rhos if row.study == study]
    cells: dict[tuple[str, str], list[Any]] = {}
    for row in own:
        cells.setdefault((row.outcome, row.indicator), []).append(row)
    lines = []
    for (outcome, indicator), rows in cells.items():
        values = [row.value for row in rows]
        mean = sum(values) / len(values)
        lines.append(
            (outcome, -abs(mean), {
                "outcome": outcome, "indicator": indicator, "mean rho": f"{mean:+z.2f}",
                "least": f"{min(values):+z.2f}", "most": f"{max(values):+z.2f}", "target sets": str(len(rows)),
                "n": f"{sum(row.n_configurations for row in rows):,}",
            })
        )  # fmt: skip
    shown = [line for _, _, line in sorted(lines, key=lambda item: item[:2])]
    if not shown:
        return None
    outcomes = list(dict.fromkeys(line["outcome"] for line in shown))
    best = [line for name in outcomes for line in [x for x in shown if x["outcome"] == name][:OF_STUDY]]
    return EmbeddedTable(f"Indicators in {study}", best, [asdict(row) for row in own])


def rho_text(row: PooledRho) -> str:
    """The mean with its interval."""
    return f"{row.value:+z.2f} [{row.low:+z.2f}, {row.high:+z.2f}]"


def _cells(row: PooledRho | None, outcome: str) -> dict[str, str]:
    heads = f"rho with {outcome}", f"{outcome} at equal N"
    if row is None:
        return dict.fromkeys(heads, "-")
    given = "-" if row.given_size is None else f"{row.given_size:+z.2f}"
    return dict(zip(heads, (rho_text(row), given), strict=True))
