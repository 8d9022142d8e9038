"""`predictor fit` in one screen: every outcome and kind of held-out run, what was left out and why, what is weak."""

from __future__ import annotations

import re

import pytest

from predictor.fitting import select
from predictor.models.fit import shipped_fit
from predictor.render.report import Material
from predictor.render.tables import points
from predictor.render.validation import validation_text
from predictor.render.validation_screen import NAMES, screen_text


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


def test_it_is_one_screen_of_eighty_columns(screen: str) -> None:
    assert max(map(len, screen.split("\n"))) <= 80
    assert len(screen.split("\n")) < 45
    shipped = screen_text(shipped_fit())
    assert max(map(len, shipped.split("\n"))) <= 80 and len(shipped.split("\n")) < 45


def test_what_was_left_out_is_counted_by_reason(screen: str) -> None:
    assert "left out: 8 runs, held out for scoring (apart)\n" in screen
    many = [(f"study-{i}", "reported, not trained here (name it with --study to fit on it)", 2) for i in range(5)]
    text = screen_text(shipped_fit(), dropped=[*many, ("late", "of another kind", 11)])
    assert text.index("11 runs, of another kind (late)") < text.index("10 runs, reported")
    flat = " ".join(text.split())
    assert "left out: 10 runs, reported, not trained here (study-0, study-1, study-2 and 2 more)" in flat


def test_held_out_studies_are_scored(about: Material, screen: str) -> None:
    row = next(r for r in about.scored if r["chosen"] and r["outcome"] == "accuracy")
    (line,) = re.findall(r"^apart +accuracy.*$", screen, flags=re.MULTILINE)
    assert points(row["mae"]) in line and f"{row['covered'][0]} of {row['covered'][1]}" in line


def test_the_weak_place_is_named() -> None:
    """Of the fit that ships: another kind of images, and intervals that surely hold too seldom."""
    fit = shipped_fit()
    text = " ".join(screen_text(fit).split())
    row = next(r for r in fit.validation if (r["outcome"], r["split"]) == ("accuracy", "domain") and r["chosen"])
    assert (
        f"weak: accuracy on left-out image domains (MAE {points(row['mae'])}, noise {points(row['noise_floor'])})"
        in text
    )
    assert re.search(r"intervals hold\)", text) and "no interval was measured for left-out domains" in text


def test_everything_is_behind_all(about: Material) -> None:
    text = validation_text(about.fit, "table", scored=about.scored)
    assert about.fit.summary(everything=True) in text or "HELD OUT" in text
    for row in about.fit.validation:
        assert row["family"] in text
    assert "P stated, right (pairs): " in text
    assert about.fit.summary().startswith(screen_text(about.fit).split("\n")[0])
    assert "| accuracy |" in screen_text(about.fit, "markdown")
