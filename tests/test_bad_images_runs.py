"""Runs over images that cannot be read: what is said, left out, and recorded."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from images import pattern, write_source
from images_bad import HUGE, STILL, encoded, frames
from PIL import Image
from trainer_command import trainer_command

from predictor.errors import DataError
from predictor.grids import load_grid
from predictor.images.digests import file_digest
from predictor.records import check, frame, read_registry
from predictor.records.schema import RunRecord
from predictor.spec import PROTOCOL, RunSpec
from trainer.data.opening import open_source
from trainer.data.selection import choose
from trainer.launch.job import TryOutcome, outcome_of
from trainer.printing import _line
from trainer.run import run_spec


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two classes with 20 training and 6 test images each; some of class a are bad, some of class b need converting."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.parquet"
    write_source(path, ["a", "b"], train=20, test=6, seed=1)
    rows = pq.read_table(path).to_pylist()
    of_a = [i for i, row in enumerate(rows) if row["label"] == "a" and row["split"] == "train"]
    of_b = [i for i, row in enumerate(rows) if row["label"] == "b" and row["split"] == "train"]
    tests = [i for i, row in enumerate(rows) if row["label"] == "b" and row["split"] == "test"]
    for i, content in zip(
        [*of_a[:4], tests[0]], (b"", HUGE, frames("GIF"), encoded(STILL, "PNG")[:-80], b"gone"), strict=True
    ):
        rows[i]["image"] = content
    for i in of_b:
        ink = Image.open(io.BytesIO(rows[i]["image"])).convert("CMYK")
        rows[i]["image"] = encoded(ink, "TIFF")
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path, file_digest(path)


def spec_of(digest: str, *, size: int, seed: int = 0) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": PROTOCOL,
            "sources": {"mixed": digest},
            "target": {"name": "t", "classes": ["a", "b"], "test": {"source": "mixed"}},
            "stages": [{"data": {"source": "mixed", "samples_per_class": size}, "image_steps": 64}],
            "model": {"name": "predictor_small", "image_size": 16, "head": 4},
            "recipe": {"batch_size": 16, "learning_rate": 0.05},
            "seeds": {"data": seed, "training": seed},
        }
    )


def run(mixed: tuple[Path, str], **how) -> RunRecord:
    bad_images = how.pop("bad_images", "error")
    return run_spec(
        spec_of(mixed[1], **how), study="t", axes={}, domain="d", held_out=False, data_dir=mixed[0].parent,
        files={"mixed": mixed[0].name}, bad_images=bad_images,
    )  # fmt: skip


def test_error_names_every_bad_image_and_the_way_out(mixed) -> None:
    with pytest.raises(DataError) as error:
        run(mixed, size=20)
    text = str(error.value)
    assert text.startswith("mixed: 4 unreadable images: row 1 (generated:a:train:0): is empty, 0 bytes; row 2 ")
    assert "animated: 3 frames" in text and "8001 x 8000 pixels" in text and "truncated" in text
    assert text.endswith("or leave them out with --bad-images skip")


def test_skipped_images_are_passed_over_in_the_order_of_choice(mixed) -> None:
    """The order is that of the data seed with the bad images struck out, so smaller sets stay nested."""
    source = open_source("mixed", *mixed)
    bad = set(source.rows("a", "train")[:4].tolist())
    for seed in range(3):
        everything = choose(spec_of(mixed[1], size=20, seed=seed), 0, lambda _: source.view())
        want = [row for part in everything if part.label == "a" for row in part.rows.tolist() if row not in bad]
        for size in (1, 7, 16):
            chosen = choose(spec_of(mixed[1], size=size, seed=seed), 0, lambda _: source.view(bad_images="skip"))
            assert next(part.rows.tolist() for part in chosen if part.label == "a") == want[:size]


def test_a_record_says_what_was_left_out_and_converted(mixed) -> None:
    """The whole account: bad images among those met, in training and test; its id is that of any other run."""
    record = run(mixed, size=16, bad_images="skip")
    assert record.run_id == spec_of(mixed[1], size=16).run_id
    report = record.data_report
    assert report.n_bad_images == len(report.bad_images) == 5
    assert report.bad_images[0] == "mixed: row 1 (generated:a:train:0): is empty, 0 bytes"
    assert report.bad_images[-1].startswith("mixed: row 47 (generated:b:test:0): is no image")
    assert report.n_converted == {"CMYK to RGB": 16} and len(report.converted_images) == 16
    assert report.converted_images[0].startswith("mixed: row ") and report.converted_images[0].endswith(": CMYK to RGB")
    assert record.distribution.counts.tolist() == [16, 16]
    assert record.outcomes["accuracy"].tested == (6, 5)
    assert RunRecord.model_validate_json(record.to_json()) == record


def test_the_line_of_a_run_says_what_was_left_out(mixed) -> None:
    outcome = outcome_of(run(mixed, size=16, bad_images="skip"))
    assert outcome.n_left_out == 5 and _line(outcome).endswith(" s, 5 bad images left out")
    for n, text in (
        (0, "r completed"),
        (1, "r completed, 1 bad image left out"),
        (1200, ", 1,200 bad images left out"),
    ):
        assert _line(TryOutcome(run_id="r", status="completed", n_left_out=n)).endswith(text)
    assert _line(TryOutcome(run_id="r", status="failed", message="why")) == "r failed why"


def test_the_account_does_not_depend_on_what_the_process_decoded_before(mixed) -> None:
    before = run(mixed, size=16, bad_images="skip").data_report
    small = run(mixed, size=1, bad_images="skip").data_report
    assert run(mixed, size=16, bad_images="skip").data_report == before
    open_source.cache_clear()
    assert run(mixed, size=1, bad_images="skip").data_report == small != before


def test_too_few_good_images_are_too_few(mixed) -> None:
    with pytest.raises(DataError, match=r"'a' of mixed .train.: 17 asked, 16 there and 4 that cannot be used"):
        run(mixed, size=17, bad_images="skip")


def test_without_bad_images_skip_changes_nothing(tmp_path) -> None:
    digest = write_source(tmp_path / "good.parquet", ["a", "b"], train=8, test=4, seed=2)
    records = [run((tmp_path / "good.parquet", digest), size=6, bad_images=how) for how in ("error", "skip")]
    assert records[0].outcomes == records[1].outcomes and records[0].data_report == records[1].data_report
    assert records[0].data_report.n_bad_images == 0


def test_a_bad_test_image_shows_before_training(tmp_path) -> None:
    path = tmp_path / "late.parquet"
    write_source(path, ["a", "b"], train=4, test=2, seed=2)
    rows = pq.read_table(path).to_pylist()
    next(row for row in rows if row["split"] == "test")["image"] = pattern(0, np.random.default_rng(0))[:-90]
    pq.write_table(pa.Table.from_pylist(rows), path)
    steps = []
    with pytest.raises(DataError, match=r"late: 1 unreadable images: row 5 .generated:a:test:0.: .*truncated"):
        run_spec(
            RunSpec.model_validate_json(spec_of(file_digest(path), size=2).model_dump_json().replace("mixed", "late")),
            study="t", axes={}, domain="d", held_out=False, data_dir=tmp_path, files={"late": "late.parquet"},
            progress=lambda *step: steps.append(step),
        )  # fmt: skip
    assert steps == []


def test_the_command_stops_or_leaves_out(mixed, tmp_path) -> None:
    """The whole way: an error names the images and writes no record; --bad-images skip finishes the same grid."""
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        f"""
study: mended
protocol: {PROTOCOL}
sources: {{mixed: {{file: mixed.parquet, digest: "{mixed[1]}"}}}}
target_sets: {{ab: {{domain: gratings, source: mixed, classes: [a, b]}}}}
model: {{name: predictor_small, image_size: 16, head: 4}}
recipe: {{batch_size: 16, image_steps: 64, learning_rate: 0.05}}
seeds: [0]
grid: [{{target_set: ab, samples_per_class: 16}}]
"""
    )
    words = [grid, "--data", mixed[0].parent, "--runs", tmp_path / "runs", "--workers", 1]
    words += ["--threads", 1, "--device", "cpu"]
    failed = trainer_command("run", *words)
    assert failed.returncode == 2 and "unreadable images: row " in failed.stderr
    assert "or leave them out with --bad-images skip" in failed.stderr
    assert not list((tmp_path / "runs" / "mended").glob("????????????????.json"))
    done = trainer_command("run", *words, "--bad-images", "skip")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^1/1 [0-9a-f]{16} completed accuracy [0-9.]+% [0-9.]+ s, 5 bad images left out$", done.stderr, re.M
    )
    (record,) = read_registry(tmp_path / "runs")
    assert record.run_id == load_grid(grid).runs[0].spec.run_id and record.data_report.n_bad_images == 5
    assert check(tmp_path / "runs") == [] and frame([record])["env_n_bad_images"].tolist() == [5]
