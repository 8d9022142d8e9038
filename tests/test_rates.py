"""Learning rates: smooth functions in grids, the small grid that looks for one, and what its runs say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner
from records_made import edited, made_record, made_spec

from predictor.cli import predictor
from predictor.errors import PredictorError, SpecError
from predictor.grids import Rate, load_grid, plan_grid
from predictor.planning.design.learning_rates import choose_rate, rates_grid
from predictor.records import RunRecord
from predictor.spec import RunSpec

GRID = """
study: demo
protocol: 2
sources: {photos: {digest: "builtin:digits"}, sketches: {digest: "builtin:other"}}
target_sets:
  a: {domain: d, source: photos, classes: ["0", "1"], shifts: {s: sketches}}
  b: {domain: d, source: photos, classes: ["2", "3"]}
model: {name: predictor_small, image_size: 16, head: 10}
recipe: {batch_size: 64, learning_rate: RATE, augmentation: crop}
seeds: [0, 1, 2]
stage_plans:
  two: [{share: 0.5}, {share: 0.25, batch_size: 32}]
grid:
  - {target_set: [a, b], samples_per_class: [5, 20], image_steps: [1000, 16000]}
"""
SMOOTH = "{rate: 0.03, at: 4000, power: -0.5}"


def written(folder: Path, rate: str = SMOOTH, more: str = "") -> Path:
    path = folder / "grid.yaml"
    path.write_text(GRID.replace("RATE", rate) + more)
    return path


def test_a_rate_may_be_a_smooth_function_of_image_steps(tmp_path: Path) -> None:
    """The spec holds the number: a grid that states it has the same runs."""
    smooth = load_grid(written(tmp_path)).runs
    assert {(r.spec.stages[0].image_steps, r.spec.recipe.learning_rate) for r in smooth} == {
        (1000, 0.06),
        (16000, 0.015),
    }
    for steps, rate in ((1000, "0.06"), (16000, "0.015")):
        stated = {run.spec.run_id for run in load_grid(written(tmp_path, rate)).runs}
        assert {run.spec.run_id for run in smooth if run.spec.stages[0].image_steps == steps} <= stated


def test_each_stage_has_the_rate_of_its_own_length(tmp_path: Path) -> None:
    block = "  - {target_set: a, samples_per_class: 5, image_steps: 4000, stages: two}\n"
    spec = load_grid(written(tmp_path, more=block)).runs[-1].spec
    assert [spec.recipe_of(number).learning_rate for number in (0, 1)] == [0.04243, 0.06]
    assert [spec.recipe_of(number).batch_size for number in (0, 1)] == [64, 32]


def test_a_rate_of_a_block_stands_among_its_axes(tmp_path: Path) -> None:
    rates = "[0.1, {rate: 0.1, at: 2000, power: -1}]"
    block = f"  - {{target_set: a, samples_per_class: 7, image_steps: 8000, learning_rate: {rates}}}\n"
    first, second = load_grid(written(tmp_path, more=block)).runs[-6::3]
    assert (first.axes["learning_rate"], first.spec.recipe.learning_rate) == (0.1, 0.1)
    assert (second.axes["learning_rate"], second.spec.recipe.learning_rate) == ("0.1*(image_steps/2000)^-1", 0.025)


def test_an_impossible_rate_is_named_at_its_line(tmp_path: Path) -> None:
    for rate, fault in (
        ("{rate: 0.03, at: 4000, pwer: 1}", r"line 9: recipe.learning_rate.pwer: unknown key; did you mean 'power'\?"),
        ("{rate: -1, at: 4000, power: 0}", r"line 9: recipe.learning_rate.rate: .*greater than 0 \(found -1\)"),
        ("{rate: 1, at: 4000, power: 9}", r"line 9: recipe.learning_rate.power: .*less than or equal to 2 \(found 9\)"),
    ):
        with pytest.raises(SpecError, match=fault):
            load_grid(written(tmp_path, rate))


def test_the_small_grid_reads_no_test_image(tmp_path: Path) -> None:
    content = rates_grid(str(written(tmp_path)), samples_per_class=12, neighbours=4)
    assert (content["study"], content["held_out"]) == ("demo-rates", True)
    runs = plan_grid(content).runs
    assert len(runs) == 2 * 3 * 5 * 2, "target sets, lengths of training, rates, seeds"
    for run in runs:
        spec = run.spec
        assert spec.target.test.split == "train:validation@4" and not spec.target.shifts
        assert {stage.data.split for stage in spec.stages} == {"train:fit@4"}
        assert set(spec.sources) == {"photos"} and spec.stages[0].data.samples_per_class == 12
    assert {run.spec.recipe.learning_rate for run in runs} == {0.0075, 0.015, 0.03, 0.06, 0.12}
    assert {run.spec.stages[0].image_steps for run in runs} == {1000, 4000, 16000}
    with pytest.raises(SpecError, match=r"states no learning_rate to start from. state one, or give --rate"):
        path = written(tmp_path, "1")
        path.write_text(
            path.read_text().replace("learning_rate: 1, ", "").replace("[1000, 16000]", "9, learning_rate: 1")
        )
        rates_grid(str(path))


def reached(target_set: str, steps: int, rate: float, seed: int, accuracy: float) -> RunRecord:
    """A record with a given accuracy."""
    content = made_spec(seed).content()
    content["stages"][0]["image_steps"] = steps
    content["recipe"]["learning_rate"] = rate
    record = made_record(seed, spec=RunSpec.model_validate(content), study="demo-rates")
    return edited(record, target_set=target_set, outcomes__accuracy__value=accuracy)


def planted(power: float, levels: dict[str, float], *, seeds: int = 2) -> list[RunRecord]:
    """Accuracy is a parabola in log rate whose peak follows a power of image-steps."""
    records = []
    for name, level in levels.items():
        for steps in (1_000, 4_000, 16_000):
            best = level * (steps / 4_000) ** power
            for rate in (0.0075, 0.015, 0.03, 0.06, 0.12):
                accuracy = 0.8 - 0.03 * math.log(rate / best) ** 2
                records += [reached(name, steps, rate, seed, accuracy) for seed in range(seeds)]
    return records


def test_a_planted_power_is_found() -> None:
    found = choose_rate(planted(-0.3, {"a": 0.03, "b": 0.024}))
    assert found.power == pytest.approx(-0.3, abs=1e-6) and found.low <= -0.3 <= found.high < 0
    assert isinstance(found.rate, Rate) and (found.rate.at, found.rate.power) == (4000, -0.3)
    assert found.rate.rate == pytest.approx(math.sqrt(0.03 * 0.024), rel=0.01), "the middle of the target sets"
    assert [row.n_runs for row in found.best] == [10] * 6 and not any(row.edge for row in found.best)


def test_a_best_rate_at_the_edge_counts_for_no_power() -> None:
    """At 16,000 image-steps the best lies below what was tried: taken as measured it would flatten the power."""
    found = choose_rate(planted(-0.6, {"a": 0.016, "b": 0.03}))
    assert [row.edge for row in found.best] == [False, False, True, False, False, False]
    assert found.power == pytest.approx(-0.6, abs=1e-6)


def test_no_dependence_is_one_number() -> None:
    found = choose_rate(planted(0.0, {"a": 0.03, "b": 0.03}))
    assert found.rate == 0.03 and found.low <= 0 <= found.high


def test_what_the_runs_cannot_tell_is_not_told() -> None:
    one_length = [record for record in planted(-0.3, {"a": 0.03}) if record.spec["stages"][0]["image_steps"] == 4000]
    assert (choose_rate(one_length).power, choose_rate(one_length).rate) == (None, 0.03)
    beyond = choose_rate(planted(0.0, {"a": 0.9}))
    assert all(row.edge and row.rate == 0.12 for row in beyond.best)
    assert (beyond.power, beyond.low) == (None, None), "where the best lies is not known, nor how it moves"
    with pytest.raises(PredictorError, match=r"every run diverged\. try smaller rates"):
        choose_rate([edited(record, status="diverged", outcomes={}) for record in one_length])
    diverged = [
        edited(record, status="diverged", outcomes={})
        for record in one_length
        if record.spec["recipe"]["learning_rate"] > 0.02
    ]
    rest = [record for record in one_length if record.spec["recipe"]["learning_rate"] < 0.02]
    assert choose_rate(rest + diverged).best[0].rate < 0.02, "a rate at which runs diverge is none"
    with pytest.raises(PredictorError, match=r"no run of a rates grid. train it first: trainer run"):
        choose_rate([])


def test_the_command_plans_and_then_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path)
    planned = CliRunner().invoke(predictor, ["rates", str(path), "--rate", "0.01", "--rate", "0.02", "--seeds", "1"])
    assert planned.exit_code == 0 and "wrote rates.yaml: 12 runs" in planned.stderr
    assert "next   trainer run rates.yaml --data DIR; predictor rates" in planned.stdout
    assert len(load_grid(tmp_path / "rates.yaml").runs) == 12
    asked: list[object] = []
    records = planted(-0.3, {"a": 0.03, "b": 0.024})
    monkeypatch.setattr("predictor.records.read_registry", lambda *what: asked.append(what) or records)
    read = CliRunner().invoke(predictor, ["rates", str(path), "--runs", "runs"])
    assert read.exit_code == 0 and asked == [(Path("runs"), ["demo-rates"])]
    assert (
        "power         best rate ~ image-steps^p, p -0.30 [-0.30, -0.30] 95 %; 6 best rates of 2 target sets"
        in read.stdout
    )
    assert "recipe        learning_rate: {rate: 0.0268, at: 4000, power: -0.3}" in read.stdout
    found = json.loads(CliRunner().invoke(predictor, ["rates", str(path), "--runs", "runs", "--format", "json"]).stdout)
    assert found["schema_version"] == 1 and found["learning_rate"] == {"rate": 0.0268, "at": 4000, "power": -0.3}
    assert len(found["best"]) == 6 and found["best"][0]["accuracy"] == pytest.approx(0.8, abs=0.01)
