"""What a run has found is never lost at its last step; a checkpoint of another run is put aside, not gone on from."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from images import pattern
from launch_made import made_grid, made_job, unwritable_text
from PIL import Image
from trainer_command import trainer_command

from predictor.errors import DataError, RegistryError
from predictor.images.listing import digest_of
from predictor.manifest import read_manifest
from predictor.records import finished_ids, read_registry
from trainer.data.opening import read_source
from trainer.data.readers.parquet import bytes_of
from trainer.launch import worker
from trainer.launch.local import run_grid
from trainer.launch.worker import try_run

LATIN = os.fsdecode(b"caf\xe9.png")  # a name that is not UTF-8, as old archives hold them


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A folder of two classes in which one image has such a name and is converted, so that a record names it."""
    generator = np.random.default_rng(0)
    for kind, label in enumerate(("cat", "dog")):
        for split in ("train", "test"):
            folder = tmp_path / "pets" / split / label
            folder.mkdir(parents=True)
            for i in range(4 + (label == "dog")):
                (folder / f"{i}.png").write_bytes(pattern(kind, generator))
    try:
        Image.new("RGBA", (16, 16), (200, 0, 0, 100)).save(tmp_path / "pets/train/cat" / LATIN)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    return tmp_path / "pets"


def test_a_name_that_is_no_text_is_written_out_in_the_record(tmp_path, latin) -> None:
    """The whole run was lost when its record was written."""
    (tmp_path / "grid.yaml").write_text(
        f"""
study: pets
protocol: 3
sources: {{pets: {{file: pets, digest: "{digest_of(latin)}"}}}}
target_sets: {{pair: {{domain: pets, source: pets, classes: [cat, dog]}}}}
model: {{name: predictor_small, image_size: 16, head: 4}}
recipe: {{batch_size: 5, image_steps: 10, learning_rate: 0.05}}
seeds: [0]
grid: [{{target_set: pair, samples_per_class: 5}}]
"""
    )
    runs = tmp_path / "runs"
    done = trainer_command("run", tmp_path / "grid.yaml", "--data", tmp_path, "--runs", runs, "--workers", 1)
    assert done.returncode == 0, done.stderr
    (record,) = read_registry(runs)
    assert record.data_report.converted_images == ("pets: train/cat/caf\\xe9.png: transparency composed on white",)


def test_a_cache_takes_such_a_name_too(tmp_path, latin) -> None:
    done = trainer_command("cache", latin, tmp_path / "small.parquet", "--size", 16)
    assert done.returncode == 0, done.stderr
    ids = read_source("small", tmp_path / "small.parquet").ids
    assert ids is not None and "train/cat/caf\\xe9.png" in ids.tolist()


def test_a_class_whose_name_is_no_text_is_written_out_as_it_is_counted(tmp_path, latin) -> None:
    (latin / "train/cat").rename(latin / "train" / os.fsdecode(b"caf\xe9"))
    source = read_source("pets", latin)
    assert source.classes("train") == ["caf\\xe9", "dog"] == list(read_manifest(latin).class_names)


def test_a_record_that_cannot_be_written_is_kept_in_the_attempt(tmp_path) -> None:
    grid = made_grid(tmp_path, [2], [0])
    job = made_job(grid, tmp_path, unwritable_text)
    (outcome,) = run_grid(grid, job, workers=1)
    assert outcome.status == "failed" and "trained and tested, but its record could not be written" in outcome.message
    assert not finished_ids(job.study_dir)
    (file,) = (job.study_dir / "attempts").glob("*.json")
    attempt = json.loads(file.read_text())
    assert attempt["result"]["outcomes"]["accuracy"]["correct"] == [1, 0, 0]
    assert attempt["result"]["axes"] == {"name": "\udce9"} and "keeps the result" in attempt["message"]


def test_whatever_goes_wrong_behind_the_test_keeps_what_was_found(tmp_path, monkeypatch) -> None:
    import trainer.run

    grid = made_grid(tmp_path, [2], [0])
    job = made_job(grid, tmp_path, None)  # type: ignore[arg-type]

    def broken(*_: object) -> None:
        raise ValueError("no meter \udce9")

    monkeypatch.setattr(trainer.run, "device_name", broken)
    outcome = try_run(grid.runs[0], job, lambda *_: None)
    assert outcome.status == "failed" and outcome.result is not None and r"no meter \udce9" in outcome.message
    assert set(outcome.result["tested"]) == {"accuracy"} and len(outcome.result["tested"]["accuracy"]["correct"]) == 3
    assert outcome.result["spec"] == grid.runs[0].spec.content() and "ValueError" in outcome.traceback


