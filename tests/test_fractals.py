"""FractalDB: the published recipe, the same images for ever, and as a source of a grid."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from trainer_command import trainer_command

from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.indicators import compute
from predictor.records import read_registry
from predictor.records.indicator_inputs import indicator_context
from trainer.checking import check_grid, check_rendered
from trainer.data.opening import open_source, read_source
from trainer.data.readers import fractals
from trainer.fractals import kernels
from trainer.fractals.parameters import Parameters, read_digest
from trainer.fractals.render import Database
from trainer.fractals.write import write_database


def database(classes: int = 6, instances: int = 200, **changes) -> Database:
    return Database(Parameters(classes=classes, instances=instances, **changes))


def every(base: Database, classes: int, instances: list[int], size: int = 32, **changes) -> np.ndarray:
    """(classes, instances, 3, size, size)"""
    n = len(instances)
    images = base.images(np.repeat(np.arange(classes), n), np.tile(instances, classes), size, **changes)
    return images.reshape(classes, n, 3, size, size)


@pytest.fixture(scope="module")
def base() -> Database:
    return database()


def published_points(maps: np.ndarray, probabilities: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The chaos game as a plain loop, with numpy's random numbers."""
    maps = maps.tolist()
    chosen = np.random.default_rng(seed).choice(len(maps), p=probabilities, size=n).tolist()
    x = y = 0.0
    xs, ys = [], []
    for j in chosen:
        a, b, c, d, e, f = maps[j]
        x, y = a * x + b * y + e, c * x + d * y + f
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def published_cells(xs: np.ndarray, ys: np.ndarray, length: int, pad: int) -> np.ndarray:
    """(length, length) bool, which pixels hold a point: scaled to the image within a margin, whole numbers."""
    image = np.zeros((length, length), bool)
    column, row = (np.uint16((v - v.min()) / np.ptp(v) * (length - 2 * pad) + pad) for v in (xs, ys))
    image[row, column] = True
    return image


def used(system: np.void) -> tuple[np.ndarray, np.ndarray]:
    """Maps and probabilities of a class."""
    n = int((system["steps"] < 1).sum()) + 1
    return system["maps"][:n], np.diff(system["steps"][:n], prepend=0.0)


def test_systems_are_as_published(base: Database) -> None:
    systems = database(classes=60, seed=5, instances=1).systems(np.arange(60), threads=2)
    sizes = []
    for system in systems:
        maps, probabilities = used(system)
        sizes.append(len(maps))
        determinants = np.abs(maps[:, 0] * maps[:, 3] - maps[:, 1] * maps[:, 2])
        assert probabilities == pytest.approx(determinants / determinants.sum())
        assert (np.abs(maps) <= 1).all() and not system["maps"][len(maps) :].any()
    assert set(sizes) <= set(range(2, 9)) and len(set(sizes)) >= 4
    assert (systems["filling"] >= 0.2).all()


def test_the_filling_rate_is_the_published_one(base: Database) -> None:
    """A plain loop with other random numbers fills nearly the same share of a 512 x 512 image, 100,000 points."""
    for system in base.systems(np.arange(3)):
        filled = published_cells(*published_points(*used(system), 100_000, seed=1), 512, 6).mean()
        assert filled == pytest.approx(system["filling"], abs=0.01)


def test_no_system_that_fills_enough_is_passed_over(base: Database) -> None:
    """The search without its short cut, by the same compiled game."""
    xs, ys, maps, steps = np.empty(kernels.POINTS), np.empty(kernels.POINTS), np.zeros((8, 6)), np.zeros(8)
    for number, found in enumerate(base.systems(np.arange(3))):
        class_key = np.uint64(kernels.mix(base._seed_key, number))
        for trial in range(1_000):
            key = np.uint64(kernels.mix(class_key, trial))
            kernels._draw_system(key, maps, steps)
            if kernels._play(maps, steps, np.uint64(kernels.mix(key, 1_000)), xs, ys) and (
                published_cells(xs, ys, 512, 6).mean() >= 0.2
            ):
                break
        assert (maps == found["maps"]).all()


