"""A probe of images: what it measures, what it may not see, and what the command says and writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from images import pattern
from synthetic import TARGET_SETS, registry

from predictor.agreements import agreement
from predictor.agreements.between import between_target_sets
from predictor.cli.agreement_command import command as agreement_command
from predictor.cli.indicators_command import command as indicators_command
from predictor.cli.probe_command import command
from predictor.distribution import LabelDistribution
from predictor.errors import DataError, PredictorError, RegistryError
from predictor.grids import load_grid
from predictor.grids.probes import images_of, spec_key
from predictor.images import probe as probing
from predictor.images.classifier import PENALTY, confusion, margin, scores
from predictor.images.diversity import diversity, effective_number
from predictor.images.draws import draws
from predictor.images.duplicates import counted, find_pairs
from predictor.images.groups import joined
from predictor.images.kept import folder
from predictor.images.listing import open_images
from predictor.images.probe import probe_images, probe_sample
from predictor.images.results import Probe, above_chance, probes_text, read_probe, read_probes
from predictor.images.sample import ImageSample
from predictor.indicators import DEFAULT_NAMES, Context, compute
from predictor.records.store import write_record

N = 24  # images a class: a test part of 8, and 5 or 10 to learn from


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path / "cache"))


def rows_of(classes: Sequence[str], n: int, *, split: str = "train", seed: int = 0, noise: float = 40) -> list[dict]:
    generator = np.random.default_rng(seed)
    return [
        {"image": pattern(kind, generator, noise=noise), "label": name, "split": split, "source": f"{name}/{i:03d}.png"}
        for kind, name in enumerate(classes)
        for i in range(n)
    ]


def write(path: Path, rows: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probe") / "pets.parquet"
    rows = rows_of(["cat", "dog", "ferret"], N)
    return write(path, rows + rows_of(["cat", "dog", "ferret"], 4, split="test", seed=1))


@pytest.fixture(scope="module")
def probe(pets: Path) -> Probe:
    return probe_images(open_images(pets))


def sample_of(pixels: np.ndarray, classes: np.ndarray, groups: np.ndarray | None = None) -> ImageSample:
    names = tuple(f"class {c}" for c in range(int(classes.max()) + 1))
    return ImageSample(
        pixels,
        classes,
        np.arange(len(classes)) if groups is None else groups,
        names,
        {name: int((classes == c).sum()) for c, name in enumerate(names)},
        tuple(f"image {i}" for i in range(len(classes))),
        "train",
        (),
    )


def noise_images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_classes_that_differ_are_told_apart_and_names_alone_are_not(probe: Probe, tmp_path: Path) -> None:
    assert [size.samples_per_class for size in probe.sizes] == [5, 10]
    assert probe.at(10).accuracy > 0.8 > 0.45 > 1 / 3
    generator = np.random.default_rng(5)
    rows = rows_of(["cat"] * 3, 30)
    for row in rows:
        row["label"] = str(generator.integers(3))
    alike = probe_images(open_images(write(tmp_path / "alike.parquet", rows)))
    assert abs(alike.at(5).accuracy - 1 / 3) < 0.15
    assert alike.at(5).margin < 0 < probe.at(10).margin


def test_noise_makes_it_harder(pets: Path, probe: Probe, tmp_path: Path) -> None:
    noisy = write(tmp_path / "noisy.parquet", rows_of(["cat", "dog", "ferret"], N, noise=400))
    assert probe_images(open_images(noisy)).level(10) < probe.level(10)


def test_only_training_images_are_looked_at(pets: Path, probe: Probe, tmp_path: Path) -> None:
    rows = pq.read_table(pets).to_pylist()
    for row in rows:
        if row["split"] == "test":
            row["image"] = b"no image at all"
    other = probe_images(open_images(write(tmp_path / "pets.parquet", rows)))
    same = {"digest": probe.digest, "seconds": probe.seconds}
    assert replace(other, **same) == probe and other.digest != probe.digest


def test_the_same_images_give_the_same_probe_from_every_kind_of_source(probe: Probe, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for row in rows_of(["cat", "dog", "ferret"], N):
        (root / row["source"]).parent.mkdir(parents=True, exist_ok=True)
        (root / row["source"]).write_bytes(row["image"])
    files = sorted(root.rglob("*.png"))
    with (tmp_path / "pets.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["path", "label"], *([f"pets/{f.parent.name}/{f.name}", f.parent.name] for f in files)]
        )
    for path in (root, tmp_path / "pets.csv"):
        other = probe_images(open_images(path))
        assert other.sizes == probe.sizes and other.classes == probe.classes and other.confused == probe.confused
        assert other.digest == open_images(path).digest


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(3, 20), min_size=2, max_size=4),
    n_groups=st.integers(3, 30),
    seed=st.integers(0, 100),
)
def test_no_group_is_on_both_sides_and_no_image_twice(sizes: list[int], n_groups: int, seed: int) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.random.default_rng(seed).integers(0, n_groups, len(classes))
    for draw in draws(classes, groups, 3, np.random.default_rng(seed)):
        training = np.concatenate(draw.training)
        assert not set(groups[training]) & set(groups[draw.test])
        assert len(set(training)) == len(training) and len(set(draw.test)) == len(draw.test)
        for c, rows in enumerate(draw.training):
            assert (classes[rows] == c).all() and (classes[draw.test] == c).sum() <= sizes[c] // 3


def test_copies_are_kept_on_one_side() -> None:
    """Noise in pairs of equal images: who has seen the copy is right, and nobody else can be."""
    once = noise_images(48)
    pixels, classes = np.concatenate([once, once]), np.tile(np.repeat([0, 1], 24), 2)
    assert probe_sample(sample_of(pixels, classes), digest="sha256:0").at(10).accuracy < 0.65
    apart = np.arange(96)
    kernel = probing.feature_kernel(pixels)
    training, test = apart[:48], apart[48:]
    assert (scores(kernel, training, classes[:48], test, 2).argmax(1) == classes[48:]).mean() > 0.95


def test_groups_of_the_source_are_kept_on_one_side(tmp_path: Path) -> None:
    """Ten objects of one class look alike, each has its own colour: new objects cannot be told apart."""
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (20, 3))
    pixels = np.stack([
        np.clip(colours[g] + generator.normal(0, 25, (32, 32, 3)), 0, 255) for g in range(20) for _ in range(6)
    ]).astype(np.uint8)  # fmt: skip
    groups = np.repeat(np.arange(20), 6)
    by_group = probe_sample(sample_of(pixels, groups % 2, groups), digest="sha256:0")
    assert by_group.at(20).accuracy < 0.75


def test_planted_copies_are_counted_where_they_are() -> None:
    pixels = noise_images(12)
    pixels[1] = pixels[0]  # inside
    pixels[7] = pixels[2]  # between
    pixels[5] = np.clip(pixels[4].astype(int) + 3, 0, 255)  # near, inside
    pixels[8:10] = 128  # flat: nothing to compare, but the same pixels
    classes = np.repeat([0, 1], 6)
    found = counted(*find_pairs(pixels), classes, ("a", "b"), tuple(map(str, range(12))))
    assert asdict(found) | {"pairs": ()} == {
        "n_images": 12, "exact": 6, "near": 2, "inside": 6, "between": 2, "pairs": (),
    }  # fmt: skip
    assert found.pairs[0] == ("2", "a", "7", "b", 1.0) and len(found.pairs) == 4
    assert found.pairs[-1][:1] == ("4",) and 0.98 <= found.pairs[-1][4] < 1


def test_pairs_join_groups_to_their_ends() -> None:
    assert joined(np.array([0, 0, 1, 2, 3]), np.array([[1, 2], [2, 3]])).tolist() == [0, 0, 0, 0, 1]
    assert joined(np.arange(3), np.zeros((0, 2), int)).tolist() == [0, 1, 2]


def test_the_classifier_is_ridge_regression() -> None:
    """Against scikit-learn's, on features with the same penalty."""
    from sklearn.linear_model import Ridge

    generator = np.random.default_rng(0)
    features, classes = generator.normal(size=(30, 8)).astype(np.float32), np.arange(30) % 3
    kernel = features @ features.T
    training, test = np.arange(20), np.arange(20, 30)
    inside = features[:20].astype(float)
    penalty = PENALTY * np.trace(inside @ inside.T) / 20
    wanted = np.where(classes[:20, None] == np.arange(3), 1.0, -1.0)
    peer = Ridge(alpha=penalty, fit_intercept=False).fit(inside, wanted - wanted.mean(0))
    assert np.allclose(
        scores(kernel, training, classes[:20], test, 3), peer.predict(features[20:]) + wanted.mean(0), atol=1e-4
    )


