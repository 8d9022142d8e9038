"""`predictor fit` in one screen: every outcome and kind of held-out run, what was left out and why, what is weak."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from predictor.fitting import select
from predictor.fitting.left_out import LeftOut, Reason, other_recipe
from predictor.models.fit import Fit, shipped_fit
from predictor.render.page import page_text
from predictor.render.report import Material
from predictor.render.tables import points
from predictor.render.validation_screen import NAMES, ROOM, SHIFT, SHIFTS, FitTold, page
from predictor.statistics.binomial import exact_interval


def screen_text(fit: Fit, form: str = "table", *, everything: bool = False, **more: Any) -> str:
    return page_text(page(FitTold(fit=fit, **more), everything=everything), form)


@pytest.fixture(scope="module")
def screen(about: Material) -> str:
    dropped = select(about.records).dropped
    return screen_text(about.fit, scored=about.scored, dropped=dropped, written="runs/fit.json")


def test_every_outcome_and_split_has_its_line(about: Material, screen: str) -> None:
    rows = [row for row in about.fit.validation if row["chosen"]]
    assert len(rows) >= 4
    outcome = ""
    lines = iter(screen.split("\n\n")[1].split("\n")[1:])
    for row, line in zip(rows, lines, strict=True):
        outcome = line[: len(row["outcome"])].strip() or outcome
        assert outcome == row["outcome"] and NAMES[row["split"]] in line
        pair = row["covered"]["0.9"]
        for part in (
            f"{row['n_configurations']:,}", points(row["mae"]), points(row["noise_floor"]), f"{row['spearman']:.2f}",
            f"{pair[0]} of {pair[1]}" if pair else "unmeasured", row["family"],
        ):  # fmt: skip
            assert part in line


def test_shifts_share_a_line_where_outcomes_are_many() -> None:
    """Of the fit that ships: its table of shifts has a cell a kind of held-out run, with the error and the coverage."""
    chosen = [row for row in shipped_fit().validation if row["chosen"]]
    shifts = [row for row in chosen if row["outcome"].startswith(SHIFT)]
    assert len(chosen) > ROOM and len(shifts) > 10
    _, first, folded, *_ = re.split(r"\n\n", screen_text(shipped_fit()))
    assert len(first.split("\n")) == 1 + len(chosen) - len(shifts) and SHIFT not in first
    head, *lines = folded.split("\n")
    n = {row["outcome"]: row["n_configurations"] for row in shifts if row["split"] == "configuration"}
    most = sorted(n, key=lambda name: -n[name])[:SHIFTS]
    assert [line.split()[0] for line in lines] == [name for name in n if name in most], "the others: --all"
    for row in (row for row in shifts if row["outcome"] in most):
        assert NAMES[row["split"]] in head
        (line,) = (line for line in lines if line.startswith(f"{row['outcome']} "))
        pair = row["covered"]["0.9"]
        assert f"{points(row['mae'])}, {f'{pair[0]}/{pair[1]}' if pair else '-'}" in line


def test_what_was_left_out_is_counted_by_reason(screen: str) -> None:
    assert "left out      8 runs, held out for scoring (apart)\n" in screen
    table = Reason("reported, not trained here", " (name it with --study to fit on it)")
    rates = [other_recipe("net 32 px", f"learning_rate {rate} instead of 0.03", f"--recipe learning_rate={rate}")
             for rate in (0.01, 0.06)]  # fmt: skip
    dropped = [*(LeftOut(f"study-{i}", table, 2) for i in range(5)), LeftOut("late", Reason("of another kind"), 11)]
    dropped += [LeftOut("rates", rates[0], 3), LeftOut("rates", rates[1], 4)]
    text = screen_text(shipped_fit(), dropped=dropped)
    assert text.index("11 runs, of another kind (late)") < text.index("10 runs, reported")
    flat = " ".join(text.split())
    assert "10 runs, reported, not trained here (study-0, study-1, study-2 and 2 more)" in flat
    taken = "--recipe learning_rate=0.06 takes 4, --recipe learning_rate=0.01 takes 3 as a factor"
    assert f"7 runs, another recipe than most runs of net 32 px (rates): {taken}" in flat


def test_a_recipe_family_that_is_not_fitted_is_named() -> None:
    why = "recipe family frozen: outcome accuracy: 4 configurations; at least 10 are needed"
    fit = shipped_fit()
    fit = replace(fit, content={**fit.content, "left_out": [why]})
    assert why in " ".join(screen_text(fit, dropped=[]).split())


def test_held_out_studies_are_scored(about: Material, screen: str) -> None:
    row = next(r for r in about.scored if r["chosen"] and r["outcome"] == "accuracy")
    (line,) = re.findall(r"^apart +accuracy.*$", screen, flags=re.MULTILINE)
    assert points(row["mae"]) in line and f"{row['covered'][0]} of {row['covered'][1]}" in line


def test_of_many_held_out_studies_the_largest_are_shown(about: Material) -> None:
    two = [row for row in about.scored if row["chosen"] and row["outcome"] in ("accuracy", "robustness")]
    assert {row["outcome"] for row in two} == {"accuracy", "robustness"}
    scored = [{**row, "studies": [f"apart-{i}"], "n_configurations": 10 + i} for i in range(6) for row in two]
    text = screen_text(about.fit, scored=scored)
    assert re.findall(r"^(apart-\d) +(\w+) ", text, flags=re.MULTILINE) == [
        (f"apart-{i}", "accuracy") for i in (5, 4, 3, 2)
    ]
    assert "2 more held-out studies" in " ".join(text.split())


def test_the_weak_place_is_named() -> None:
    """Of the fit that ships: another kind of images, and intervals that surely hold too seldom."""
    fit = shipped_fit()
    text = " ".join(screen_text(fit).split())
    row = next(r for r in fit.validation if (r["outcome"], r["split"]) == ("accuracy", "domain") and r["chosen"])
    assert (
        f"weak accuracy on left-out image domains (MAE {points(row['mae'])}, noise {points(row['noise_floor'])})"
        in text
    )
    cells = [
        (exact_interval(*pair)[1], pair)
        for r in fit.validation if r["chosen"] and r["covered_by"]
        for kind in ("study", "domain") for pair in (r["covered_by"].get(kind) or {}).values()
    ]  # fmt: skip
    inside, n = min(cells)[1]
    assert f": {inside} of {n} intervals hold)" in text, "two that both fail are less sure than five of fifteen"
    assert "no measured interval for left-out domains" in text


def test_everything_is_behind_all(about: Material) -> None:
    text = screen_text(about.fit, scored=about.scored, everything=True)
    assert "HELD OUT" in text and text.startswith(about.fit.summary(everything=True).split("\n\n")[0])
    for row in about.fit.validation:
        assert row["family"] in text
    assert "P stated, right (pairs): " in text
    assert about.fit.summary().startswith(screen_text(about.fit).split("\n")[0])
    assert "| accuracy |" in screen_text(about.fit, "markdown")
