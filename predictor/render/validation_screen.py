"""A fit in one screen of 80 columns: a line an outcome and kind of held-out run, what was left out, what is weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from predictor.models.fit import Fit
from predictor.render.tables import points, rows_text
from predictor.render.validation import LEVEL, SPLITS
from predictor.statistics.binomial import exact_interval
from predictor.text import visible

WIDTH = 80
MAIN = ("accuracy", "robustness")  # whose scores on held-out studies are shown; the shifts' with --all
NAMES = {
    "configuration": "configurations", "new_draws": "new draws", "target_set": "target sets", "domain": "domains",
    "extrapolation": "largest fifth",
}  # fmt: skip
NAMED = 3  # studies of one reason that are named


def screen_text(
    fit: Fit,
    fmt: str = "table",
    *,
    scored: Sequence[Mapping[str, Any]] = (),
    dropped: Sequence[tuple[str, str, int]] | None = None,
    written: str | Path | None = None,
    notes: Sequence[str] = (),
) -> str:
    """What was fitted, how well it predicts, what was left out, where it is weak; in 'table' or 'markdown'.

    scored : rows of `score_held_out`; dropped : (study, reason, runs), see `predictor.fitting.select`; written : a path
    notes : what was left out before: of further registries
    """
    training = fit.training
    named = f"; named with --study: {', '.join(training['named'])}" if training["named"] else ""
    sizes = (len(fit.target_sets), "target set", "target sets"), (len(fit.domains), "domain", "domains")
    sizes = (*sizes, (len(training["studies"]), "study", "studies"))
    parts = [f"{n} {one if n == 1 else many}" for n, one, many in sizes]
    lines = [
        f"{training['n_configurations']:,} configurations, {training['n_runs']:,} runs, {', '.join(parts)}{named}",
        "MAE and noise (the least that seeds allow) in points; rho inside target sets",
    ]  # fmt: skip
    blocks = ["\n".join(_wrapped(line, fmt) for line in lines), rows_text(_rows(fit.validation), fmt)]
    if held := [row for row in scored if row["chosen"] and row["outcome"] in MAIN]:
        blocks.append(rows_text([_scored(row) for row in held], fmt))
    left = [f"left out: {note}" for note in notes]
    apart = [_family(name, own) for name, own in fit.recipe_families.items() if own is not fit]
    told = [*apart, _weak(fit), *_left_out(fit, dropped), *left, "all families, bins of P(a is better), notes: --all"]
    told += [f"written: {written}"] if written is not None else []
    blocks.append("\n".join(_wrapped(note, fmt) for note in told))
    return "\n\n".join(blocks)


def _family(name: str, fit: Fit) -> str:
    """A recipe family beside the main one, in a sentence."""
    scored = [
        f"{NAMES[row['split']]} {points(row['mae'])}" + (f" ({row['covered'][LEVEL][0]} of {row['covered'][LEVEL][1]})"
                                                         if row["covered"].get(LEVEL) else " (unmeasured)")
        for row in fit.validation
        if row["chosen"] and row["outcome"] == MAIN[0] and row["split"] in ("configuration", "target_set", "domain")
    ]  # fmt: skip
    return (
        f"recipe family {name}, fitted apart: {fit.training['n_configurations']:,} configurations, "
        f"{len(fit.target_sets)} target sets, {len(fit.domains)} domains; MAE of accuracy (90 % covers): "
        f"{', '.join(scored) or 'not measured'}; more: predictor recipes"
    )


def _rows(validation: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    last = None
    for row in validation:
        if row["chosen"]:
            name = row["outcome"] if row["outcome"] != last else ""
            rows.append(
                {"outcome": name, "held out": NAMES.get(row["split"], row["split"]), **_cells(row, row["family"])}
            )
            last = row["outcome"]
    return rows


def _scored(row: Mapping[str, Any]) -> dict[str, str]:
    covered = {LEVEL: row["covered"]}
    name = ", ".join(row["studies"])
    return {"held-out study": name, "outcome": row["outcome"], **_cells({**row, "covered": covered}, row["family"])}


def _cells(row: Mapping[str, Any], family: str) -> dict[str, str]:
    pair = row["covered"].get(LEVEL)
    return {
        "n": f"{row['n_configurations']:,}",
        "MAE": points(row["mae"], row["scale"]),
        "noise": points(row["noise_floor"], row["scale"]),
        "rho": "-" if row["spearman"] is None else f"{row['spearman']:.2f}",
        "90 % covers": f"{pair[0]} of {pair[1]}" if pair else "unmeasured",
        "family": family,
    }


def _weak(fit: Fit) -> str:
    """Where errors are largest beside what noise leaves, and where intervals hold too seldom beyond doubt."""
    rows = [row for row in fit.validation if row["chosen"]]
    ratio = {i: row["mae"] / row["noise_floor"] for i, row in enumerate(rows) if row["noise_floor"]}
    told = []
    if ratio:
        row = rows[max(ratio, key=lambda i: ratio[i])]
        told.append(
            f"{row['outcome']} on {SPLITS.get(row['split'], row['split']).split(':')[0]} (MAE "
            f"{points(row['mae'], row['scale'])}, noise {points(row['noise_floor'], row['scale'])})"
        )
    least: tuple[float, str] | None = None
    for row in rows:
        for kind in ("study", "domain"):
            for name, (inside, n) in ((row["covered_by"] or {}).get(kind) or {}).items():
                if exact_interval(inside, n)[1] < float(LEVEL) and (least is None or inside / n < least[0]):
                    split = NAMES.get(row["split"], row["split"])
                    least = inside / n, f"{row['outcome']} of {name} ({split}: {inside} of {n} intervals hold)"
    if least:
        told.append(least[1])
    open_ = sorted({NAMES.get(row["split"], row["split"]) for row in rows if row["coverage_reason"]})
    if open_:
        told.append(f"no interval was measured for left-out {' and '.join(open_)} of some outcomes")
    return f"weak: {'; '.join(told)}" if told else "weak: noise and coverage are not known well enough to say"


def _left_out(fit: Fit, dropped: Sequence[tuple[str, str, int]] | None) -> list[str]:
    """By reason with counts; without the counts, as the fit states it."""
    if dropped is None:
        return [f"left out: {len(fit.left_out)} notes, see --all"] if fit.left_out else []
    by: dict[str, list[tuple[str, int]]] = {}
    for study, reason, n in dropped:
        by.setdefault(reason.partition(" (name it")[0], []).append((study, n))
    lines = []
    for reason, found in sorted(by.items(), key=lambda item: -sum(n for _, n in item[1])):
        names = [study for study, _ in found]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"left out: {sum(n for _, n in found):,} runs, {reason} ({', '.join(names[:NAMED])}{more})")
    return lines


def _wrapped(text: str, fmt: str) -> str:
    return (
        f"- {visible(text)}"
        if fmt == "markdown"
        else fill(visible(text), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    )