def test_a_table_of_what_is_taken_for_what() -> None:
    found = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0], [0, 0, 1]])
    assert confusion(found, np.array([0, 0, 1, 2])).tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]]
    assert margin(found, np.array([0, 0, 1, 2])) == pytest.approx((0.8 - 0.6 + 1 + 1) / 8)


def test_diversity_counts_unlike_images_and_unlike_classes() -> None:
    assert effective_number(np.kron(np.eye(3), np.ones((2, 2)))) == pytest.approx(3)
    generator = np.random.default_rng(0)
    far = np.concatenate([generator.normal(0, 0.1, (20, 5)), generator.normal(0, 0.1, (20, 5)) + 9])
    near = generator.normal(0, 0.1, (40, 5))
    rows = [np.arange(20), np.arange(20, 40)]
    apart, together = (diversity(features @ features.T, rows) for features in (far, near))
    assert 1 <= together.classes < apart.classes <= 2 and together.total == pytest.approx(
        together.within * together.classes
    )


def test_level_and_slope_of_known_figures(probe: Probe) -> None:
    sizes = tuple(
        replace(probe.sizes[0], samples_per_class=n, n_classes=10, accuracy=a) for n, a in ((5, 0.55), (20, 0.82))
    )
    made = replace(probe, sizes=sizes)
    top = np.log(0.8 / 0.2)
    assert above_chance(0.55, 10) == 0 and made.level(5) == 0 and made.level(20) == pytest.approx(top)
    assert made.slope == pytest.approx(top / np.log(4))
    assert made.level(10) == pytest.approx(top / 2) and made.level(80) == pytest.approx(2 * top)
    assert replace(made, sizes=sizes[:1]).slope is None and replace(made, sizes=()).level(20) is None