def test_a_picture_is_the_attractor(base: Database) -> None:
    """The system itself, drawn as points at 256 pixels, against a plain loop's with other random numbers: how many of
    8 x 8 pixels hold a point."""
    dots = database(draw="points")

    def shares(image: np.ndarray) -> np.ndarray:
        return (image > 0).reshape(32, 8, 32, 8).mean((1, 3)).ravel()

    for number in range(3):
        (image,) = dots.images(np.array([number]), np.array([0]), 256)
        points = published_points(*used(base.systems(np.array([number]))[0]), 100_000, seed=2)
        assert set(np.unique(image)) == {0, 127}
        assert np.corrcoef(shares(image[0]), shares(published_cells(*points, 256, 3)))[0, 1] > 0.9


def test_the_same_bits_for_ever(base: Database) -> None:
    """Sums and products of doubles in a fixed order: any machine must give these; runs are named by the digest."""
    images = [every(base, 3, [0, 1, 60]), every(database(palette="colour", step=0.3, seed=7), 1, [3], size=64)]
    digests = [hashlib.sha256(some.tobytes()).hexdigest()[:16] for some in images]
    assert digests == ["59294fb7ebfd1ac4", "5eacd4872e2ca81f"]


def test_neither_threads_nor_order_change_an_image(base: Database) -> None:
    classes, instances = np.repeat(np.arange(6), 20), np.tile(np.arange(20), 6)
    one = base.images(classes, instances, 32)
    turned = np.random.default_rng(0).permutation(len(classes))
    other = database()
    assert (other.images(classes[turned], instances[turned], 32, threads=3) == one[turned]).all()
    assert (other.systems(np.arange(6)) == base.systems(np.arange(6))).all()
    assert (database(seed=1).images(classes[:4], instances[:4], 32) != one[:4]).any()


def test_a_smaller_database_is_the_beginning_of_a_larger_one(base: Database) -> None:
    few = open_source("few", None, "fractals:classes=3,instances=4,seed=0")
    many = open_source("many", None, "fractals:classes=6,instances=200,seed=0")
    for label in few.classes("train"):
        rows = few.rows(label, "train"), many.rows(label, "train")[:4]
        assert (few.pixels(rows[0], 16) == many.pixels(rows[1], 16)).all()
        assert few.describe(rows[0][2]) == many.describe(rows[1][2])


def test_instances_differ_in_geometry() -> None:
    """Same variant and flip, other random numbers: nearly the same pixels. Another variant: another figure."""
    images = every(database(draw="points", step=0.2), 6, [*range(25), 100], size=64)[:, :, 0] > 0
    for same_class in images:
        for variant in range(25):
            same_class[variant] = turned_back(same_class[variant], variant % 4)
        overlap = [(same_class[0] & other).sum() / (same_class[0] | other).sum() for other in same_class[1:]]
        assert overlap[-1] > 0.85
        assert np.mean(overlap[:-1]) < overlap[-1] - 0.1
        assert np.sum(np.array(overlap[:-1]) < overlap[-1] - 0.01) >= 20
    flips = every(database(draw="points"), 1, [0, 25, 50, 75], size=64)[0, :, 0] > 0
    for flip in range(1, 4):
        back = turned_back(flips[flip], flip)
        assert (back & flips[0]).sum() / (back | flips[0]).sum() > 0.85
        assert (flips[flip] & flips[0]).sum() / (flips[flip] | flips[0]).sum() < 0.8


def turned_back(image: np.ndarray, flip: int) -> np.ndarray:
    return image[:: -1 if flip & 1 else 1, :: -1 if flip & 2 else 1]


