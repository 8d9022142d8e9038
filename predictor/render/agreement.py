"""Agreement for a reader: one block a target set and outcome, an indicator a line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from predictor.render.tables import rows_text

SHORT = {"spearman": "rho", "kendall_tau_b": "tau-b", "n_configurations": "n", "n_runs": "runs", "tied_share": "ties"}


def agreement_text(rows: Sequence[dict[str, Any]], fmt: str, level: float) -> str:
    """Rows of `AgreementTable.summary_rows` as text in 'table' or 'markdown'."""
    blocks = []
    for (study, target_set, outcome), group in groupby(rows, key=lambda r: (r["study"], r["target_set"], r["outcome"])):
        shown = [line(row, level) for row in group]
        title = f"{study}   TARGET SET {target_set}   OUTCOME {outcome}"
        title = f"**{title}**\n" if fmt == "markdown" else title
        blocks.append(f"{title}\n{rows_text(shown, fmt)}")
    return "\n\n".join(blocks) if blocks else "no indicator varies in these runs"


def line(row: dict[str, Any], level: float) -> dict[str, str]:
    """One indicator: statistics with an interval, p, adjusted p (q), ties, n, and why something is missing."""
    skip = {"study", "target_set", "outcome", "indicator", "low", "high", "p", "q", "reason", "tied_share"}
    skip |= {"n_configurations", "n_runs", "spearman"}
    shown = {"indicator": row["indicator"], "rho": _signed(row.get("spearman"))}
    interval = "-" if row.get("low") is None else f"[{row['low']:+.2f}, {row['high']:+.2f}]"
    shown[f"{level:.0%} interval"] = interval
    shown |= {SHORT.get(name, name): _signed(row[name]) for name in row if name not in skip}
    shown |= {"p": _p(row.get("p")), "q": _p(row.get("q"))}
    shown["ties"] = "-" if row["tied_share"] is None else f"{row['tied_share']:.0%}"
    shown |= {"n": str(row["n_configurations"]), "runs": str(row["n_runs"])}
    shown["note"] = (row.get("reason") or "").split(":")[0]
    return shown


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def _p(value: float | None) -> str:
    return "-" if value is None else ("< .001" if value < 0.001 else f"{value:.3f}")