def test_growth_is_that_of_the_same_classes(probe: Probe) -> None:
    """At 40 images two of ten classes are left, which are told apart: no growth."""
    shares = ((5, 10, 0.3), (10, 10, 0.4), (20, 10, 0.5), (40, 2, 0.99))
    sizes = [replace(probe.sizes[0], samples_per_class=n, n_classes=c, accuracy=share) for n, c, share in shares]
    made, without = replace(probe, sizes=tuple(sizes)), replace(probe, sizes=tuple(sizes[:3]))
    assert made.slope == without.slope and made.level(20) == without.level(20) and made.level(80) == without.level(80)
    assert replace(probe, sizes=(sizes[0], sizes[3])).slope is not None


def test_a_class_that_cannot_be_tested_is_named_with_the_reason(tmp_path: Path) -> None:
    few = rows_of(["cat", "dog"], N) + rows_of(["cat", "dog", "eel", "fly"], 6)[12:]
    for row in few:
        row["group"] = "one photograph" if row["label"] == "fly" else row["source"]
    few += [{**row, "group": "one photograph"} for row in rows_of(["cat", "dog", "eel", "fly"], 9, seed=3)[27:]]
    found = probe_images(open_images(write(tmp_path / "few.parquet", few)))
    assert found.left_out == {
        "eel": "6 images; a probe needs 7 of a class",
        "fly": "its images are one group, or copies of each other, and cannot be split",
    }
    assert found.names == ("cat", "dog", "eel", "fly") and [size.n_classes for size in found.sizes] == [2, 2]