def test_a_record_that_the_registry_refuses_is_kept_and_a_full_disk_stops_the_grid(tmp_path, monkeypatch) -> None:
    from dry import train_nothing

    grid = made_grid(tmp_path, [2], [0])
    job = made_job(grid, tmp_path, train_nothing)
    for error, status in ((RegistryError("contradicts itself"), "failed"), (RegistryError("full"), "unwritable")):
        error.__cause__ = OSError(28, "No space left on device") if status == "unwritable" else None

        def refused(*_: object, error: RegistryError = error) -> None:
            raise error

        monkeypatch.setattr(worker, "write_record", refused)
        outcome = try_run(grid.runs[0], job, lambda *_: None)
        assert outcome.status == status and (outcome.result is not None) == (status == "failed")


WRONG = {
    "of run": {"run_id": "0" * 16},
    "its stage is": {"stage": "1"},
    "of stage 100": {"stage": 99},
    "its step is": {"step": -1},
    "at step 1,000,000": {"step": 10**6},
    "its micro_batch is": {"micro_batch": -4},
    "its seconds are": {"seconds": float("nan")},
    "its weights are not those": {"model": {"fc.weight": torch.zeros(3)}},
    "cannot be read": {"strange": 1},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_checkpoint_that_is_not_of_this_run_is_put_aside_and_the_run_begins_anew(tmp_path, what) -> None:
    """It failed for ever."""
    grid = made_grid(tmp_path, [2], [0])
    job = made_job(grid, tmp_path, None)  # type: ignore[arg-type]
    run = grid.runs[0]
    whole = try_run(run, job, lambda *_: None)
    record = (job.study_dir / f"{run.spec.run_id}.json").read_text()
    (job.study_dir / f"{run.spec.run_id}.json").unlink()

    from trainer.checkpoint import save
    from trainer.loop import new_state
    from trainer.networks import network

    spec = run.spec
    net = network(spec.model, 0, device="cpu", precision="fp32", batches=(), compiled=False)
    file = job.checkpoints / f"{spec.run_id}.pt"
    save(file, new_state(net.model, spec.recipe), 0, 1.0, None, spec.run_id)
    torch.save({**torch.load(file, weights_only=True), **WRONG[what]}, file)
    again = try_run(run, job, lambda *_: None)
    assert again.status == "completed" and again.accuracy == whole.accuracy
    assert what in again.message and f"it is {file.name}.unusable now" in again.message
    assert not file.exists() and file.with_name(f"{file.name}.unusable").is_file()
    written = json.loads((job.study_dir / f"{run.spec.run_id}.json").read_text())
    assert written["outcomes"] == json.loads(record)["outcomes"]


def test_a_checkpoint_of_before_names_were_kept_is_gone_on_from(tmp_path) -> None:
    from trainer.checkpoint import Checkpoint

    Checkpoint(stage=0, step=1, seconds=0, micro_batch=None, model={}, optimiser={}).check("0" * 16, [2])


def test_images_of_a_column_in_chunks_are_found_each_in_its_own(tmp_path) -> None:
    """One chunk of binary cells holds 2 GiB at most: joining them was an internal error."""
    import pyarrow as pa

    cells = [b"a", b"bb", None, b"", b"c" * 9]
    for parts in ([5], [2, 3], [1, 0, 1, 3], [0, 5, 0]):
        starts = np.cumsum([0, *parts])
        chunks = [pa.array(cells[a:b], pa.binary()) for a, b in pairwise(starts)]
        read = bytes_of(pa.chunked_array(chunks))
        assert [read(row) for row in range(5)] == [b"a", b"bb", b"", b"", b"c" * 9]
    nested = pa.chunked_array([pa.array([{"bytes": b"x", "path": "p"}, None])])
    assert [bytes_of(nested)(row) for row in (0, 1)] == [b"x", b""]


@pytest.mark.parametrize("values", [["a.png", "b.png"], [1, 2], [[1], [2]]])
def test_an_image_column_that_holds_no_images_is_refused_at_once(tmp_path, values) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": values, "label": ["a", "b"]}), tmp_path / "list.parquet")
    with pytest.raises(DataError) as caught:
        read_source("list", tmp_path / "list.parquet")
    text = str(caught.value)
    assert "column 'image' is " in text and "needed: the encoded bytes of each image" in text
    assert text.endswith("name the files in a CSV list path,label")


@pytest.mark.slow
@pytest.mark.skipif(sys.maxsize < 2**33, reason="needs 64 bits")
def test_more_than_two_gibibytes_of_images_in_one_file(tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)  # a sixtieth of what it unpacks to: no bomb
    image = pattern(0, generator) + generator.bytes(2**20) + bytes(63 * 2**20)
    schema = pa.schema([("image", pa.binary()), ("label", pa.string())])
    with pq.ParquetWriter(tmp_path / "large.parquet", schema, compression="zstd") as writer:
        for _ in range(33):
            writer.write_table(pa.table({"image": [image], "label": ["a"]}, schema))
    source = read_source("large", tmp_path / "large.parquet")
    assert len(source.read(32)) == len(image) and source.pixels(np.array([0, 32]), 16).shape == (2, 3, 16, 16)
