"""A probe of images: what it measures, what it may not see, and what the command says and writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import probes_made
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from images import pattern
from synthetic import TARGET_SETS, registry

from predictor.cli.agreement_command import command as agreement_command
from predictor.cli.indicators_command import command as indicators_command
from predictor.cli.probe_command import command
from predictor.distribution import LabelDistribution
from predictor.errors import DataError, PredictorError
from predictor.grids import load_grid
from predictor.grids.probes import images_of, spec_key
from predictor.images import probe as probing
from predictor.images.kept import folder
from predictor.images.listing import open_images
from predictor.images.probe import probe_images
from predictor.images.results import Probe, above_chance, probes_text, read_probe, read_probes
from predictor.indicators import DEFAULT_NAMES, Context, compute
from predictor.records.store import write_record
from predictor.render import probe as probe_page
from predictor.render.page import page_text

own_cache = probes_made.own_cache
N = 24  # images a class: a test part of 8, and 5 or 10 to learn from


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


def test_a_probe_that_told_nothing_apart_says_so(tmp_path: Path) -> None:
    """One class has images enough: what it lacks is another one, not images to learn from."""
    rows = rows_of(["cat", "dog"], N)[:N] + rows_of(["cat", "dog"], 1)[1:]
    found = probe_images(open_images(write(tmp_path / "few.parquet", rows)))
    assert found.left_out == {
        "cat": "no other class has images enough to be told from it",
        "dog": "1 image; a probe needs 7 of a class",
    }
    text = page_text(probe_page.page(found, where="few"), "table")
    assert "without training: no statement: no two classes" in text and "random splits" not in text


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
    rows = [row for row in csv.DictReader(run(pets, "--format", "csv").splitlines()) if row["kind"] == "class"]
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
    rows = rows["target_sets"]
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
    words = " ".join(told.stdout.split())
    assert (
        "n counts target sets: the levels of 5" in words
        and "n = 5 target sets" in words
        and " runs " not in (words.split("verdict")[0])
    )
    content = json.loads(
        CliRunner().invoke(agreement_command, [*arguments, "--format", "json"], catch_exceptions=False).stdout
    )
    assert content["pooled"] == [] and {row["study"] for row in content["rows"]} == {"between target sets"}
    found = {(row["indicator"], row["statistic"]): row for row in content["rows"] if row["given"] is None}
    unlike = found["probe_unlike_classes", "spearman"]
    assert unlike["value"] == pytest.approx(1) and unlike["n_configurations"] == 5
