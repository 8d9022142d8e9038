"""A fit in one screen: a line an outcome and kind of held-out run, what was left out by reason, where it is weak.

Where outcomes are many, the shifts, whose mean robustness is, have a line each for all kinds of held-out run together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor.fitting.left_out import UNFITTED, LeftOut
from predictor.models.fit import Fit
from predictor.render.layout import whole
from predictor.render.page import GAP, Block, Page, PageTable, Said
from predictor.render.tables import points
from predictor.render.validation import LEVEL, SPLITS, every_kind, every_section
from predictor.statistics.binomial import exact_interval

ROOM = 20  # rows of a table, from which shifts are folded
SHIFTS = 5  # of the folded ones, those of most configurations
SCORES = 4  # rows of held-out studies; where they are more, one outcome is shown, of the largest ones
SHIFT = "shift:"
MAIN = ("accuracy", "robustness")  # whose scores on held-out studies are shown; the shifts' with --all
NAMES = {
    "configuration": "configurations", "new_draws": "new draws", "target_set": "target sets", "domain": "domains",
    "extrapolation": "largest fifth",
}  # fmt: skip
NAMED = 3  # studies and options of one reason that are named


@dataclass(frozen=True, kw_only=True)
class FitTold:
    """A fit, and what came of making it.

    scored : rows of `score_held_out`; dropped : runs that did not enter, None where nobody counted; notes : what was
    left out before, of further registries; written : a path
    """

    fit: Fit
    scored: Sequence[Mapping[str, Any]] = ()
    dropped: Sequence[LeftOut] | None = None
    notes: Sequence[str] = ()
    written: str | Path | None = None


def page(told: FitTold, *, everything: bool = False) -> Page:
    """What was fitted, how well it predicts, what was left out, where it is weak. everything : every family"""
    fit, training = told.fit, told.fit.training
    if everything:
        return every_section(fit, scored=told.scored, written=told.written)
    named = f"; named with --study: {', '.join(training['named'])}" if training["named"] else ""
    sizes = (len(fit.target_sets), "target set", "target sets"), (len(fit.domains), "domain", "domains")
    sizes = (*sizes, (len(training["studies"]), "study", "studies"))
    parts = [f"{n} {one if n == 1 else many}" for n, one, many in sizes]
    made = f"{training['n_configurations']:,} configurations, {training['n_runs']:,} runs, {', '.join(parts)}{named}"
    chosen = [row for row in fit.validation if row["chosen"]]
    folded = [row for row in chosen if row["outcome"].startswith(SHIFT)] if len(chosen) > ROOM else []
    first: list[Block] = [PageTable(_rows([row for row in chosen if row not in folded]))]
    if folded:
        shown = _most_measured(folded)
        first += [GAP, PageTable(_shift_rows(shown), optional=("family", "rho", "noise"))]
    held = [row for row in told.scored if row["chosen"] and row["outcome"] in MAIN]
    if len(held) > SCORES:
        held = [row for row in held if row["outcome"] == held[0]["outcome"]]
    more = max(0, len(held) - SCORES)
    held = sorted(held, key=lambda row: -row["n_configurations"])[:SCORES] if more else held
    unfitted = [line for line in fit.left_out if line.startswith(UNFITTED) and told.dropped is not None]
    left = [*_left_out(told), *unfitted, *told.notes]
    beside = f"; {more} more held-out {'study' if more == 1 else 'studies'}" if more else ""
    others = f"; recipe families: {whole('predictor recipes')}" if len(fit.recipe_families) > 1 else ""
    lines = [
        *(Said(_family(own), f"also {name}") for name, own in fit.recipe_families.items() if own is not fit),
        Said(_weak(fit), "weak"),
        *(Said(line, "" if i else "left out") for i, line in enumerate(left)),
        Said(f"every family, split and shift{beside}; how often P was right; notes{others}", "--all"),
        *([] if told.written is None else [Said(str(told.written), "written")]),
    ]
    units = "MAE, noise (the least that seeds allow): points; rho: ranks inside target sets"
    units += "; of a shift: MAE, intervals that hold" if folded else ""
    scores: list[Block] = [PageTable([_scored(row) for row in held])] if held else []
    return [[Said(made), Said(units)], first, scores, lines]


def _most_measured(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the SHIFTS outcomes with most configurations, in their order."""
    n = {row["outcome"]: row["n_configurations"] for row in reversed(rows)}  # of the first row: every configuration
    kept = sorted(n, key=lambda name: -n[name])[:SHIFTS]
    return [row for row in rows if row["outcome"] in kept]


