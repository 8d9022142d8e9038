"""A folded section a study: what it varied, what came out, which indicators ranked it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predictor.render.report.embedded import EmbeddedTable
from predictor.render.report.material import Material
from predictor.render.report.ranking import of_study

LEVELS = 8  # of an axis that are named


@dataclass(frozen=True)
class ReportedStudy:
    """What the section of a study shows."""

    name: str
    line: str
    varied: list[tuple[str, str]]
    outcomes: EmbeddedTable
    indicators: EmbeddedTable | None


def studies(about: Material) -> list[ReportedStudy]:
    """Every study of the registry, in its order."""
    made = []
    for name in about.frame["study"].unique():
        own = about.configurations[about.configurations["study"].eq(name)]
        runs = about.frame[about.frame["study"].eq(name)]
        held = ", held out for scoring" if bool(own["held_out"].iloc[0]) else ""
        line = (
            f"{len(own):,} configurations, {int(own['n_runs'].sum()):,} runs on {own['target_set'].nunique()} target "
            f"sets; {own['provenance'].iloc[0]}{held}"
        )
        varied = []
        for column in [c for c in runs if c.startswith("axis_")]:
            levels = list(dict.fromkeys(str(_plain(value)) for value in runs[column].dropna()))
            if len(levels) > 1:
                more = f" and {len(levels) - LEVELS} more" if len(levels) > LEVELS else ""
                varied.append((column.removeprefix("axis_"), ", ".join(levels[:LEVELS]) + more))
        made.append(ReportedStudy(name, line, varied, _outcomes(name, about), of_study(about, name)))
    return made


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _outcomes(study: str, about: Material) -> EmbeddedTable:
    """A row a target set: configurations, runs, and the range of every outcome over configurations."""
    own = about.configurations[about.configurations["study"].eq(study)]
    names = [c.removeprefix("out_") for c in own if c.startswith("out_") and own[c].notna().any()]
    shares = {name for name in names if f"scale_{name}" not in about.frame}
    rows, full = [], []
    for target_set, some in own.groupby("target_set", sort=True):
        row = {"target set": target_set, "kind of images": some["domain"].iloc[0], "n": f"{len(some):,}",
               "runs": f"{int(some['n_runs'].sum()):,}"}  # fmt: skip
        plain = {
            "study": study, "target_set": target_set, "domain": some["domain"].iloc[0],
            "n_configurations": len(some), "n_runs": int(some["n_runs"].sum()),
        }  # fmt: skip
        for name in names:
            values = some[f"out_{name}"].dropna().to_numpy(float)
            factor, unit = (100, " %") if name in shares else (1, "")
            row[name] = "-" if not len(values) else (
                f"{factor * values.min():.1f} to {factor * values.max():.1f}{unit}" if len(values) > 1
                else f"{factor * values[0]:.1f}{unit}"
            )  # fmt: skip
            for what, of in (("least", np.min), ("mean", np.mean), ("most", np.max)):
                plain[f"{name}_{what}"] = float(of(values)) if len(values) else None
        rows.append(row)
        full.append(plain)
    return EmbeddedTable(f"Outcomes in {study}", rows, full)