def test_unreadable_images_are_left_out_and_named(pets: Path, tmp_path: Path) -> None:
    rows = pq.read_table(pets).to_pylist()
    rows[3]["image"] = b"junk"
    found = probe_images(open_images(write(tmp_path / "pets.parquet", rows)))
    assert found.n_images == 3 * N - 1
    assert "1 unreadable images left out: row 4 (cat/003.png): is no image in a known format" in found.notes[-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": ["cat", "dgo"]}, "has no training image of 'dgo' .near: 'dog'."),
        ({"classes": ["cat"]}, "one class or none to tell apart; found 'cat'"),
        ({"split": "validation"}, "no split 'validation'"),
    ],
)
def test_what_cannot_be_probed_is_said(pets: Path, options: dict, said: str) -> None:
    with pytest.raises(Exception, match=said) as error:
        probe_images(open_images(pets), **options)
    assert type(error.value).__name__ in ("DataError", "ManifestError")


def test_what_is_written_is_read_back(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "probe.json"
    path.write_text(probe.to_json())
    assert read_probe(path) == probe
    other = replace(probe, digest="sha256:1")
    (tmp_path / "probes.json").write_text(probes_text({p.key: p for p in (probe, other)}))
    assert read_probes(tmp_path / "probes.json") == {probe.key: probe, other.key: other}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(schema_version=9), "has schema version 9; this program reads 1"),
        (lambda c: c.pop("sizes"), "is no probe: KeyError 'sizes'"),
        (lambda c: c["sizes"][0].update(accuracy=1.4), "impossible figures at 5 images a class"),
        (lambda c: c["sizes"].reverse(), "sizes are not in order"),
        (lambda c: c["sizes"][0].pop("margin"), "is no probe: TypeError"),
    ],
)
def test_a_damaged_probe_is_refused(probe: Probe, tmp_path: Path, change, said: str) -> None:
    content = json.loads(probe.to_json())
    change(content)
    path = tmp_path / "probe.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=said):
        read_probe(path)


def test_files_that_hold_no_probe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_probe(tmp_path / "none.json")
    for text, said in (("no", "is no JSON"), ("[]", "no JSON object")):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(DataError, match=said):
            read_probe(tmp_path / "bad.json")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_prints_and_writes_what_it_found(pets: Path, probe: Probe, tmp_path: Path) -> None:
    output = tmp_path / "probe.json"
    text = run(pets, "--output", output)
    written = read_probe(output)
    assert replace(written, seconds=None) == replace(probe, seconds=None)
    assert json.loads(run(pets, "--format", "json"))["sizes"] == [asdict(size) for size in probe.sizes]
    rows = list(csv.DictReader(run(pets, "--format", "csv").splitlines()))
    assert {(row["class"], int(row["samples_per_class"])): float(row["accuracy"]) for row in rows} == {
        (one.name, n): value for one in probe.classes for n, value in one.accuracy.items()
    }
    assert probe.digest in text and f"{100 * probe.at(10).accuracy:.1f} %" in text
    assert "| images a class |" in run(pets, "--format", "markdown")


def test_the_same_content_is_probed_once(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(pets, "--format", "json")
    assert len(list(folder().iterdir())) == 1
    looked: list[int] = []
    real = probing.decoded_sample
    monkeypatch.setattr(probing, "decoded_sample", lambda *a, **k: looked.append(1) or real(*a, **k))
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(pets.read_bytes())
    assert run(moved, "--format", "json") == first and not looked
    run(pets, "--no-cache")
    run(pets, "--group", "([0-9]+).png")
    (tmp_path / "targets.txt").write_text("cat\ndog\n")
    run(pets, "--targets", tmp_path / "targets.txt")
    assert len(looked) == 3
    next(folder().iterdir()).write_text("damaged")
    for file in folder().iterdir():
        file.write_text("damaged")
    assert json.loads(run(pets, "--format", "json"))["sizes"] == json.loads(first)["sizes"] and len(looked) == 4


def test_a_manifest_names_the_classes_or_the_images(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text("label,count\ncat,5\nferret,9\n")
    named = json.loads(run(pets, "--manifest", tmp_path / "counts.csv", "--format", "json"))
    assert [one["name"] for one in named["classes"]] == ["cat", "ferret"]
    root = tmp_path / "images"
    for row in rows_of(["cat", "dog"], 9):
        (root / row["source"]).parent.mkdir(parents=True, exist_ok=True)
        (root / row["source"]).write_bytes(row["image"])
    lines = [f"{name}/{i:03d}.png,{name}" for name in ("cat", "dog") for i in range(8)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]))
    listed = json.loads(run(root, "--manifest", tmp_path / "list.csv", "--format", "json"))
    assert [one["n_images"] for one in listed["classes"]] == [8, 8]