def content(told: FitTold) -> dict[str, Any]:
    """One object for JSON."""
    fit = told.fit
    return {
        "schema_version": 1,
        "fit": {"digest": fit.digest, "written": None if told.written is None else str(told.written), **_sizes(fit)},
        "rows": fit.validation,
        "recipe_families": {name: own.validation for name, own in fit.recipe_families.items() if own is not fit},
        "held_out": list(told.scored),
        "left_out": fit.left_out,
        "left_out_runs": None if told.dropped is None else _dropped_rows(told.dropped),
    }


def kinds(told: FitTold) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    fit = told.fit
    written = None if told.written is None else str(told.written)
    made = {"digest": fit.digest, "written": written, **_sizes(fit)}
    return {**every_kind(fit, told.scored), "left out runs": _dropped_rows(told.dropped or ()), "fit": [made]}


def _sizes(fit: Fit) -> dict[str, Any]:
    training = fit.training
    return {
        "n_configurations": training["n_configurations"],
        "n_runs": training["n_runs"],
        "n_target_sets": len(fit.target_sets),
        "n_domains": len(fit.domains),
        "studies": list(training["studies"]),
        "named": list(training["named"]),
    }


def _dropped_rows(dropped: Sequence[LeftOut]) -> list[dict[str, Any]]:
    return [
        {"study": one.study, "n_runs": one.n_runs, "reason": str(one.reason), "option": one.reason.option or None}
        for one in dropped
    ]


def _family(fit: Fit) -> str:
    """A recipe family beside the main one, in a line."""
    scored = []
    for row in fit.validation:
        if row["chosen"] and row["outcome"] == MAIN[0] and row["split"] in ("configuration", "target_set", "domain"):
            pair = row["covered"].get(LEVEL)
            covered = f"{pair[0]}/{pair[1]}" if pair else "unmeasured"
            inside = row["split"] == "configuration"
            name = "MAE" if inside else NAMES[row["split"]]
            scored.append(f"{name} {points(row['mae'])} ({covered}{' covered' * (inside and pair is not None)})")
    return f"n {fit.training['n_configurations']:,}; accuracy: {', '.join(scored) or 'not measured'}"


def _rows(chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A line an outcome and kind of held-out run."""
    rows: list[dict[str, str]] = []
    last = None
    for row in chosen:
        name = row["outcome"] if row["outcome"] != last else ""
        rows.append({"outcome": name, "held out": NAMES.get(row["split"], row["split"]), **_cells(row, row["family"])})
        last = row["outcome"]
    return rows


def _shift_rows(chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A line a shift, with a cell a kind of held-out run."""
    splits = [split for split in NAMES if any(row["split"] == split for row in chosen)]
    rows = []
    for outcome in dict.fromkeys(row["outcome"] for row in chosen):
        own = {row["split"]: row for row in chosen if row["outcome"] == outcome}
        first = own.get(splits[0]) or next(iter(own.values()))
        cells = _cells(first, first["family"])
        rows.append({
            "outcome": outcome, "n": cells["n"],
            **{NAMES[split]: _error_and_coverage(own.get(split)) for split in splits},
            "noise": cells["noise"], "rho": cells["rho"], "family": cells["family"],
        })  # fmt: skip
    return rows


def _error_and_coverage(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    pair = row["covered"].get(LEVEL)
    return f"{points(row['mae'], row['scale'])}, {f'{pair[0]}/{pair[1]}' if pair else '-'}"


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
                most = exact_interval(inside, n)[1]  # a small share of two intervals says less than one of fifty
                if most < float(LEVEL) and (least is None or most < least[0]):
                    split = NAMES.get(row["split"], row["split"])
                    least = most, f"{row['outcome']} of {name} ({split}: {inside} of {n} intervals hold)"
    if least:
        told.append(least[1])
    open_ = sorted({NAMES.get(row["split"], row["split"]) for row in rows if row["coverage_reason"]})
    if open_:
        told.append(f"no measured interval for left-out {' and '.join(open_)} of some outcomes")
    return "; ".join(told) if told else "noise and coverage are not known well enough to say"


def _left_out(told: FitTold) -> list[str]:
    """By reason with counts; without the counts, how many notes there are."""
    if told.dropped is None:
        return [f"{len(told.fit.left_out)} notes, see --all"] if told.fit.left_out else []
    by: dict[str, list[LeftOut]] = {}
    for one in told.dropped:
        by.setdefault(one.reason.why, []).append(one)
    lines = []
    for why, found in sorted(by.items(), key=lambda item: -sum(one.n_runs for one in item[1])):
        names = _some(list(dict.fromkeys(one.study for one in found)))
        taken = Counter[str]()
        for one in found:
            taken[one.reason.option] += one.n_runs
        options = [f"{whole(option)} takes {n:,}" for option, n in taken.most_common() if option]
        more = f": {_some(options)} as a factor" if options else ""
        lines.append(f"{sum(one.n_runs for one in found):,} runs, {why} ({names}){more}")
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
