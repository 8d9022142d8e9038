"""The columns of `trainer plan`: the data of every stage, the design's axes, both seeds."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from launch_made import GRID
from trainer_command import trainer_command

from predictor.grids import load_grid
from predictor.records import read_registry
from trainer.plan import PLANNED, indicator_columns, plan_rows, plan_summary

STAGED = """
study: staged
protocol: 2
sources: {digits: {digest: "builtin:digits"}}
target_sets:
  digits/a: {domain: digits, source: digits, classes: ["0", "1", "2"], flip: false}
model: {name: predictor_small, image_size: 8, head: 16}
recipe: {batch_size: 32, learning_rate: 0.03, augmentation: none}
seeds: [{data: 3, training: 7}, {data: 4, training: 7}]
stage_plans:
  once: [{}]
  PLANS
grid:
  - target_set: digits/a
    stages: [NAMES]
    samples_per_class: 20
    image_steps: 640
"""
WIDE = (
    "[{samples_per_class: 0, others: {source: digits, n_classes: 5, samples_per_class: 30}, share: 0.5}, {share: 0.25}]"
)
NARROW = WIDE.replace("30", "10")
LONG = WIDE.replace("share: 0.5", "share: 0.75")


def staged(folder: Path, **plans: str):  # type: ignore[no-untyped-def]
    text = STAGED.replace("PLANS", "\n  ".join(f"{name}: {plan}" for name, plan in plans.items()))
    (folder / "grid.yaml").write_text(text.replace("NAMES", ", ".join(["once", *plans])))
    return load_grid(folder / "grid.yaml")


def test_every_stage_shows_its_data(tmp_path: Path) -> None:
    once, wide = plan_rows(staged(tmp_path, wide=WIDE), tmp_path)[::2]
    assert [name for name in once if name.startswith("stage1_")] == []
    assert (once["n_classes"], once["n_samples"]) == (wide["n_classes"], wide["n_samples"]) == (3, 60)
    assert (wide["stage1_n_classes"], wide["stage1_n_samples"], wide["stage1_min_samples"]) == (5, 150, 30)
    assert set(wide) - set(once) == {f"stage1_{name}" for name in PLANNED}


def test_the_indicators_are_those_of_the_records_that_the_runs_leave(tmp_path: Path) -> None:
    """Against the class counts of the shipped study of stages, whose records are real runs."""
    from predictor.indicators import compute

    runs = Path(__file__).parents[1] / "runs"
    grid = load_grid(runs / "stages" / "grid.yaml")
    rows = {row["run_id"]: row for row in plan_rows(grid, runs)}
    n_stages = set()
    for record in read_registry(runs, ["stages"]):
        row = rows[record.run_id]
        assert row["finished"] and len(indicator_columns([row])) == len(PLANNED) * len(record.data.stages)
        n_stages.add(len(record.data.stages))
        for number, stage in enumerate(record.data.stages, start=1):
            prefix = "" if number == len(record.data.stages) else f"stage{number}_"
            for name, found in compute(stage.distribution, ["n_classes", "n_samples", "min_samples"]).items():
                assert row[f"{prefix}{name}"] == found.value, (record.run_id, number, name)
    assert n_stages == {1, 2}


def test_stages_that_differ_are_no_equal_data(tmp_path: Path) -> None:
    """Plans that share their last stage are told apart by the first; those with equal stages are named."""
    summary = plan_summary(plan_rows(staged(tmp_path, wide=WIDE, narrow=NARROW), tmp_path))
    assert summary["same_data"] == []
    assert "n_samples" in summary["constant"] and "stage1_n_samples" not in summary["constant"]
    rows = plan_rows(staged(tmp_path, wide=WIDE, long=LONG), tmp_path)
    ids = {row["stages"]: row["configuration_id"] for row in rows}
    assert plan_summary(rows)["same_data"] == [sorted([ids["wide"], ids["long"]])]
    rows = [row for row in rows if row["stages"] != "once"]
    assert "stage1_n_samples" in plan_summary(rows)["constant"]


def test_axes_and_seeds_are_shown_as_the_grid_states_them(tmp_path: Path) -> None:
    rows = plan_rows(staged(tmp_path, wide=WIDE), tmp_path)
    assert [(row["data_seed"], row["training_seed"]) for row in rows] == [(3, 7), (4, 7)] * 2
    assert {row["samples_per_class"] for row in rows} == {20}
    assert [row["axis_image_steps"] for row in rows] == [640] * 4
    assert [row["image_steps"] for row in rows] == [640, 640, 480, 480], "what is shown, in all stages"
    text = GRID.replace("SIZES", "[4, 8]").replace("SEEDS", "[0]").replace("STEPS", "640")
    text = text.replace(
        "samples_per_class:", "others: {source: digits, n_classes: 2, samples_per_class: 50}\n    samples_per_class:"
    )
    (tmp_path / "grid.yaml").write_text(text)
    rows = plan_rows(load_grid(tmp_path / "grid.yaml"), tmp_path)
    assert [row["samples_per_class"] for row in rows] == [4, 8], "the axis, not the mean over all classes"


@pytest.mark.parametrize("fmt", ["csv", "table", "json"])
def test_the_command_shows_them(tmp_path: Path, fmt: str) -> None:
    staged(tmp_path, wide=WIDE)
    done = trainer_command("plan", tmp_path / "grid.yaml", "--runs", tmp_path, "--format", fmt)
    assert done.returncode == 0, done.stderr
    for name in ("stage1_n_classes", "stage1_n_samples", "data_seed", "training_seed", "axis_image_steps"):
        assert name in done.stdout
    if fmt == "csv":
        rows = [row for row in csv.DictReader(done.stdout.splitlines()) if row["kind"] == "run"]
        assert [row["stage1_n_samples"] for row in rows] == ["", "", "150.0", "150.0"]
