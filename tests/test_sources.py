"""Sources: what readers find, what is named when it is missing, and splits derived by group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import pattern, write_source

from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.images.digests import file_digest
from predictor.images.groups import numbered_groups
from predictor.images.parts import VALIDATION_SHARE, content_groups, derived, in_validation, overlapping
from predictor.spec import PROTOCOL, RunSpec
from trainer.checking import check_grid
from trainer.data.opening import open_source, read_source
from trainer.data.readers.builtin import BUILTIN
from trainer.data.selection import choose
from trainer.data.source import Source
from trainer.data.store import Store
from trainer.run import run_spec

IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"


def source_of(splits: list[str], *, groups: list[str] | None = None, ids: list[str] | None = None) -> Source:
    """A source without real images: what a row holds is its number."""
    return Source(
        "made", "sha256:0", np.array([f"c{i % 3}" for i in range(len(splits))]), np.array(splits),
        lambda row: str(row).encode(), lambda row: f"row {row + 1}",
        ids=None if ids is None else np.array(ids), groups=None if groups is None else np.array(groups),
        ids_are_content=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("sources")
    return path, write_source(path / "pets.parquet", ["cat", "dog", "ferret"], train=12, test=5, seed=3)


def spec_of(digest: str, **changes) -> RunSpec:
    data = {"source": "pets", "samples_per_class": 4, **changes.pop("data", {})}
    test = {"source": "pets", "split": changes.pop("test", "test")}
    return RunSpec.model_validate(
        {
            "protocol": PROTOCOL,
            "sources": {"pets": digest},
            "target": {"name": "t", "classes": changes.pop("classes", ["cat", "dog"]), "test": test, **changes},
            "stages": [{"data": data, "image_steps": 32}],
            "model": {"name": "predictor_small", "image_size": 16, "head": 4},
            "recipe": {"batch_size": 16, "learning_rate": 0.05},
            "seeds": {"data": 0, "training": 0},
        }
    )


def run(folder: tuple[Path, str], spec: RunSpec):
    return run_spec(
        spec, study="t", axes={}, domain="d", held_out=False, data_dir=folder[0], files={"pets": "pets.parquet"}
    )


@settings(max_examples=60)
@given(
    groups=st.lists(st.integers(0, 30), min_size=1, max_size=80),
    kind=st.sampled_from(["column", "neighbours", "content"]),
)
def test_no_group_is_in_both_parts_and_no_image_in_neither(groups: list[int], kind: str) -> None:
    """The groups are recomputed here from what the source says, not taken from the code under test."""
    n = len(groups)
    splits = ["train" if i % 4 else "test" for i in range(n)]
    ids = [f"img{i % 3}-{i + 1:05d}" for i in range(n)]
    source = source_of(splits, groups=[str(g) for g in groups] if kind == "column" else None, ids=ids)
    ending = "@4" if kind == "neighbours" else ""
    fit, validation = (set(np.flatnonzero(source.in_split(f"train:{part}{ending}"))) for part in ("fit", "validation"))
    assert not fit & validation and fit | validation == set(np.flatnonzero(source.splits == "train"))
    if kind != "content":
        of = [str(g) for g in groups] if kind == "column" else [i // 4 for i in range(n)]
        assert not {of[i] for i in fit} & {of[i] for i in validation}


def test_a_group_stays_in_its_part_whatever_else_the_source_holds() -> None:
    few = source_of(["train"] * 40, groups=[f"g{i}" for i in range(40)])
    many = source_of(["train"] * 400, groups=[f"g{i}" for i in range(400)])
    assert np.array_equal(many.in_split("train:validation")[:40], few.in_split("train:validation"))


def test_the_share_is_an_eighth() -> None:
    """Of 40,000 names, within four standard errors."""
    share = np.mean([in_validation(f"family {i}") for i in range(40_000)])
    assert abs(share - VALIDATION_SHARE) < 4 * np.sqrt(VALIDATION_SHARE * (1 - VALIDATION_SHARE) / 40_000)


def test_identical_files_stay_together() -> None:
    contents = [b"one", b"two", b"one"]
    groups = content_groups(contents.__getitem__, np.arange(3))
    assert groups[0] == groups[2] != groups[1]


def test_neighbours_are_counted_by_the_last_number() -> None:
    ids = np.array(["fnt:img001-00001", "fnt:img034-00004", "fnt:img001-00005", "a9/photo_0008.jpg"])
    assert numbered_groups(ids, 4) == ["0", "0", "1", "1"]
    with pytest.raises(ValueError, match="image 'none' has no number in its id"):
        numbered_groups(np.array(["none"]), 4)


def test_names_of_derived_splits() -> None:
    assert derived("train:validation@12").neighbours == 12
    for plain in ("train", "train:", "train:fit@0", "train:fit@", "train:rest", ":fit"):
        assert derived(plain) is None, plain
    assert overlapping("train:fit@4", "train:validation")  # other groups cut elsewhere
    assert not overlapping("train:fit@4", "train:validation@4") and overlapping("train:fit", "train:fit")


def test_a_split_that_is_called_so_stays_what_it_was() -> None:
    source = source_of(["train:fit", "train", "train"])
    assert source.in_split("train:fit").tolist() == [True, False, False]


def test_neighbours_need_numbered_images(folder) -> None:
    digits = open_source("digits", None, BUILTIN)
    with pytest.raises(DataError, match="digits: groups of 4 neighbours need images that are numbered in a column 'so"):
        digits.rows("3", "train:fit@4")
    assert len(digits.rows("3", "train:fit")) + len(digits.rows("3", "train:validation")) == len(
        digits.rows("3", "train")
    )
    with pytest.raises(
        DataError, match=r"made: image 'none' has no number in its id. state the groups in a column 'gr"
    ):
        source_of(["train"], ids=["none"]).rows("c0", "train:fit@4")


def test_families_of_fonts_are_never_divided() -> None:
    if not IMAGES.is_dir():
        pytest.skip("the images are not on this machine")
    path = IMAGES / "characters-fonts.parquet"
    fonts = open_source("fonts", path, file_digest(path))
    names = pq.read_table(path, columns=["source"])["source"].to_pylist()
    family = np.array([(int(name.rsplit("-", 1)[1]) - 1) // 4 for name in names])
    fit, validation = (fonts.in_split(f"train:{part}@4") for part in ("fit", "validation"))
    assert not set(family[fit]) & set(family[validation])
    assert fit.sum() + validation.sum() == (fonts.splits == "train").sum()
    assert 0.08 < validation.sum() / (fonts.splits == "train").sum() < 0.17
    assert len(set(fonts.labels[validation])) == 34


def test_a_run_trains_and_tests_on_derived_splits(folder) -> None:
    """The validation part of the training images as the test set; the id differs from that of the real test."""
    spec = spec_of(folder[1], data={"split": "train:fit", "samples_per_class": 6}, test="train:validation")
    source = open_source("pets", folder[0] / "pets.parquet", folder[1])
    assert {row for part in choose(spec, 0, lambda _: source) for row in part.rows.tolist()} <= set(
        np.flatnonzero(source.in_split("train:fit")).tolist()
    )
    record = run(folder, spec)
    held_out = [len(source.rows(name, "train:validation")) for name in ("cat", "dog")]
    assert list(record.outcomes["accuracy"].tested) == held_out and min(held_out) > 0
    assert record.run_id != spec_of(folder[1]).run_id


def test_a_grid_names_derived_splits(tmp_path) -> None:
    (tmp_path / "grid.yaml").write_text(
        f"""
