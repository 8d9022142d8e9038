"""Orientation that a camera notes: ignored as in torchvision and timm, or applied where the grid says so."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from images import pattern
from PIL import Image, ImageOps
from trainer_command import trainer_command

from predictor.errors import SpecError
from predictor.grids import load_grid
from predictor.images.decoding import ORIENTATION, decode, decoded
from predictor.images.listing import digest_of
from trainer.data.opening import open_source, read_source
from trainer.run import run_spec

GRID = """
study: pets
protocol: 3
sources: {pets: {file: pets, digest: "DIGEST"}}
target_sets: {pair: {domain: pets, source: pets, classes: [cat, dog], flip: false}}
model: {name: predictor_small, image_size: 16, head: 4}
recipe: {batch_size: 4, image_steps: 8, learning_rate: 0.05, augmentation: none}
seeds: [0]
grid: [{target_set: pair, samples_per_class: 2}]
"""


def turned(orientation: int | None, *, kind: str = "JPEG") -> bytes:
    """A picture of 12 x 20 pixels with four different corners, and the tag of a camera."""
    with Image.open(io.BytesIO(pattern(1, np.random.default_rng(0), noise=0))) as image:
        picture = image.crop((0, 0, 12, 16)).resize((12, 20))
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    stream = io.BytesIO()
    picture.save(stream, format=kind, exif=exif, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_images_are_turned_as_pillow_turns_them_and_only_on_request(orientation, kind) -> None:
    encoded = turned(orientation, kind=kind)
    with Image.open(io.BytesIO(encoded)) as image:
        stored, upright = image.convert("RGB"), ImageOps.exif_transpose(image).convert("RGB")
    for wanted, how in ((stored, False), (upright, True)):
        pixels, noted = decoded(encoded, 20, upright=how)
        expected = np.asarray(wanted.resize((20, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert np.array_equal(pixels, expected)
        assert noted == ("turned upright (EXIF)" if how and orientation in range(2, 9) else "")
    assert np.array_equal(decode(encoded, 20), decoded(encoded, 20)[0])


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for label, orientation in (("cat", 6), ("dog", 1)):
        for split in ("train", "test"):
            (tmp_path / "pets" / split / label).mkdir(parents=True)
            for i in range(2):
                encoded = turned(orientation) + bytes(i)  # what stands behind a JPEG's end is no part of it
                (tmp_path / "pets" / split / label / f"{i}-{split}.jpg").write_bytes(encoded)
    return tmp_path / "pets"


def test_a_grid_says_so_and_it_is_part_of_the_run(tmp_path, pets) -> None:
    ids, notes = [], []
    for exif in ("", ", exif: ignore", ", exif: apply"):
        text = GRID.replace("DIGEST", digest_of(pets)).replace("head: 4", f"head: 4{exif}")
        (tmp_path / "grid.yaml").write_text(text)
        (run,) = load_grid(tmp_path / "grid.yaml").runs
        how = {"study": "pets", "axes": {}, "domain": "pets", "held_out": False, "data_dir": tmp_path}
        record = run_spec(run.spec, **how, files={"pets": "pets"})
        ids.append(run.spec.run_id)
        notes.append(record.data_report.n_converted)
    assert ids[0] == ids[1] != ids[2]
    assert notes == [{}, {}, {"turned upright (EXIF)": 4}]
    (tmp_path / "grid.yaml").write_text(text.replace("exif: apply", "exif: rotate"))
    with pytest.raises(SpecError, match="'ignore' or 'apply'"):
        load_grid(tmp_path / "grid.yaml")


def test_two_views_of_one_source_keep_their_pixels_apart(pets) -> None:
    digest = digest_of(pets)
    plain, upright = (open_source("pets", pets, digest, upright=how) for how in (False, True))
    rows = plain.rows("cat", "train")
    assert not np.array_equal(plain.pixels(rows, 16), upright.pixels(rows, 16))
    straight = plain.rows("dog", "train")
    assert np.array_equal(plain.pixels(straight, 16), upright.pixels(straight, 16))


def test_a_cache_turns_images_on_request(tmp_path, pets) -> None:
    upright = open_source("pets", pets, digest_of(pets), upright=True)
    rows = upright.rows("cat", "train")
    for exif, same in (("ignore", False), ("apply", True)):
        done = trainer_command("cache", pets, tmp_path / f"{exif}.parquet", "--size", 32, "--exif", exif)
        assert done.returncode == 0, done.stderr
        cached = read_source("pets", tmp_path / f"{exif}.parquet")
        assert np.array_equal(cached.pixels(rows, 16), upright.pixels(rows, 16)) == same
