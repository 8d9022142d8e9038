"""Agreement for a reader: one block a target set and outcome, an indicator a line, a verdict in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from predictor.agreements.request import SIZE
from predictor.agreements.table import PARTIAL
from predictor.render.page import GAP, Block, Heading, PageTable, Said, page_text
from predictor.render.tables import p_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.agreements import Agreement, AgreementTable, Noise

SCHEMA_VERSION = 1
LONG = 60  # characters of the names of studies: beyond it they are counted
OPTIONAL = ("runs", "ties", "without one", "I2", "n", "sets")
MAIN_OUTCOMES = ("accuracy", "robustness")  # shown by default where they were measured; the shifts with --all
CONSTANT = "the indicator is "  # how the reason begins
Row = Mapping[str, Any]


def page(
    table: AgreementTable,
    *,
    everything: bool = False,
    by: Sequence[str] = (),
    named: bool = False,
    between: bool = False,
) -> list[list[Block]]:
    """What is pooled first, then each target set, then notes.

    everything : every statistic, every outcome, and indicators without a value; by : only the columns along these axes
    named : the caller chose the indicators: those without a value are shown as well
    between : a configuration is a target set, and has no runs of its own
    """
    rows, pooled = table.summary_rows(), [] if by else table.pooled_rows()
    outcomes = {row["outcome"] for row in rows}
    main = outcomes if everything or not outcomes & set(MAIN_OUTCOMES) else outcomes & set(MAIN_OUTCOMES)
    main = outcomes if len(outcomes) <= len(MAIN_OUTCOMES) else main
    noise = {(n.study, n.target_set, n.outcome): n for n in table.noise}
    sections: list[list[Block]] = []
    for (study, outcome), group in groupby(pooled, key=lambda r: (r["study"], r["outcome"])):
        if outcome in main:
            own, same = _distinct(list(group), everything)
            lines = [_pooled_line(row, one) for row, one in zip(own, agreement_lines(own, table.level), strict=True)]
            name = study if len(study) <= LONG else f"{study.count('+') + 1} studies"
            heading = Heading((name, "ALL TARGET SETS", f"OUTCOME {outcome}"))
            sections.append([heading, PageTable(lines, optional=OPTIONAL), *(Said(text, indent="  ") for text in same)])
    hidden, flat = 0, []
    if named and not everything and not by:
        flat = _flat([row for row in rows if row["outcome"] in main])
    for key, group in groupby(rows, key=lambda r: (r["study"], r["target_set"], r["outcome"])):
        every = list(group)
        if key[2] not in main:
            continue
        own = [row for row in every if everything or named or row.get("spearman") is not None]
        hidden += len(every) - len(own)
        own = [row for row in own if row["indicator"] not in flat]
        if not own:
            continue
        own, same = _distinct(own, everything or named)
        lines = agreement_lines(own, table.level, 4 if everything else 2)
        if between:
            lines = [{name: cell for name, cell in line.items() if name != "runs"} for line in lines]
        tables = [] if by else [PageTable(lines, optional=OPTIONAL)]
        if everything:
            tables = [replace(one, optional=()) for one in tables]
        if everything and not by:
            tables.append(PageTable([_more(row) for row in own]))
        along = [_along(own, by)] if by or everything else []
        footer = [*same, *([] if by else [*_why(own), *_limits(noise.get(key))])]
        heading = Heading((key[0], f"TARGET SET {key[1]}", f"OUTCOME {key[2]}"))
        blocks: list[Block] = [heading, *tables, *(one for one in along if one is not None)]
        blocks = [block for one in blocks for block in ([GAP, one] if one in (*tables[1:], *along) else [one])]
        sections.append([*blocks, *(Said(text, indent="  ") for text in footer)])
    if not sections:
        sections.append([Said("no indicator varies in these runs")])
    notes = [*_same(flat), *_notes(table, outcomes - main, hidden, by, everything)]
    sections.append([Said(note, indent="  ") for note in notes])
    return sections


def _flat(rows: Sequence[Row]) -> list[str]:
    """Indicators without a value in several target sets, as they are the same in all configurations of each."""
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["indicator"], []).append(row)
    return [
        name
        for name, own in by.items()
        if len({row["target_set"] for row in own}) > 1
        and all(row.get("spearman") is None for row in own)
        and any((row.get("reason") or "").startswith(CONSTANT) for row in own)
    ]


def _same(flat: Sequence[str]) -> Iterator[str]:
    if flat:
        yield f"the same in all configurations of each target set, none of which it can rank: {', '.join(flat)}"
    if any(name.startswith("probe_") for name in flat):
        yield "indicators of images tell target sets apart, given the counts: --between ranks these"


def _notes(table: AgreementTable, left: set[str], hidden: int, by: Sequence[str], everything: bool) -> Iterator[str]:
    """How to read the tables, and what they leave out. left : outcomes; hidden : rows"""
    yield from table.notes
    if by:
        yield (
            "gamma of the pairs that differ in this axis alone; p permutes outcomes among these; profiles are compared "
            "at equal n_samples; a dash: there is no such pair, or all are tied"
        )
    if everything:
        yield (
            "decides: share of the pairs with different outcomes that it orders rightly (a tie counts half), of the "
            "share that it orders at all; Psi: granulated Kendall; CMI, PGDL: conditional mutual information as Jiang "
            "et al. define it and as the PGDL competition does, with the sign of rho; wrong sign: how often it orders "
            "two configurations wrongly that differ in one axis alone, on average and for the worst such change"
        )
    if left:
        yield f"also measured: {', '.join(sorted(left))}; --all or --outcome NAME shows them"
    if hidden:
        yield f"{hidden} rows without a value (never varying or missing) are left out; --all says why"


def content(table: AgreementTable) -> dict[str, Any]:
    """One object for JSON."""
    parts = {name: [asdict(row) for row in getattr(table, name)] for name in ("rows", "pooled", "noise")}
    return {"schema_version": SCHEMA_VERSION, **parts, "notes": list(table.notes)}


def kinds(table: AgreementTable) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV; the verdicts are those of the table."""
    verdicts = ("study", "target_set", "outcome", "indicator", "verdict")
    return {
        "agreement": [asdict(row) for row in table.rows],
        "pooled": [asdict(row) for row in table.pooled],
        "verdict": [
            {name: row[name] for name in verdicts if name in row}
            for row in (*table.summary_rows(), *table.pooled_rows())
            if row["verdict"]
        ],
        "noise": [asdict(row) for row in table.noise],
        "note": [{"reason": note} for note in table.notes],
    }