study: rate
protocol: {PROTOCOL}
sources: {{fonts: {{file: f.parquet, digest: "sha256:{"0" * 64}"}}}}
target_sets:
  digits: {{domain: characters, source: fonts, classes: ["0", "1"],
           train_split: train:fit@4, test_split: train:validation@4}}
model: {{name: predictor_small, head: 8}}
recipe: {{image_steps: 100, learning_rate: 0.01}}
seeds: [0]
grid: [{{target_set: digits, samples_per_class: 5}}]
"""
    )
    spec = load_grid(tmp_path / "grid.yaml").runs[0].spec
    assert (spec.stages[0].data.split, spec.target.test.split) == ("train:fit@4", "train:validation@4")


def test_training_on_what_is_tested_is_refused(folder) -> None:
    text = r"trains on pets .train. and tests on pets .train:validation., which share images.*train on SPLIT:fit"
    with pytest.raises(DataError, match=text):
        run(folder, spec_of(folder[1], test="train:validation"))
    plain = {"blend": {"source": "pets", "share": 0.5, "split": "test"}}
    text = (
        r"run [0-9a-f]{16}: trains on pets .test. and tests on pets .test., which share images. "
        r"take the images to train on and those to test on from different splits or sources$"
    )
    with pytest.raises(DataError, match=text):
        run(folder, spec_of(folder[1], data=plain))
    with pytest.raises(DataError, match=r"trains on pets .train. and tests on pets .train., which share images"):
        run(folder, spec_of(folder[1], test="train"))
    shifts = {"near": {"source": "pets", "split": "train"}, "far": {"source": "pets", "split": "test"}}
    with pytest.raises(DataError, match=r"trains on pets .train. and tests the shift 'near' on pets .train., which s"):
        run(folder, spec_of(folder[1], shifts=shifts))
    run(folder, spec_of(folder[1], shifts={"far": shifts["far"]}))
    blend = {"blend": {"source": "pets", "share": 0.5, "split": "train:fit"}}
    with pytest.raises(DataError, match=r"two parts of the recipe take class '(cat|dog)' from pets .train:fit."):
        run(folder, spec_of(folder[1], data=blend))


def test_all_that_is_tested_and_trained_on_is_named_in_one_error(folder) -> None:
    shifts = {"near": {"source": "pets", "split": "train:fit"}}
    blend = {"blend": {"source": "pets", "share": 0.5, "split": "test"}}
    with pytest.raises(DataError) as caught:
        choose(spec_of(folder[1], data=blend, shifts=shifts), 0, lambda _: pytest.fail("nothing is opened"))
    assert caught.value.problem == (
        "trains on pets (test) and tests on pets (test), which share images; "
        "trains on pets (train) and tests the shift 'near' on pets (train:fit), which share images"
    )
    assert "SPLIT:validation is tested" in caught.value.remedy and "different splits or sources" in caught.value.remedy


def test_one_content_under_two_names_is_one_source(folder) -> None:
    content = spec_of(folder[1]).content()
    content["sources"]["copy"] = folder[1]
    content["target"]["test"] = {"source": "copy", "split": "train"}
    opened = {name: open_source(name, folder[0] / "pets.parquet", folder[1]) for name in ("pets", "copy")}
    with pytest.raises(DataError, match=r"trains on pets .train. and tests on copy .train., which share images"):
        choose(RunSpec.model_validate(content), 0, opened.__getitem__)
    content["sources"]["copy"] = "sha256:" + "0" * 64
    assert choose(RunSpec.model_validate(content), 0, opened.__getitem__)


def test_other_classes_may_come_from_the_tested_split(folder) -> None:
    """They are never tested; nor is a target class whose share of a blend is no image."""
    others = {"others": [{"source": "pets", "n_classes": 1, "samples_per_class": 3, "split": "test"}]}
    none = {"blend": {"source": "pets", "share": 0.1, "split": "test"}}
    source = open_source("pets", folder[0] / "pets.parquet", folder[1])
    for data, sizes in ((others, [4, 4, 3]), (none, [4, 4])):
        assert [len(part.rows) for part in choose(spec_of(folder[1], data=data), 0, lambda _: source)] == sizes


def test_training_on_the_test_images_shows_in_the_plan(folder) -> None:
    text = f"""
