"""Large JPEG images decoded at the scale that suffices: nearly the same pixels, never too few, and another run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from predictor.images.decoding import BadImage, decoded, open_rgb
from predictor.images.listing import digest_of
from predictor.spec import Model, RunSpec
from trainer.data.opening import open_source
from trainer.run import run_spec


def encoded(width: int, height: int, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(load_sample_images().images[0]).resize((width, height))
    image.save(stream, format=kind, **({"quality": 95} if kind == "JPEG" else {}))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("side", "wanted", "scale"),
    [(400, 100, 4), (400, 200, 2), (400, 201, 1), (400, 399, 1), (800, 90, 8), (90, 200, 1)],
)
def test_it_is_decoded_at_the_smallest_scale_that_suffices(side, wanted, scale) -> None:
    content = encoded(side + 20, side)
    image, _ = open_rgb(content, at_least=wanted)
    assert image.height == side // scale and min(image.size) >= min(wanted, side)
    full, small = (decoded(content, wanted, reduced=reduced)[0].astype(float) for reduced in (False, True))
    if scale == 1:
        assert np.array_equal(full, small)
    else:
        assert not np.array_equal(full, small) and np.abs(full - small).mean() < 3


def saved(mode: str, **how: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(load_sample_images().images[1]).resize((430, 400)).convert(mode).save(stream, "JPEG", **how)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (saved("RGB", progressive=True), ""),
        (saved("L"), ""),
        (saved("CMYK"), "CMYK to RGB"),
        (saved("RGB", subsampling=0), ""),
        (saved("RGB", restart_marker_blocks=7), ""),
    ],
    ids=["progressive", "grey", "cmyk", "whole colours", "restarts"],
)
def test_every_kind_of_jpeg_is_reduced_and_means_the_same(content: bytes, said: str) -> None:
    image, converted = open_rgb(content, at_least=100)
    assert (image.size, image.mode, converted) == ((108, 100), "RGB", said)
    full, small = (decoded(content, 100, reduced=reduced)[0].astype(float) for reduced in (False, True))
    assert not np.array_equal(full, small) and np.abs(full - small).mean() < 3
    assert decoded(content, 100, reduced=True)[1] == decoded(content, 100)[1] == said


@pytest.mark.parametrize("kept", [200, 3_000, 9_000])
def test_a_file_that_ends_too_early_is_bad_at_every_scale(kept: int) -> None:
    content = saved("RGB")
    assert len(content) > 2 * kept
    for reduced in (False, True):
        with pytest.raises(BadImage):
            decoded(content[:kept], 64, reduced=reduced)


def test_other_formats_are_decoded_whole() -> None:
    content = encoded(200, 160, "PNG")
    assert np.array_equal(decoded(content, 32, reduced=True)[0], decoded(content, 32)[0])


def test_a_run_says_so_in_its_spec_and_sees_those_pixels(tmp_path, monkeypatch) -> None:
    for kind, label in enumerate(("a", "b")):
        for split in ("train", "test"):
            (tmp_path / "pets" / split / label).mkdir(parents=True)
            for number in range(3):
                file = tmp_path / "pets" / split / label / f"{number}.jpg"
                file.write_bytes(encoded(150 + 10 * number, 140 + 20 * kind))
    digest = digest_of(tmp_path / "pets")
    content = {
        "protocol": 3,
        "sources": {"pets": digest},
        "target": {"name": "t", "classes": ["a", "b"], "test": {"source": "pets"}},
        "stages": [{"data": {"source": "pets", "samples_per_class": 3}, "image_steps": 8}],
        "model": {"name": "predictor_small", "image_size": 32, "head": 4},
        "recipe": {"learning_rate": 0.05, "batch_size": 4},
        "seeds": {"data": 0, "training": 0},
    }
    spec = RunSpec.model_validate(content)
    content["model"]["decode"] = "reduced"
    reduced = RunSpec.model_validate(content)
    assert reduced.run_id != spec.run_id and Model(name="x", decode="full") == Model(name="x")
    opened = []
    monkeypatch.setattr(
        "trainer.run.open_source", lambda *a, **how: opened.append(open_source(*a, **how)) or opened[-1]
    )
    how = {"study": "t", "axes": {}, "domain": "d", "held_out": False, "data_dir": tmp_path, "files": {"pets": "pets"}}
    run_spec(reduced, **how)
    assert opened[0].reduced
    rows = np.arange(12)
    wanted = np.stack([decoded(opened[0].read(row), 32, reduced=True)[0] for row in rows])
    assert np.array_equal(opened[0].pixels(rows, 32), wanted)
    assert not np.array_equal(open_source("pets", Path(tmp_path / "pets"), digest).pixels(rows, 32), wanted)