GRID = """
study: pets
protocol: 2
sources: {{pets: {{file: pets.parquet, digest: "{digest}"}}}}
target_sets:
  both: {{domain: pets, source: pets, classes: [cat, dog]}}
  all: {{domain: pets, source: pets, classes: [cat, dog, ferret]}}
model: {{name: predictor_small, image_size: 32, head: 8}}
recipe: {{learning_rate: 0.03, image_steps: 64}}
seeds: [0]
grid: [{{target_set: [both, all], samples_per_class: 4}}]
"""


def test_a_grid_is_probed_target_set_by_target_set(pets: Path, probe: Probe, tmp_path: Path) -> None:
    grid, output = tmp_path / "grid.yaml", tmp_path / "probes.json"
    grid.write_text(GRID.format(digest=probe.digest))
    rows = json.loads(run(grid, "--data", pets.parent, "--target-set", "all", "--output", output, "--format", "json"))
    assert [row["target set"] for row in rows] == ["all"] and set(read_probes(output)) == {probe.key}
    run(grid, "--data", pets.parent, "--output", output)
    found = read_probes(output)
    assert {len(one.names) for one in found.values()} == {2, 3}
    assert found[probe.key].sizes == probe.sizes and found[probe.key].classes == probe.classes
    assert {spec_key(planned.spec.content()) for planned in load_grid(grid).runs} == set(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a grid names its images by file. say their folder with --data"),
        (["--data", "DATA", "--target-set", "al"], "trains no target set 'al' .near: 'all'."),
        (["--data", "OTHER"], "has other content than the grid says; found sha256"),
    ],
)
def test_a_grid_that_cannot_be_probed(
    pets: Path, probe: Probe, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "grid.yaml").write_text(GRID.format(digest=probe.digest))
    write(tmp_path / "pets.parquet", rows_of(["cat", "dog", "ferret"], 9))
    places = {"DATA": str(pets.parent), "OTHER": str(tmp_path)}
    with pytest.raises(PredictorError, match=said):
        run(tmp_path / "grid.yaml", *(places.get(word, word) for word in arguments))
    with pytest.raises(PredictorError, match="--data and --target-set belong to a grid"):
        run(pets, "--data", pets.parent)


def test_indicators_of_a_probe(probe: Probe, pets: Path, tmp_path: Path) -> None:
    labels = LabelDistribution.from_counts({"cat": 5, "dog": 3, "ferret": 4})
    found = compute(labels, context=Context(probe=probe))
    names = [name for name in DEFAULT_NAMES if name.startswith("probe_")]
    assert names == ["probe_accuracy@20", "probe_level@20", "probe_margin@20", "probe_slope", "probe_unlike_classes",
                     "probe_unlike_images"]  # fmt: skip
    assert found["probe_slope"].value == probe.slope
    assert found["probe_unlike_classes"].value == probe.diversity.classes
    assert found["probe_accuracy@20"].reason == "the images were not probed at 20 a class; probed at 5, 10"
    own = compute(labels, ["probe_accuracy@10", "probe_margin@10", "probe_level@10"], Context(probe=probe))
    assert [item.value for item in own.values()] == [probe.at(10).accuracy, probe.at(10).margin, probe.at(10).level]
    assert not set(names) & set(compute(labels))
    assert "no probe of the images: predictor probe IMAGES" in compute(labels, ["probe_slope"])["probe_slope"].reason
    (tmp_path / "probe.json").write_text(probe.to_json())
    (tmp_path / "counts.csv").write_text("label,count\ncat,5\ndog,3\n")
    arguments = [str(tmp_path / "counts.csv"), "--probe", str(tmp_path / "probe.json"), "--format", "json"]
    told = json.loads(CliRunner().invoke(indicators_command, arguments, catch_exceptions=False).stdout)
    values = {row["name"]: row["value"] for row in told["manifests"][0]["indicators"]}
    assert values["probe_slope"] == probe.slope