def test_no_variant_is_a_dot(base: Database) -> None:
    """Large changes of parameters blow figures up or shrink them; these are halved. Rough share of pixels."""
    for step in (0.1, 0.4):
        filled = (every(database(classes=12, step=step, points=20_000), 12, list(range(25))) > 0)[:, :, 0].mean((2, 3))
        assert (filled > 0.3 * filled[:, :1]).all() and filled.min() > 0.1
    assert (database(step=0.4).systems(np.arange(6))["strengths"] < 1).any()


def test_classes_can_be_told_apart() -> None:
    """20 classes of 100 images shrunk to 16 x 16, half of them new: the nearest known image, and, among images that are
    turned alike, the nearest mean. Chance is .05; found .95 and .89."""
    images = every(database(classes=20, points=20_000), 20, list(range(100)), size=16)[:, :, 0] / 255.0
    images /= np.linalg.norm(images, axis=(2, 3), keepdims=True)
    order = np.random.default_rng(0).permutation(100)
    known, new = images[:, order[:50]].reshape(1000, -1), images[:, order[50:]].reshape(1000, -1)
    truth = np.repeat(np.arange(20), 50)
    assert (truth[np.argmax(new @ known.T, axis=1)] == truth).mean() > 0.85
    alike = images[:, [i for i in range(100) if (i % 25 + i // 25) % 4 == 0]][:, :24]
    means = alike[:, ::2].mean(1).reshape(20, -1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert (np.argmax(alike[:, 1::2].reshape(240, -1) @ means.T, axis=1) == np.repeat(np.arange(20), 12)).mean() > 0.75


def test_patterns_and_colours() -> None:
    """Instance 0 and 100 share variant and flip but not the pattern of 3 x 3; colours are those of 128 hues."""
    patches = every(database(), 2, [0, 100], size=256)
    assert all((pair[0] != pair[1]).mean() > 0.02 for pair in patches)
    coloured = database(palette="colour").images(np.array([0]), np.array([0]), 256)[0]
    colours = {tuple(colour) for colour in coloured.reshape(3, -1).T.tolist()} - {(0, 0, 0)}
    assert 100 < len(colours) <= 128 and all(max(c) in (190, 191) and min(c) == 47 for c in colours)


@settings(max_examples=50)
@given(
    classes=st.integers(1, 4_000), instances=st.integers(1, 4_000), seed=st.integers(0, 2**32 - 1),
    step=st.floats(0, 0.45), points=st.integers(100, 100_000), draw=st.sampled_from(["patches", "points"]),
    palette=st.sampled_from(["grey", "colour"]),
)  # fmt: skip
def test_a_digest_says_everything(**values) -> None:
    parameters = Parameters(**values)
    assert read_digest(parameters.digest, where="x") == parameters


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "unknown parameter ''; known: classes, instances, seed"),
        ("classes=10,instance=5", "unknown parameter 'instance'; did you mean 'instances'?"),
        ("classes=10,seed=5", "lacks instances. write it as fractals:classes=1000,instances=50,seed=0"),
        ("classes=ten,instances=5,seed=0", "classes is 'ten', no number"),
        ("classes=0,instances=5,seed=0", "classes is 0; needed 1 to 1,000,000"),
        ("classes=5,instances=5,seed=0,step=nan", "step is 'nan', no number"),
        ("classes=5,instances=5,seed=0,step=0.5", "step is 0.5; needed 0.0 to 0.45"),
        ("classes=5,instances=5,seed=0,points=7", "points is 7; needed 100 to 100,000"),
        ("classes=5,instances=5,seed=0,draw=lines", "draw is 'lines'; needed patches or points"),
        ("classes=100000,instances=1000,seed=0", "100,000,000 images, more than 20,000,000. ask for fewer"),
        ("classes=10,instances=5", "is spelt otherwise. write 'fractals:classes=10,instances=5,seed=0'"),
        ("seed=0,classes=1,instances=05", "is spelt otherwise. write 'fractals:classes=1,instances=5,seed=0'"),
    ],
)
def test_impossible_digests(content: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        open_source("dots", None, f"fractals:{content}")
    assert str(error.value).startswith(f"dots: digest 'fractals:{content}'") and message in str(error.value)


def test_sizes() -> None:
    source = open_source("dots", None, "fractals:classes=2,instances=2,seed=0,points=1000")
    for size in (8, 31, 300):
        assert source.pixels(np.array([3]), size).any()
    with pytest.raises(DataError, match="images of 4 pixels; needed 8 to 1,024"):
        source.pixels(np.array([0]), 4)


def test_only_what_is_asked_for_is_rendered() -> None:
    source = open_source("dots", None, "fractals:classes=2000,instances=500,seed=0,points=1000")
    view = source.view(threads=2)
    rows = np.concatenate([view.rows(f"f{c:06d}", "train")[:2] for c in (1_999, 7)])
    assert view.pixels(rows, 16).shape == (4, 3, 16, 16)
    assert view.met.sum() == 4 and not source.met.any()
    assert np.flatnonzero(view.database._systems["filling"]).tolist() == [7, 1_999]
    assert view.classes("train")[7] == "f000007" and view.classes("test") == []
    assert Image.open(io.BytesIO(view.read(int(rows[0])))).size == (256, 256)


def test_parts_of_a_split_share_no_geometry() -> None:
    source = open_source("dots", None, "fractals:classes=40,instances=50,seed=0")
    fit, validation = (
        {(source.labels[row], row % 50 % 25) for row in np.flatnonzero(source.in_split(f"train:{part}")).tolist()}
        for part in ("fit", "validation")
    )
    assert not fit & validation and len(fit | validation) == 40 * 25 and 60 < len(validation) < 190


@pytest.mark.parametrize("palette", ["grey", "colour"])
def test_files_hold_the_same_images(tmp_path: Path, palette: str) -> None:
    source = fractals.of_parameters("dots", Parameters(classes=3, instances=4, palette=palette, points=5_000))
    digest = write_database(source, tmp_path / "a.parquet", 32, threads=2)
    assert write_database(source, tmp_path / "images", 32) is None
    pixels = source.pixels(np.arange(12), 32)
    packed, unpacked = (read_source("x", tmp_path / name) for name in ("a.parquet", "images"))
    assert packed.digest == digest and packed.groups.tolist() == source.group_names(np.arange(12))
    for copy in (packed, unpacked):
        assert copy.labels.tolist() == source.labels.tolist()
        assert (copy.pixels(np.arange(12), 32) == pixels).all()
    assert sorted(os.listdir(tmp_path)) == ["a.parquet", "images"]
    assert pq.read_schema(tmp_path / "a.parquet").names == ["image", "label", "split", "source", "group"]


@pytest.mark.parametrize("name", ["a.parquet", "images"])
def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("trainer.fractals.write.ROWS", 4)
    source = fractals.of_parameters("dots", Parameters(classes=3, instances=4, points=1_000))

    def interrupt(done: int) -> None:
        if done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_database(source, tmp_path / name, 32, progress=interrupt)
    with pytest.raises(DataError, match="images of 2 pixels"):
        write_database(source, tmp_path / name, 2)
    assert not os.listdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written: (Not a directory|File exists)"):
        write_database(source, tmp_path / "file" / name, 32)
    write_database(source, tmp_path / name, 32)
    with pytest.raises(DataError, match=r"is there already\. remove it or choose another name"):
        write_database(source, tmp_path / name, 32)
    assert sorted(os.listdir(tmp_path)) == sorted(["file", name])


def test_the_command(tmp_path: Path) -> None:
    words = ("fractals", "out.parquet", "--classes", "2", "--per-class", "3", "--size", "16", "--points", "1000")
    done = trainer_command(*words, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["digest"] == "fractals:classes=2,instances=3,seed=0,points=1000" and told["n_images"] == 6
    written = read_source("x", tmp_path / "out.parquet")
    assert written.digest == told["file_digest"]
    assert (written.pixels(np.arange(6), 16) == open_source("y", None, told["digest"]).pixels(np.arange(6), 16)).all()
    for wrong, message in (
        (words, "out.parquet: is there already. remove it or choose another name\n"),
        (("fractals", "x.zip", *words[2:]), "x.zip: is neither a Parquet file nor a folder"),
        (("fractals", "x", *words[2:], "--classes", "0"), "fractals: classes is 0; needed 1 to 1,000,000\n"),
    ):
        done = trainer_command(*wrong, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.startswith(f"error: {message}"), done.stderr


GRID = """
study: dots
protocol: 2
sources:
  digits: {digest: "builtin:digits"}
  fractaldb: {digest: "fractals:classes=1000,instances=50,seed=0,points=5000"}
target_sets:
  digits/five: {domain: digits, source: digits, classes: ["0", "1", "2", "3", "4"], flip: false}
model: {name: predictor_small, image_size: 16, head: 32}
recipe: {batch_size: 32, image_steps: 512, learning_rate: 0.03, augmentation: none}
seeds: [0]
grid:
  - target_set: digits/five
    samples_per_class: 8
    others: {source: fractaldb, n_classes: 12, samples_per_class: 5}
"""


@pytest.mark.slow
def test_a_grid_trains_on_rendered_images(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    planned = trainer_command("plan", "grid.yaml", "--data", ".", "--format", "json", cwd=tmp_path)
    assert json.loads(planned.stdout)["runs"][0]["n_classes"] == 17, planned.stderr
    words = [sys.executable, "-m", "trainer", "run", "grid.yaml", "--workers", "1"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = read_registry(tmp_path / "runs")
    (stage,) = record.data.stages
    assert record.spec["sources"]["fractaldb"] == "fractals:classes=1000,instances=50,seed=0,points=5000"
    assert sum(n for n, source in zip(stage.counts, stage.sources, strict=True) if source == "fractaldb") == 60
    assert record.data_report.n_bad_images == 0
    share = compute(stage.distribution, ["synthetic_share"], indicator_context(record))["synthetic_share"]
    assert share.value == 0.6


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("classes=1000", "class=1000", "source 'fractaldb': digest .* unknown parameter 'class'; did you mean"),
        ('points=5000"', 'points=5000", file: a.parquet', "names the file 'a.parquet' beside a digest of rendered"),
    ],
)
def test_a_wrong_source_shows_in_the_plan(tmp_path: Path, before: str, after: str, message: str) -> None:
    (tmp_path / "grid.yaml").write_text(GRID.replace(before, after))
    with pytest.raises(DataError, match=message):
        check_rendered(load_grid(tmp_path / "grid.yaml"))
    assert trainer_command("plan", "grid.yaml", cwd=tmp_path).returncode == 2


def test_a_plan_says_where_more_is_asked_than_is_rendered(tmp_path: Path) -> None:
    text, file = GRID.replace("classes=1000", "classes=20"), tmp_path / "grid.yaml"
    file.write_text(text)
    check_grid(load_grid(file), tmp_path)
    file.write_text(text.replace("n_classes: 12, samples_per_class: 5}", "n_classes: 12, samples_per_class: 51}"))
    with pytest.raises(SpecError, match=r"of fractaldb \(train\): 51 asked, 50 there"):
        check_grid(load_grid(file), tmp_path)
    file.write_text(text.replace("n_classes: 12", "n_classes: 21"))
    refused = trainer_command("plan", "grid.yaml", cwd=tmp_path)
    assert refused.returncode == 2 and refused.stderr == (
        "error: grid dots: more images asked for than there are: other classes of fractaldb: 21 asked, 20 there "
        "(all runs). ask for fewer samples per class, fewer other classes, or a milder profile. "
        "mend the grid; nothing was trained\n"
    )
