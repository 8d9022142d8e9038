"""Images that are not plain 8-bit ones: what becomes of each kind, and what the record says about it."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import pattern, write_source
from PIL import Image
from trainer_command import trainer_command

from predictor.errors import DataError
from predictor.grids import load_grid
from predictor.images.decoding import BadImage, decode, for_each, open_rgb
from predictor.images.digests import file_digest
from predictor.records import check, frame, read_registry
from predictor.records.schema import RunRecord
from predictor.spec import PROTOCOL, RunSpec
from trainer.data.opening import open_source, read_source
from trainer.data.report import data_report
from trainer.data.selection import choose
from trainer.launch.job import TryOutcome, outcome_of
from trainer.printing import _line
from trainer.run import run_spec

RGB = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
STILL = Image.fromarray(RGB)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    values: np.ndarray, depth: int, colour: int, *, extra: bytes = b"", says: tuple[int, int] | None = None
) -> bytes:
    """A PNG file written by hand: Pillow writes no 16-bit colour, and no header that lies.

    values : (H, W) or (H, W, channels) integers; says : width and height in the header, where these lie
    """
    lines = values.reshape(len(values), -1).astype(">u2" if depth == 16 else "u1")
    head = struct.pack(">IIBBBBB", *(says or (values.shape[1], values.shape[0])), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def frames(kind: str) -> bytes:
    return encoded(STILL, kind, save_all=True, append_images=[STILL.rotate(90), STILL.rotate(180)])


def flipped(content: bytes, place: int) -> bytes:
    """One byte is another."""
    damaged = bytearray(content)
    damaged[place] ^= 0x10
    return bytes(damaged)


HUGE = png(RGB, 8, 2, says=(8001, 8000))
BAD = {
    "zero bytes": (b"", "is empty, 0 bytes"),
    "text": (b"not an image", r"is no image in a known format \(JPEG, PNG"),
    "truncated JPEG": (encoded(STILL, "JPEG")[:-80], "image file is truncated"),
    "truncated PNG": (encoded(STILL, "PNG")[:-80], "image file is truncated"),
    "truncated WebP": (encoded(STILL, "WEBP")[:-80], "could not create decoder object"),
    "truncated TIFF": (encoded(STILL, "TIFF")[:-80], "truncated"),
    "head only": (encoded(STILL, "PNG")[:20], "Truncated File Read"),
    "huge": (HUGE, "has 8001 x 8000 pixels, more than 64,000,000"),
    "bomb": (png(RGB, 8, 2, says=(40000, 40000)), "^has more than 64,000,000 pixels$"),
    "checksum": (flipped(encoded(STILL, "PNG"), -1), "damaged: PNG chunk 'IEND' at byte [0-9]+ has a wrong checksum"),
    "no end": (encoded(STILL, "PNG")[:-12], "image file is truncated: its [0-9]+ bytes end before the PNG does"),
    "animated GIF": (frames("GIF"), "animated: 3 frames"),
    "animated PNG": (frames("PNG"), "animated: 3 frames"),
    "animated WebP": (frames("WEBP"), "animated: 3 frames"),
    "pages": (frames("TIFF"), "animated: 3 pages"),
    "floats": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "has 32 bits a pixel"),
    "32-bit": (encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "has 32 bits a pixel"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        "is no image in a known format",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_image_says_why(kind: str) -> None:
    content, reason = BAD[kind]
    with pytest.raises(BadImage, match=reason):
        decode(content, 12)


@settings(max_examples=200)
@given(
    cut=st.integers(0, 400),
    place=st.integers(0, 400),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]),
)
def test_a_damaged_file_is_bad_or_an_image_and_nothing_else(cut: int, place: int, value: int, kind: str) -> None:
    """Cut anywhere and overwritten anywhere: no other exception leaves the decoder."""
    content = bytearray(encoded(STILL, kind)[: cut or None])
    if place < len(content):
        content[place] = value
    try:
        assert decode(bytes(content), 12).shape == (3, 12, 12)
    except BadImage as error:
        assert str(error) and "0x" not in str(error)  # no address: the record's report is the same in every run


@pytest.mark.parametrize("image", [STILL, STILL.quantize(16), STILL.convert("L"), STILL.convert("RGBA")])
def test_no_byte_of_a_png_changes_unseen(image: Image.Image) -> None:
    """Without checksums most of these would decode to other pixels, or to the same with other colours."""
    content = encoded(image, "PNG")
    for place in range(len(content)):
        with pytest.raises(BadImage):
            decode(flipped(content, place), 12)
    assert decode(content + b"what follows the end", 12).shape == (3, 12, 12)


def test_damage_that_no_checksum_covers_cannot_be_seen() -> None:
    """The documented limit: of the changed bytes of a JPEG file most give an image all the same."""
    content = encoded(STILL, "JPEG")
    seen = 0
    for place in range(len(content) - 100, len(content) - 10):
        try:
            decode(flipped(content, place), 12)
        except BadImage:
            seen += 1
    assert seen < 45


def test_images_of_a_folder_are_named_below_it_wherever_it_lies(tmp_path) -> None:
    """Errors and records must not tell where a user keeps the images, and be the same on every machine."""
    for folder in ("set/a", "set/b", "else"):
        (tmp_path / folder).mkdir(parents=True)
    for place in ("set/a/good.png", "set/a/bad.png", "set/b/good.png", "else/far.png"):
        (tmp_path / place).write_bytes(b"torn" if "good" not in place else encoded(STILL, "PNG"))
    lines = ["path,label", f"{tmp_path}/set/a/bad.png,a", "a/good.png,b", f"{tmp_path}/else/far.png,a"]
    (tmp_path / "set" / "list.csv").write_text("\n".join(lines) + "\n")
    for location, wanted in (
        (tmp_path / "set", ["a/bad.png"]),
        (tmp_path / "set" / "list.csv", ["a/bad.png", "else/far.png"]),
    ):
        view = read_source("pets", location).view(bad_images="skip")
        view.usable(np.arange(len(view.labels)), 12)
        report = data_report([view])
        assert [text.split(": ")[:2] for text in report.bad_images] == [["pets", name] for name in wanted]
        with pytest.raises(DataError) as caught:
            view.pixels(np.arange(len(view.labels)), 12)
        assert str(caught.value).startswith(f"pets: {len(wanted)} unreadable images: a/bad.png: is no image in")
        assert str(tmp_path) not in str(caught.value)


def whole(content: bytes) -> tuple[np.ndarray, str]:
    image, converted = open_rgb(content)
    return np.asarray(image), converted


def test_plain_images_keep_every_value() -> None:
    grey = RGB[..., 0]
    palette = STILL.quantize(16)
    for content, want in {
        encoded(STILL, "PNG"): RGB,
        encoded(STILL, "BMP"): RGB,
        encoded(STILL, "WEBP", lossless=True): RGB,
        encoded(Image.fromarray(grey), "PNG"): np.repeat(grey[..., None], 3, 2),
        encoded(palette, "PNG"): np.asarray(palette.convert("RGB")),
        encoded(Image.fromarray(grey > 127), "PNG"): np.repeat(np.uint8(255) * (grey > 127)[..., None], 3, 2),
        encoded(Image.fromarray(np.dstack([RGB, np.full((12, 12), 255, np.uint8)])), "PNG"): RGB,  # opaque
    }.items():
        pixels, converted = whole(content)
        assert np.array_equal(pixels, want) and converted == ""


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 144).round().astype(np.int64).reshape(12, 12)
    nearest = np.rint(values / 257).astype(np.uint8)  # 65535 = 255 * 257
    image = Image.fromarray(values.astype(np.uint16))
    for content in (
        png(values, 16, 0),
        encoded(image, "PNG"),
        encoded(image, "TIFF"),
        b"P5 12 12 65535\n" + values.astype(">u2").tobytes(),
    ):
        pixels, converted = whole(content)
        assert np.array_equal(pixels, np.repeat(nearest[..., None], 3, 2))
        assert converted == "16 bits a channel to 8"
    colour = np.stack([values, values[::-1], values.T], -1)
    for content in (png(colour, 16, 2), b"P6 12 12 65535\n" + colour.astype(">u2").tobytes()):
        pixels, converted = whole(content)
        assert np.abs(pixels - colour / 257).max() < 1 and converted == "16 bits a channel to 8"
    seen_through = png(values, 16, 0, extra=chunk(b"tRNS", b"\0\0"))
    pixels, converted = whole(seen_through)
    assert pixels[0, 0].tolist() == [255] * 3 and pixels[0, 1].tolist() == [nearest[0, 1]] * 3
    assert converted == "16 bits a channel to 8, transparency composed on white"


def test_transparency_is_composed_on_white() -> None:
    alpha = np.linspace(0, 255, 144).round().astype(np.uint8).reshape(12, 12)
    want = 255 + (RGB.astype(float) - 255) * alpha[..., None] / 255
    image = Image.fromarray(np.dstack([RGB, alpha]))
    for content in (encoded(image, "PNG"), encoded(image, "TIFF"), encoded(image, "WEBP", lossless=True, exact=True)):
        pixels, converted = whole(content)
        assert np.abs(pixels - want).max() <= 1 and converted == "transparency composed on white"
    grey = RGB[..., 0]
    pixels, _ = whole(png(np.dstack([grey, alpha]), 8, 4))
    assert np.abs(pixels[..., 1] - (255 + (grey.astype(float) - 255) * alpha / 255)).max() <= 1
    palette = STILL.quantize(16)
    pixels, converted = whole(encoded(palette, "PNG", transparency=3))
    clear = np.asarray(palette) == 3
    assert (pixels[clear] == 255).all() and np.array_equal(pixels[~clear], np.asarray(palette.convert("RGB"))[~clear])
    assert converted == "transparency composed on white"


def test_cmyk_is_converted() -> None:
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 255, 51  # full cyan, a fifth black
    for content in (encoded(Image.fromarray(ink, "CMYK"), kind) for kind in ("JPEG", "TIFF")):
        pixels, converted = whole(content)
        assert np.abs(pixels.astype(int) - [0, 204, 204]).max() <= 2 and converted == "CMYK to RGB"


def test_pictures_beside_a_camera_image_do_not_make_it_animated() -> None:
    content = encoded(STILL, "MPO", save_all=True, append_images=[STILL.rotate(90)])
    assert np.array_equal(decode(content, 12), decode(encoded(STILL, "JPEG"), 12))


def test_threads_decode_the_same_in_the_same_order() -> None:
    large = [
        encoded(Image.fromarray(np.random.default_rng(i).integers(0, 256, (80, 90, 3), dtype=np.uint8)), "PNG")
        for i in range(12)
    ]
    large[5] = large[5][:9000]
    alone, together = (
        list(for_each(lambda encoded: decode(encoded, 32), large.__getitem__, range(12), threads=n)) for n in (1, 3)
    )
    assert [row for row, _ in together] == list(range(12))
    assert isinstance(alone[5][1], BadImage) and str(together[5][1]) == str(alone[5][1])
    assert all(np.array_equal(a, b) for (row, a), (_, b) in zip(alone, together, strict=True) if row != 5)


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