def made_frame(n_sets: int) -> pd.DataFrame:
    """Three sizes of each target set; the larger the probe, the higher the level, whatever the sizes."""
    rows = []
    for number in range(n_sets):
        for size in (10, 20, 40):
            n = size * (1 + number % 3)  # target sets differ in their sizes as well
            level = 0.4 * number - 2 + 0.6 * np.log(n / 20)
            rows.append({
                "run_id": f"{number}-{n}", "configuration_id": f"{number}-{n}", "study": "s", "domain": "d",
                "target_set": f"t{number}", "provenance": "trained", "status": "completed", "held_out": False,
                "spec_model": "net", "spec_image_steps": 1000, "ind_n_samples": 5.0 * n, "ind_n_target_classes": 5.0,
                "ind_mean_log_count": np.log(n), "ind_probe_slope": float(number),
                "out_accuracy": 0.2 + 0.8 / (1 + np.exp(-level)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_target_sets_are_ranked_by_their_level_at_a_common_design() -> None:
    table = between_target_sets(made_frame(8))
    assert table["configuration_id"].tolist() == [f"t{i}" for i in range(8)]
    assert set(table["target_set"]) == {"all domains"}
    levels = np.log(table["out_accuracy"] / (1 - table["out_accuracy"]))
    assert np.allclose(np.diff(levels), 0.4)
    assert "ind_n_samples" not in table and table["ind_probe_slope"].tolist() == list(range(8))
    found = agreement(table, statistics=["spearman"], given=None, n_bootstrap=100, n_permutations=100)
    told = [(row.indicator, row.value, row.n_configurations) for row in found.rows if row.value]
    assert told == [("probe_slope", 1.0, 8)]
    with pytest.raises(RegistryError, match="4 target sets of one recipe; 5 are needed"):
        between_target_sets(made_frame(4))


def test_a_large_domain_stands_once_more_among_itself() -> None:
    frame = made_frame(9)
    frame.loc[frame["target_set"].isin(["t7", "t8"]), "domain"] = "other"
    table = between_target_sets(frame)
    assert table.groupby("target_set").size().to_dict() == {"all domains": 9, "d": 7}


def test_the_command_ranks_target_sets(probe: Probe, tmp_path: Path) -> None:
    """Five target sets whose probes say what the law planted: the levels of TARGET_SETS."""
    probes = {}
    for record in registry(n_configurations=20, n_seeds=1):
        write_record(tmp_path, record)
        source, digest, split, classes = images_of(record.spec)
        own = tuple(replace(probe.classes[0], name=name) for name in classes)
        unlike = replace(probe.diversity, classes=9 + TARGET_SETS[record.target_set][2])
        made = replace(probe, digest=digest, split=split, classes=own, left_out={}, diversity=unlike)
        assert made.key == spec_key(record.spec) and source in record.spec["sources"]
        probes[made.key] = made
    (tmp_path / "probes.json").write_text(probes_text(probes))
    arguments = [str(tmp_path), "--between", "--outcome", "accuracy", "--draws", "100"]
    told = CliRunner().invoke(agreement_command, arguments, catch_exceptions=False)
    assert told.exit_code == 0 and "between target sets   TARGET SET all domains   OUTCOME accuracy" in told.stdout
    content = json.loads(
        CliRunner().invoke(agreement_command, [*arguments, "--format", "json"], catch_exceptions=False).stdout
    )
    assert content["pooled"] == [] and {row["study"] for row in content["rows"]} == {"between target sets"}
    found = {(row["indicator"], row["statistic"]): row for row in content["rows"] if row["given"] is None}
    unlike = found["probe_unlike_classes", "spearman"]
    assert unlike["value"] == pytest.approx(1) and unlike["n_configurations"] == 5
