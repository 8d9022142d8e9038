"""The study advice: its plans are the rules' own, and what was trained bears the predictions out."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from predictor.grids import load_grid
from predictor.manifest import read_manifest
from predictor.planning.advice.allocation import proportional, smallest_first, uniform
from predictor.records import read_registry
from predictor.spec import planned_counts

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "runs" / "advice"
RULES = {"proportional": proportional, "uniform": uniform, "smallest first": smallest_first}


@pytest.fixture(scope="module")
def plans():
    with open(STUDY / "predicted.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def counts(row):
    return [int(count) for count in row["counts"].split()]


def test_the_plans_are_what_the_rules_make_of_the_manifests(plans):
    for row in plans:
        start = np.sort(read_manifest(STUDY / row["manifest"]).target_counts)[::-1]
        if row["plan"] == "now":
            assert counts(row) == start.tolist()
            continue
        if row["plan"] in RULES:
            rule = RULES[row["plan"]]
            assert counts(row) == sorted(rule(start, int(row["budget"])).tolist(), reverse=True), row["plan"]
        added = np.maximum(np.array(counts(row)) - start, 0).sum()
        assert added == int(row["budget"]), row["plan"]  # cuts aside, exactly the budget is spent


def test_every_plan_is_trained_and_nothing_else(plans):
    grid = load_grid(STUDY / "grid.yaml")
    trained = {(run.target_set, tuple(planned(run))) for run in grid.runs}
    assert grid.held_out and trained == {(row["target_set"], tuple(counts(row))) for row in plans}


def planned(run):
    return sorted(planned_counts(run.spec).target_counts.tolist(), reverse=True)


def test_followed_advice_brings_what_was_predicted(plans):
    records = read_registry(ROOT / "runs", ["advice"])
    where = importlib.util.spec_from_file_location("trained_advice", ROOT / "benchmarks" / "trained_advice.py")
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    rows = module.compared(STUDY / "predicted.csv", records)
    assert len(rows) == len({(row["target_set"], row["counts"]) for row in plans}) == 10
    assert all(row["seeds"] == 3 for row in rows)
    for name in {row["target set"] for row in rows}:
        own = {row["plan"].split(" = ")[-1].removesuffix(" *"): row for row in rows if row["target set"] == name}
        gains = {plan: row["trained gain"] for plan, row in own.items()}
        assert gains["targets"] > gains["uniform"] > gains["proportional"] > gains["now"] == 0
        assert gains["targets"] - gains["proportional"] > own["targets"]["+-"]
    assert sum(row["gain inside"] is True for row in rows) >= 7, "of 8 plans other than now; 90 % intervals"