def _distinct(rows: Sequence[Row], everything: bool) -> tuple[list[Row], list[str]]:
    """One row for indicators that rank these configurations alike in every number, and a line that says so."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        numbers = (row.get(name) for name in ("spearman", "low", "high", "p", "tied_share", "n_configurations"))
        groups.setdefault((*numbers, row["indicator"] if everything else None), []).append(row)
    same = [f"{', '.join(r['indicator'] for r in g[1:])} as {g[0]['indicator']}" for g in groups.values() if len(g) > 1]
    return [group[0] for group in groups.values()], [f"the same ranks: {'; '.join(same)}"] if same else []


def agreement_lines(rows: Sequence[Row], level: float, digits: int = 2) -> list[dict[str, str]]:
    """One indicator each: rho, its interval, rho with size held fixed, adjusted p (q), ties, evidence, verdict.

    Every line has the same cells: the indicator that is held fixed has no value beside itself.
    """
    given = next((row["given"] for row in rows if row.get("given") is not None), None)
    return [_line(row, level, digits, given) for row in rows]


def _line(row: Row, level: float, digits: int, given: str | None) -> dict[str, str]:
    shown = {"indicator": row["indicator"], "rho": _signed(row.get("spearman"), digits)}
    shown[f"{level:.0%} interval"] = _interval(row)
    if given:
        shown[f"given {'size' if given == SIZE else given}"] = _signed(row.get(PARTIAL))
    shown["q"] = p_value(row.get("q"))
    shown["ties"] = "-" if row["tied_share"] is None else f"{row['tied_share']:.0%}"
    shown |= {"n": str(row["n_configurations"]), "runs": str(row["n_runs"])}
    shown["verdict"] = row["verdict"] or "-"
    return shown


def _pooled_line(row: Row, shown: dict[str, str]) -> dict[str, str]:
    verdict = shown.pop("verdict")
    del shown["ties"], shown["runs"]  # of each target set; here they leave no room for what is said
    without = row["without_one"]
    del shown["n"]  # the evidence of what is pooled: target sets, whose configurations stand below
    shown["sets"] = str(row["n_target_sets"])
    shown["I2"] = "-" if row.get("i_squared") is None else f"{row['i_squared']:.0%}"
    shown["without one"] = f"{without[0]:+z.2f}..{without[1]:+z.2f}" if without else "-"
    return {**shown, "verdict": verdict}


def _more(row: Row) -> dict[str, str]:
    """The other statistics of one indicator."""
    sign = {True: "+", False: "-"}.get((row.get("spearman") or 0) > 0, "")
    coverage = row.get("decision_coverage")

    def information(name: str) -> str:
        value = row.get(name)
        return "-" if value is None else f"{value:.3f} ({sign})"

    mean, worst = row.get("sign_error"), row.get("sign_error_worst")
    decided = row.get("decision_accuracy")
    return {
        "indicator": row["indicator"],
        "p": p_value(row.get("p")),
        "tau-b": _signed(row.get("kendall_tau_b"), 4),
        "gamma": _signed(row.get("gamma"), 4),
        "Somers": _signed(row.get("somers_d"), 4),
        "decides": "-" if decided is None else f"{decided:.1%} of {coverage:.0%}",
        "Psi": _signed(row.get("granulated_kendall"), 3),
        "CMI": information("conditional_mutual_information"),
        "PGDL": information("conditional_mutual_information_pgdl"),
        "wrong sign": "-" if mean is None or worst is None else f"{mean:.2f}, {worst:.2f}",
    }


def _along(rows: Sequence[Row], by: Sequence[str]) -> Block | None:
    """Gamma along each axis that has pairs here."""
    found = dict.fromkeys(axis for row in rows for axis, own in row["along"].items() if own.value is not None)
    axes = list(by) or list(found)
    if not axes:
        return None
    shown = [
        {"indicator": row["indicator"], **{f"by {axis}": _with_p(row["along"].get(axis)) for axis in axes}}
        for row in rows
        if any(axis in row["along"] and row["along"][axis].value is not None for axis in axes)
    ]
    return PageTable(shown) if shown else Said("no two configurations differ in one of these axes alone")


def _with_p(gamma: Agreement | None) -> str:
    if gamma is None or gamma.value is None:
        return "-"
    between = "" if gamma.low is None else f" [{gamma.low:+z.2f}, {gamma.high:+z.2f}]"
    return f"{gamma.value:+z.2f}{between} p {p_value(gamma.p)}"


def _why(rows: Sequence[Row]) -> Iterator[str]:
    """Why intervals or values are missing, one line a reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.get("low") is None:
            what = "no value" if row.get("spearman") is None else "no interval"
            reasons.setdefault(f"{what}: {(row.get('reason') or '').split(':')[0]}", []).append(row["indicator"])
    for reason, names in reasons.items():
        yield f"{reason} ({', '.join(names)})"


def _limits(noise: Noise | None) -> Iterator[str]:
    """What noise leaves to predict."""
    if noise is None or (noise.seed is None and noise.binomial is None):
        return
    parts = [f"{100 * noise.seed:.1f} points a run by seed"] if noise.seed is not None else []
    parts += [f"{100 * noise.binomial:.1f} by its test images"] if noise.binomial is not None else []
    if noise.ceiling is None:
        yield f"noise: {', '.join(parts)}; what a predictor could reach is unknown: {noise.reason}"
        return
    yield f"noise: {', '.join(parts)}; no predictor can be expected to reach a rho above {noise.ceiling:.2f}"


def _interval(row: Row) -> str:
    return "-" if row.get("low") is None else f"[{row['low']:+z.2f}, {row['high']:+z.2f}]"


def _signed(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:+z.{digits}f}"


def summary(table: AgreementTable, fmt: str = "table", **options: Any) -> str:
    """The table in words. options : those of `page`"""
    return page_text(page(table, **options), fmt)


def plot(table: AgreementTable) -> Figure:
    """Heat map of Spearman's rho: a row an indicator, a column a target set and outcome; grey: undefined."""
    from predictor.figures import agreement_map

    return agreement_map(table.to_frame())
