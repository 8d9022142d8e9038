"""The whole way on generated images: plan, train, kill, resume, check, pack, fit, predict, agreement, report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from images import write_source

from predictor.grids import load_grid
from predictor.records import finished_ids, read_registry
from trainer.launch.lease import Watch, claim

GRID = """
study: tiny
protocol: 2
sources:
  gratings: {{file: gratings.parquet, digest: "{gratings}"}}
  noisy: {{file: noisy.parquet, digest: "{noisy}"}}
target_sets:
  gratings/a: {{domain: gratings, source: gratings, classes: [a, b, c, d], shifts: {{noisy: noisy}}}}
  gratings/b: {{domain: gratings, source: gratings, classes: [e, f, g, h], shifts: {{noisy: noisy}}}}
model: {{name: predictor_small, image_size: 16, head: 16}}
recipe: {{batch_size: 32, image_steps: 1024, learning_rate: 0.03, augmentation: none}}
seeds: [0, 1]
grid:
  - target_set: [gratings/a, gratings/b]
    samples_per_class: [4, 8, 16, 32]
    profile: [balanced, {{shape: step, ratio: 4, share: 0.5}}]
"""
N_RUNS = 32


def command(*words: str | Path, check: bool = True, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=600
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, a grid, and its registry: the grid was killed in the middle and resumed."""
    folder = tmp_path_factory.mktemp("whole-way")
    classes = list("abcdefgh")
    gratings = write_source(folder / "gratings.parquet", classes, train=60, test=25, seed=1, noise=150.0)
    noisy = write_source(folder / "noisy.parquet", classes, train=1, test=25, seed=2, noise=200.0)
    (folder / "grid.yaml").write_text(GRID.format(gratings=gratings, noisy=noisy))
    study = folder / "runs" / "tiny"
    last = load_grid(folder / "grid.yaml").runs[-1].spec.run_id
    (study / "checkpoints").mkdir(parents=True)
    lease = claim(study / "checkpoints", last, Watch(), [os.getpid()])
    assert lease, "we have the last run, so that the grid cannot end before it is killed"
    words = [sys.executable, "-m", "trainer", "run", "grid.yaml", "--data", ".", "--workers", "2", "--threads", "1"]
    scheduler = subprocess.Popen(words, cwd=folder, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while len(list(study.glob("*.json"))) < 5 and scheduler.poll() is None:
        time.sleep(0.02)
    assert scheduler.poll() is None, scheduler.communicate()[1]
    os.killpg(scheduler.pid, signal.SIGKILL)
    scheduler.communicate()
    lease.release()
    before = {path.name: path.read_bytes() for path in study.glob("*.json")}
    assert 5 <= len(before) < N_RUNS, "the grid was to be killed in the middle"
    command(*words[2:], cwd=folder)
    after = {path.name: path.read_bytes() for path in study.glob("*.json")}
    assert len(after) == N_RUNS
    assert before.items() <= after.items(), "a finished run was trained or written again"
    return folder


def test_plan_gives_the_ids_that_were_trained_without_the_images(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text((trained / "grid.yaml").read_text())
    planned = json.loads(command("trainer", "plan", "grid.yaml", "--format", "json", cwd=tmp_path).stdout)
    assert {row["run_id"] for row in planned["runs"]} == finished_ids(trained / "runs" / "tiny")
    assert planned["summary"]["n_configurations"] == 16


def test_status_counts_what_is_there(trained: Path) -> None:
    status = json.loads(command("trainer", "status", "grid.yaml", "--format", "json", cwd=trained).stdout)
    assert status["summary"]["n_finished"] == status["summary"]["n_runs"] == N_RUNS


def test_records_are_true_to_the_runs(trained: Path) -> None:
    for record in read_registry(trained / "runs"):
        assert record.provenance == "trained"
        assert record.environment.device == "cpu" and record.environment.threads == 1
        accuracy = record.outcomes["accuracy"]
        assert sum(accuracy.tested) == 100
        by_class = [k / n for k, n in zip(accuracy.correct, accuracy.tested, strict=True)]
        assert accuracy.value == pytest.approx(sum(by_class) / 4)
        assert set(record.outcomes) == {"accuracy", "robustness", "shift:noisy"}


def test_same_spec_gives_the_same_bits(trained: Path, tmp_path: Path) -> None:
    """The killed and resumed grid equals one run alone, from nothing."""
    from trainer.run import run_spec

    grid = load_grid(trained / "grid.yaml")
    planned = grid.runs[-1]
    record = run_spec(
        planned.spec,
        study="again",
        axes=planned.axes,
        domain=planned.domain,
        held_out=False,
        data_dir=trained,
        files={name: source.file for name, source in grid.sources.items()},
        device="cpu",
        threads=1,
        commit="test",
    )
    first = next(r for r in read_registry(trained / "runs") if r.run_id == planned.spec.run_id)
    assert record.outcomes == first.outcomes


def test_more_data_is_better_and_the_registry_is_clean(trained: Path) -> None:
    from predictor.records import check, frame

    assert check(trained / "runs") == []
    table = frame(read_registry(trained / "runs"))
    by_size = table[table["axis_profile"] == "balanced"].groupby("ind_samples_per_class")["out_accuracy"].mean()
    assert by_size.iloc[-1] > by_size.iloc[0] > 0.25


def test_fit_predict_agreement_report(trained: Path) -> None:
    fitted = json.loads(command("predictor", "fit", "runs", "--format", "json", cwd=trained).stdout)
    chosen = [row for row in fitted["rows"] if row["chosen"] and row["split"] == "configuration"]
    assert {row["outcome"] for row in chosen} >= {"accuracy", "shift:noisy"}
    assert all(row["n_configurations"] == 16 and row["n_runs"] == N_RUNS for row in chosen)

    (trained / "small.csv").write_text("label,count\na,4\nb,4\nc,4\nd,4\n")
    (trained / "large.csv").write_text("label,count\na,32\nb,32\nc,32\nd,32\n")
    words = ("predictor", "predict", "small.csv", "large.csv", "--target-set", "gratings/a", "--domain", "gratings")
    predicted = json.loads(command(*words, "--format", "json", cwd=trained).stdout)
    small, large = sorted(predicted["predictions"], key=lambda p: "large" in p["manifest"])
    accuracy = [next(o for o in p["outcomes"] if o["outcome"] == "accuracy") for p in (small, large)]
    assert accuracy[0]["value"] < accuracy[1]["value"]
    assert all(0 <= o["low"] <= o["value"] <= o["high"] <= 1 for o in accuracy)

    rows = json.loads(command("predictor", "agreement", "runs", "--format", "json", cwd=trained).stdout)["rows"]
    size = [r for r in rows if (r["indicator"], r["outcome"], r["statistic"]) == ("n_samples", "accuracy", "spearman")]
    assert size and all(row["value"] > 0.5 and row["n_configurations"] == 8 for row in size)

    command("predictor", "report", "runs", "--output", "report.html", cwd=trained)
    page = (trained / "report.html").read_text()
    assert "gratings/a" in page and "http" not in page.replace("http://www.w3.org", "")


def test_pack_keeps_every_record(trained: Path) -> None:
    before = {record.run_id: record for record in read_registry(trained / "runs")}
    command("predictor", "runs", "pack", "runs", cwd=trained)
    assert not list((trained / "runs" / "tiny").glob("*.json"))
    assert {record.run_id: record for record in read_registry(trained / "runs")} == before
    command("predictor", "runs", "check", "runs", cwd=trained)


def test_messages_of_the_trainer(trained: Path) -> None:
    missing = command("trainer", "run", "nowhere.yaml", "--data", ".", check=False, cwd=trained)
    assert missing.returncode == 2 and "nowhere.yaml" in missing.stderr and "Traceback" not in missing.stderr
    no_images = command("trainer", "run", "grid.yaml", "--data", "runs", check=False, cwd=trained)
    assert no_images.returncode == 2 and "gratings.parquet" in no_images.stderr
