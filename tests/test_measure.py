"""How long a grid takes: speeds of runs like it, a short measurement, energy and money."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from trainer_command import trainer_command

from predictor.grids import Grid, load_grid
from trainer import measure as measuring
from trainer.measure import MeasuredGrid, measure
from trainer.plan import SHIPPED, Speed, forecast, hours, known_speeds, like

ROOT = Path(__file__).parents[1]
GRID = """
study: demo
protocol: 3
sources: {{digits: {{digest: "builtin:digits"}}}}
target_sets:
  a: {{domain: characters, source: digits, classes: ["0", "1"]}}
model: {{name: {name}, image_size: {size}, head: 10}}
recipe: {{batch_size: {batch}, learning_rate: 0.03, augmentation: crop, image_steps: 6400}}
seeds: [0, 1]
grid:
  - {{target_set: a, samples_per_class: [5, 20]}}
"""


def written(folder: Path, name: str = "predictor_small", size: int = 32, batch: int = 64) -> Path:
    path = folder / "grid.yaml"
    path.write_text(GRID.format(name=name, size=size, batch=batch))
    return path


def grid(folder: Path, *how: object) -> Grid:
    return load_grid(written(folder, *how))  # type: ignore[arg-type]


def test_what_ships_with_the_trainer_is_what_the_registry_says() -> None:
    known = known_speeds(ROOT / "runs")
    for key, speed in SHIPPED.items():
        assert speed.seconds == pytest.approx(known[key].seconds, rel=0.25), "of another share of the runs"
        assert speed.n_runs <= known[key].n_runs * 1.5 and known[key].n_runs > 1000


def test_a_plan_without_a_registry_knows_the_small_network(tmp_path: Path) -> None:
    (row,) = forecast(grid(tmp_path), tmp_path / "none", None, measure=False)
    wanted = 4 * 6400 * SHIPPED[("predictor_small", 32, 128), "cpu"].seconds / 3600
    assert row["hours"] == pytest.approx(wanted) and "scaled from 32 px, batches of 128" in row["basis"]
    (other,) = forecast(grid(tmp_path, "resnet18", 64), tmp_path / "none", None, measure=False)
    assert other["hours"] is None and other["price"] is None


def test_the_nearest_resolution_is_scaled_by_pixels() -> None:
    known = {(("net", 32, 128), "cpu"): Speed(0.001, 5, joules=2.0), (("net", 224, 64), "cpu"): Speed(0.1, 3)}
    assert like(("net", 224, 64), known) == {"cpu": Speed(0.1, 3)}
    assert like(("net", 28, 64), known)["cpu"].seconds == pytest.approx(0.001 * (28 / 32) ** 2)
    assert like(("net", 256, 64), known)["cpu"].seconds == pytest.approx(0.1 * (256 / 224) ** 2)
    assert like(("net", 64, 128), known)["cpu"].joules == pytest.approx(8.0)
    assert like(("other", 32, 128), known) == {}


def test_energy_and_money(tmp_path: Path) -> None:
    planned = grid(tmp_path, "predictor_small", 32, 128)
    speeds = {(("predictor_small", 32, 128), "cuda"): Speed(0.001, 3, joules=0.5)}
    (row,) = hours(planned.runs, speeds, price_hour=3.0)
    assert row["hours"] == pytest.approx(4 * 6400 * 0.001 / 3600) and row["price"] == pytest.approx(3 * row["hours"])
    assert row["kilowatt_hours"] == pytest.approx(4 * 6400 * 0.5 / 3.6e6)


def test_a_measurement_agrees_with_itself_and_is_short(tmp_path: Path) -> None:
    said: list[str] = []
    spec = grid(tmp_path, "predictor_small", 16, 32).runs[0].spec
    found = measure(spec, "cpu", 1, said.append)
    assert found.whole and found.images == 32 and 3 < found.steps <= measuring.STEPS
    assert 0 < found.test < found.train
    assert said[0] == "predictor_small at 16 px: made" and said[-1].endswith("a test")


def test_a_batch_that_takes_long_is_cut(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "STEP", 1e-6)
    monkeypatch.setattr(measuring, "SECONDS", 1e-6)
    spec = grid(tmp_path, "predictor_small", 16, 64).runs[0].spec
    found = measure(spec, "cpu", 1)
    assert found.images == measuring.FIRST and not found.whole and found.train > 0


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "efficientnet_b0"])
def test_any_network_of_timm_is_measured(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.2)
    monkeypatch.setattr(measuring, "STEP", 0.2)
    found = measure(grid(tmp_path, name, 224 if name.startswith("vit") else 64).runs[0].spec, "cpu", 1)
    assert isinstance(found, MeasuredGrid) and math.isfinite(found.train) and found.train > 0


def test_the_command_in_every_format(tmp_path: Path) -> None:
    words = ("plan", written(tmp_path), "--runs", tmp_path / "runs", "--price-hour", "2")
    text = " ".join(trainer_command(*words).stdout.split())
    assert "h of one process on cpu" in text and "at that price an hour (from 2,481 runs there; the registry" in text
    content = json.loads(trainer_command(*words, "--format", "json").stdout)
    assert content["hours"][0]["price"] == pytest.approx(2 * content["hours"][0]["hours"])
    rows = list(csv.DictReader(io.StringIO(trainer_command(*words, "--format", "csv").stdout)))
    assert [row["kind"] for row in rows].count("run") == 4 and {row["kind"] for row in rows} == {"run", "hours", "note"}
    assert float(next(row["price"] for row in rows if row["kind"] == "hours")) > 0
    markdown = trainer_command(*words, "--format", "markdown").stdout
    assert markdown.startswith("| run_id |") and "h of one process on cpu" in markdown
    status = trainer_command(
        "status", tmp_path / "grid.yaml", "--runs", tmp_path / "runs", "--format", "markdown"
    ).stdout
    assert "0 of 4 runs finished" in status


def test_a_measured_plan_says_what_it_does(tmp_path: Path) -> None:
    done = trainer_command("plan", written(tmp_path, "resnet10t", 32, 16), "--runs", tmp_path / "runs", "--measure")
    assert done.returncode == 0, done.stderr
    assert "measure: resnet10t at 32 px: a batch of 2" in done.stderr
    assert "(measured now" in done.stdout
