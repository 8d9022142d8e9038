"""Effective robustness against a reference worked by hand, and on the runs that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from predictor.importers.build import build
from predictor.importers.mapping import checked_map
from predictor.importers.table import ImportedTable
from predictor.records import read_registry
from predictor.records.shift_rows import shift_rows
from predictor.statistics.effective import effective_robustness

RUNS = Path(__file__).parents[1] / "runs"


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_a_model_on_the_line_of_the_others_has_none() -> None:
    x = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.5])
    clean, shifted = expit(x), expit(0.8 * x - 1)
    assert effective_robustness(clean, shifted) == pytest.approx(np.zeros(7), abs=1e-12)
    better = shifted.copy()
    better[6] += 0.07
    found = effective_robustness(clean, better)
    assert found[6] == pytest.approx(0.07) and (found[:6] < 0.02).all(), "its own value does not move its line"


def test_what_makes_no_line_has_no_value() -> None:
    assert np.isnan(effective_robustness([0.5] * 5, [0.4] * 5)).all(), "four others"
    assert np.isnan(effective_robustness([0.5] * 9, [0.4] * 9)).all(), "one clean accuracy"
    found = effective_robustness([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert np.isnan(found[6]) and np.isfinite(found[:6]).all()


def test_the_shipped_runs_have_a_row_a_shift() -> None:
    records = read_registry(RUNS, ["first-look"])
    rows = shift_rows(records)
    assert len(rows) == sum(name.startswith("shift:") for record in records for name in record.outcomes) > 300
    for row in rows:
        assert row["covered"] == row["targets"] or row["among_covered"] >= row["accuracy"]
        assert row["chance"] == pytest.approx(1 / row["targets"])
    by_set: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["effective"] is not None:
            by_set.setdefault((row["target_set"], row["shift"]), []).append(row["effective"])
    assert len(by_set) == len({(row["target_set"], row["shift"]) for row in rows})
    assert all(abs(np.mean(values)) < 0.03 for values in by_set.values()), "the others' lines go through the middle"


def test_the_mean_of_imported_rows_is_of_those_that_have_every_shift() -> None:
    plan = {
        "study": "s", "citation": "c", "target_set": "t", "domain": "d", "indicators": ["n"],
        "outcomes": {"accuracy": "a", "shift:x": "x", "shift:y": "y"},
        "effective_robustness": {"name": "all", "reference": {"kind": ["plain"]}},
    }  # fmt: skip
    shares = [i / 20 for i in range(1, 13)]
    columns = (range(1, 13), ["plain"] * 12, shares, shares[::-1], [None, *shares[:11]])
    rows = ((f"line {n}", row) for n, row in enumerate(zip(*columns, strict=True), 2))
    table = ImportedTable.of("t.csv", ("n", "kind", "a", "x", "y"), rows)
    first, *others = (record.outcomes for record in build(table, checked_map(plan, "map.yaml")).records)
    assert [name for name in first if name.startswith("effective")] == ["effective:x"]
    for own in others:
        mean = (own["effective:x"].value + own["effective:y"].value) / 2
        assert own["effective_robustness"].value == pytest.approx(mean)