study: leak
protocol: {PROTOCOL}
sources: {{pets: {{file: pets.parquet, digest: "{folder[1]}"}}}}
target_sets: {{pair: {{domain: pets, source: pets, classes: [cat, dog], test_split: SPLIT}}}}
model: {{name: predictor_small, image_size: 16, head: 4}}
recipe: {{batch_size: 16, image_steps: 32, learning_rate: 0.05}}
seeds: [0, 1, 2]
grid: [{{target_set: pair, samples_per_class: 4}}]
"""
    (folder[0] / "grid.yaml").write_text(text.replace("SPLIT", "train"))
    with pytest.raises(SpecError) as caught:
        check_grid(load_grid(folder[0] / "grid.yaml"), folder[0])
    assert str(caught.value) == (
        "grid leak: trains on pets (train) and tests on pets (train), which share images (all runs). take the images "
        "to train on and those to test on from different splits or sources. mend the grid; nothing was trained"
    )
    (folder[0] / "grid.yaml").write_text(text.replace("SPLIT", "test"))
    check_grid(load_grid(folder[0] / "grid.yaml"), folder[0])


def test_what_is_not_there_is_named_with_near_matches(folder) -> None:
    with pytest.raises(DataError, match=r"class 'cta' is not in pets; did you mean 'cat'\?"):
        run(folder, spec_of(folder[1], classes=["cta", "dog"]))
    with pytest.raises(DataError, match=r"class 'zebra' is not in pets; it has 'cat', 'dog', 'ferret'"):
        run(folder, spec_of(folder[1], classes=["zebra", "dog"]))
    with pytest.raises(DataError, match=r"pets has no split 'trian'; did you mean 'train'\?"):
        run(folder, spec_of(folder[1], data={"split": "trian"}))
    with pytest.raises(
        DataError, match=r"pets .tset.: no image to test class 'cat' and 1 more: pets has no split 'tset'; did"
    ):
        run(folder, spec_of(folder[1], test="tset"))
    with pytest.raises(
        DataError, match=r"'cat' of pets .train.: 13 asked, 12 there; 'dog' of pets .train.: 13 asked, 12 there"
    ):
        run(folder, spec_of(folder[1], data={"samples_per_class": 13}))


def test_several_missing_classes_are_one_sentence_in_one_order(folder) -> None:
    """Whatever the data seed ranks first; what the source has is said once."""
    source = open_source("pets", folder[0] / "pets.parquet", folder[1])
    problems = set()
    for seed in range(8):
        spec = spec_of(folder[1], classes=["zebra", "cta", "ferret", "yak"])
        spec = spec.model_copy(update={"seeds": spec.seeds.model_copy(update={"data": seed})})
        with pytest.raises(DataError) as caught:
            choose(spec, 0, lambda _: source)
        problems.add(caught.value.problem)
    assert problems == {"classes 'cta' (near: 'cat'), 'yak', 'zebra' are not in pets; it has 'cat', 'dog', 'ferret'"}
    with pytest.raises(DataError, match=r"classes 'cta' .near: 'cat'., 'dgo' .near: 'dog'. are not in pets. name c"):
        choose(spec_of(folder[1], classes=["dgo", "cta"]), 0, lambda _: source)
    problems = set()
    for seed in range(8):
        spec = spec_of(folder[1], data={"blend": {"source": "pets", "share": 0.5}})
        spec = spec.model_copy(update={"seeds": spec.seeds.model_copy(update={"data": seed})})
        with pytest.raises(DataError) as caught:
            choose(spec, 0, lambda _: source)
        problems.add(caught.value.problem)
    assert problems == {
        "two parts of the recipe take class 'cat' from pets (train), so the same images twice, and so 'dog'"
    }
    others = [{"source": "pets", "n_classes": 1, "samples_per_class": 3, "split": "trian"}]
    with pytest.raises(DataError, match=r"pets has no split 'trian'; did you mean 'train'\?"):
        choose(spec_of(folder[1], data={"others": others}), 0, lambda _: source)


def test_every_class_that_is_short_of_images_is_named() -> None:
    """Also more than ten: each on a line of its own."""
    names = [f"c{i:02d}" for i in range(40)]
    source = Source(
        "many", "sha256:0", np.array(names), np.array(["train"] * 40), lambda row: b"", lambda row: f"row {row}"
    )
    content = spec_of("sha256:0").content()
    content["target"]["classes"], content["model"]["head"] = names, 64
    spec = RunSpec.model_validate(content)
    with pytest.raises(DataError) as caught:
        choose(spec, 0, lambda _: source)
    lines = [f"  {name!r} of pets (train): 4 asked, 1 there" for name in names]
    assert caught.value.problem.splitlines() == ["more images asked for than there are:", *lines]


def test_a_test_class_without_images_is_named(tmp_path) -> None:
    path = tmp_path / "pets.parquet"
    write_source(path, ["cat", "dog"], train=4, test=2, seed=3)
    table = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([r for r in table if (r["label"], r["split"]) != ("dog", "test")]), path)
    text = r"pets .test.: no image to test class 'dog': no usable image of 'dog'. drop the class from the target set"
    with pytest.raises(DataError, match=text):
        run((tmp_path, ""), spec_of(file_digest(path)))


def test_groups_of_a_parquet_file_and_a_list(folder, tmp_path) -> None:
    table = pq.read_table(folder[0] / "pets.parquet")
    groups = [f"g{i % 9}" for i in range(len(table))]
    pq.write_table(table.append_column("group", pa.array(groups)), tmp_path / "grouped.parquet")
    assert read_source("grouped", tmp_path / "grouped.parquet").groups.tolist() == groups
    generator = np.random.default_rng(0)
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(pattern(i, generator))
    for name, second in (("one", "x"), ("two", "y")):
        lines = ["path,label,group", "0.png,a,x", f"1.png,b,{second}", "2.png,a,y"]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    one, two = (read_source(name, tmp_path / f"{name}.csv") for name in ("one", "two"))
    assert one.groups.tolist() == ["x", "x", "y"] and one.ids.tolist() == ["0.png", "1.png", "2.png"]
    assert one.digest != two.digest  # groups decide derived splits, so they are content


@settings(max_examples=50)
@given(parts=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_store_gives_back_what_was_added(parts: list[int], seed: int) -> None:
    """However the images came in, in whatever order they are asked for."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (sum(parts), 3, 2, 2), dtype=np.uint8)
    order, store = generator.permutation(sum(parts)), Store(sum(parts))
    for rows in np.split(order, np.cumsum(parts)[:-1]):
        assert not store.has(rows).any()
        store.add(rows, pixels[rows])
    asked = generator.integers(0, sum(parts), 20)
    assert np.array_equal(store.take(asked), pixels[asked])


def test_an_image_is_decoded_once_a_process(folder) -> None:
    opened = open_source("pets", folder[0] / "pets.parquet", folder[1])
    reads = []
    source = Source(
        "counted", "d", opened.labels, opened.splits, lambda row: reads.append(row) or opened.read(row), opened.describe
    )
    rows = source.rows("cat", "train")
    first = source.view().pixels(rows, 16)
    assert np.array_equal(source.view(threads=2).pixels(rows[::-1], 16), first[::-1]) and sorted(reads) == rows.tolist()
