"""Shards, data sets and views as sources of training: what cannot be read is named, labels mean what they say."""

from __future__ import annotations

import gzip
import io
import json
import pkgutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from images import pattern
from trainer_command import trainer_command

from predictor.class_lists import NAMES, class_list
from predictor.errors import DataError, SpecError
from predictor.grids import load_grid
from predictor.images.listing import digest_of, open_images
from trainer.data.opening import read_source
from trainer.run import run_spec

PETS = ("cat", "dog")


def image(kind: int, seed: int = 0) -> bytes:
    return pattern(kind, np.random.default_rng(seed))


def shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def rows(n: int, *, bad: int | None = None) -> list[tuple[str, str, bytes]]:
    """(split, label, encoded) of n images a class and split; one of them damaged."""
    found = [(s, label, image(k, i)) for s in ("train", "test") for k, label in enumerate(PETS) for i in range(n)]
    if bad is not None:
        found[bad] = (*found[bad][:2], found[bad][2][:60])
    return found


def as_shards(folder: Path, content: list[tuple[str, str, bytes]]) -> Path:
    for split in ("train", "test"):
        members = [
            (f"{number:04d}.{ending}", part)
            for number, (own, label, encoded) in enumerate(content)
            if own == split
            for ending, part in (("cls", label.encode()), ("png", encoded))
        ]
        shard(folder / f"pets-{split}-000000.tar", members)
    return folder


def as_arrow(folder: Path, content: list[tuple[str, str, bytes]]) -> Path:
    features = {"image": {"_type": "Image"}, "label": {"_type": "Value", "dtype": "string"}}
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        table = pa.Table.from_pylist(
            [{"image": {"bytes": e, "path": None}, "label": label} for own, label, e in content if own == split]
        )
        with pa.ipc.new_stream(folder / split / "data.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
        (folder / split / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
        (folder / split / "dataset_info.json").write_text(json.dumps({"features": features}))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return folder


def as_parquet(folder: Path, content: list[tuple[str, str, bytes]]) -> Path:
    (folder / "data").mkdir(parents=True)
    for split in ("train", "test"):
        table = pa.Table.from_pylist([{"image": e, "label": label} for own, label, e in content if own == split])
        pq.write_table(table, folder / f"data/{split}-00000-of-00001.parquet", row_group_size=2)
    return folder


GRID = """
study: pets
protocol: 3
sources: {pets: {file: pets, digest: "DIGEST"}}
target_sets: {pair: {domain: pets, source: pets, classes: [cat, dog]}}
model: {name: predictor_small, image_size: 16, head: 4}
recipe: {batch_size: 4, image_steps: 16, learning_rate: 0.05}
seeds: [0]
grid: [{target_set: pair, samples_per_class: 4}]
"""


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (as_shards, "pets-train-000000.tar: 0001.png"),
        (as_arrow, "data.arrow: row 2"),
        (as_parquet, "train-00000-of-00001.parquet: row 2"),
    ],
)
def test_a_bad_image_is_named_and_can_be_left_out(tmp_path, write, name) -> None:
    path = write(tmp_path / "pets", rows(5, bad=1))
    (tmp_path / "grid.yaml").write_text(GRID.replace("DIGEST", digest_of(path)))
    (run,) = load_grid(tmp_path / "grid.yaml").runs
    how = {"study": "pets", "axes": {}, "domain": "pets", "held_out": False, "data_dir": tmp_path, "threads": 2}
    whole = run.spec.model_copy(update={"stages": (_asking(run.spec.stages[0], 5),)})
    with pytest.raises(DataError, match=f"1 unreadable images: {name}: ") as caught:
        run_spec(whole, **how, files={"pets": "pets"})
    assert "--bad-images skip" in str(caught.value)
    record = run_spec(run.spec, **how, files={"pets": "pets"}, bad_images="skip")
    assert record.data.stages[0].counts == (4, 4) and record.status == "completed"


def _asking(stage, n: int):
    return stage.model_copy(update={"data": stage.data.model_copy(update={"samples_per_class": n})})


def test_rows_are_read_in_any_order_and_from_any_thread(tmp_path) -> None:
    content = rows(7)
    wanted = [encoded for split in ("test", "train") for own, _, encoded in content if own == split]
    for write in (as_shards, as_arrow, as_parquet):
        source = read_source("pets", write(tmp_path / write.__name__, content))
        order = np.random.default_rng(1).permutation(len(source.labels)).tolist()
        by_split = {own: [e for split, _, e in content if split == own] for own in ("train", "test")}
        found = {row: source.read(row) for row in order}
        assert sorted(found.values()) == sorted(wanted)
        for split, images in by_split.items():
            assert [found[row] for row in np.flatnonzero(source.splits == split).tolist()] == images


def test_a_digest_covers_images_labels_and_names_of_files(tmp_path) -> None:
    digests = {digest_of(as_shards(tmp_path / "a", rows(2)))}
    digests.add(digest_of(as_shards(tmp_path / "b", [(s, {"cat": "dog", "dog": "cat"}[n], e) for s, n, e in rows(2)])))
    digests.add(digest_of(as_shards(tmp_path / "c", rows(2, bad=0))))
    (tmp_path / "a/pets-train-000000.tar").rename(tmp_path / "a/pets-val-000000.tar")
    digests.add(digest_of(tmp_path / "a"))
    assert len(digests) == 4
    assert digest_of(as_shards(tmp_path / "again", rows(2))) == digest_of(as_shards(tmp_path / "twice", rows(2)))


def test_an_image_lies_behind_captions_too(tmp_path) -> None:
    """img2dataset and others write captions and descriptions beside an image, in any order."""
    members = [("1.aaa", b"?"), ("1.cls", b"cat"), ("1.json", b'{"width": 3}'), ("1.png", image(0)), ("1.txt", b"text")]
    source = read_source("pets", shard(tmp_path / "pets.tar", members))
    assert source.read(0) == image(0) and source.describe(0) == "pets.tar: 1.png"
    with pytest.raises(DataError, match=r"1 samples without an image: none.tar: 1.npy\. put key.jpg"):
        read_source("pets", shard(tmp_path / "none.tar", [("1.cls", b"cat"), ("1.npy", b"...")]))


def test_what_is_packed_whole_is_refused_with_what_to_do(tmp_path) -> None:
    path = shard(tmp_path / "pets.tar", [("1.cls", b"cat"), ("1.png", image(0))])
    (tmp_path / "pets.tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"is packed with gzip, .*\. unpack it: gunzip"):
        open_images(tmp_path / "pets.tar.gz")


def test_paths_without_bytes_are_refused(tmp_path) -> None:
    features = {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "Value", "dtype": "string"}}}}
    table = pa.Table.from_pylist([{"image": {"bytes": None, "path": "1.png"}, "label": "cat"}])
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = table.cast(pa.schema([("image", kind), ("label", pa.string())]))
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    with pa.ipc.new_stream(tmp_path / "pets.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"holds the paths of its images, not their bytes; first '1.png'"):
        open_images(tmp_path / "pets.arrow")
    plain = pa.table({"label": ["cat"], "pixels": [[1, 2]]})
    (tmp_path / "plain").mkdir()
    pq.write_table(plain, tmp_path / "plain/0.parquet")
    with pytest.raises(DataError, match=r"no column holds encoded images; found 'label', 'pixels'"):
        open_images(tmp_path / "plain")


def test_open_images_labels_find_their_files_by_id(tmp_path) -> None:
    """Its label CSV names images without folder and ending; what was judged absent is no label."""
    for split, number in (("train", 0), ("train", 1), ("validation", 2)):
        (tmp_path / split).mkdir(exist_ok=True)
        (tmp_path / split / f"00{number}abc.jpg").write_bytes(image(number))
    lines = ["ImageID,Source,LabelName,Confidence"]
    lines += ["000abc,verification,/m/01yrx,1", "000abc,verification,/m/0bt9lr,0", "001abc,verification,/m/0bt9lr,1"]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "002abc,verification,/m/01yrx,1"]) + "\n")
    source = read_source("oi", tmp_path / "labels.csv")
    assert source.labels.tolist() == ["/m/01yrx", "/m/0bt9lr", "/m/01yrx"]
    assert [source.read(row) for row in range(3)] == [image(0), image(1), image(2)]
    assert source.describe(2) == "validation/002abc.jpg"
    (tmp_path / "train/002abc.png").write_bytes(image(3))
    with pytest.raises(DataError, match="1 names fit several images: 002abc"):
        read_source("oi", tmp_path / "labels.csv")


def test_a_view_gives_labels_their_classes(tmp_path) -> None:
    """Three labels of other names, two of them one class, one without any."""
    for label in ("tabby", "persian", "hound", "canary"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(2):
            (tmp_path / f"images/{label}/{number}.png").write_bytes(image(number))
    (tmp_path / "map.csv").write_text("label,class\ntabby,cat\npersian,cat\nhound,dog\n")
    (tmp_path / "pets.yaml").write_text("images: images\nmap: map.csv\nsplit: test\n")
    source = read_source("pets", tmp_path / "pets.yaml")
    assert {name: len(source.rows(name, "test")) for name in source.classes("test")} == {"cat": 4, "dog": 2}
    assert source.notes[-1] == "2 images of 1 labels without a class left out: 'canary'"
    assert source.digest == digest_of(tmp_path / "pets.yaml") != digest_of(tmp_path / "images")
    before = source.digest
    (tmp_path / "map.csv").write_text("label,class\ntabby,cat\npersian,dog\nhound,dog\n")
    assert digest_of(tmp_path / "pets.yaml") != before
    (tmp_path / "map.csv").write_text("label,class\ntabby,cat\ntabby,dog\n")
    with pytest.raises(DataError, match="label 'tabby' has two classes, 'cat' and 'dog'"):
        open_images(tmp_path / "pets.yaml")


def test_a_view_names_the_column_of_labels(tmp_path) -> None:
    """JANuS writes positions in ImageNet's 1,000 classes into a column of its own."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(image(0))
    (tmp_path / "images/b.png").write_bytes(image(1))
    (tmp_path / "in100.csv").write_text("path,idx,caption\nimages/a.png,10,a bird\nimages/b.png,2,a shark\n")
    (tmp_path / "in100.yaml").write_text("images: in100.csv\nlabel: idx\nclasses: imagenet-1k\n")
    source = read_source("in100", tmp_path / "in100.yaml")
    names = class_list("imagenet-1k")
    assert source.labels.tolist() == [names[10], names[2]] and source.splits.tolist() == ["train", "train"]
    (tmp_path / "in100.csv").write_text("path,idx\nimages/a.png,1000\nimages/b.png,2\n")
    with pytest.raises(DataError, match=r"1 labels are no positions from 0 to 999: '1000'"):
        open_images(tmp_path / "in100.yaml")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("images: [a]", "names no images"),
        ("images: a\nlabels: b", "unknown key 'labels'. choose of images, label, classes, map, split"),
        ("images: a\nmap: b\nclasses: c", "names both classes and a map"),
        ("images: a\nsplit: 3", "split is 3. write a name, in quotes"),
        ("images: ../a", "leads out of the image folder"),
        ("images: a\nclasses: imagenet-10k", "there is no list of classes 'imagenet-10k'. name one that ships"),
        ("images: a\nmap: {x: cat}", "none of its 2 labels has a class; they begin 'cat'; 'dog'"),
        ("images: {", "is no YAML"),
    ],
)
def test_a_view_that_says_something_else_is_an_error(tmp_path, text, found) -> None:
    for label in PETS:
        (tmp_path / "a" / label).mkdir(parents=True)
        (tmp_path / "a" / label / "0.png").write_bytes(image(0))
    (tmp_path / "view.yaml").write_text(text)
    with pytest.raises(DataError) as caught:
        open_images(tmp_path / "view.yaml")
    said = str(caught.value)
    assert found in said and ("view.yaml" in said or "leads out" in said)


def test_a_view_is_held_to_its_folder_too(tmp_path) -> None:
    """--inside looks at the list behind a view."""
    (tmp_path / "data").mkdir()
    (tmp_path / "cat.png").write_bytes(image(0))
    (tmp_path / "dog.png").write_bytes(image(1))
    (tmp_path / "data/list.csv").write_text(f"path,idx\n{tmp_path}/cat.png,cat\n../dog.png,dog\n")
    (tmp_path / "data/pets").write_text("")
    (tmp_path / "data/pets.yaml").write_text("images: list.csv\nlabel: idx\n")
    text = GRID.replace("file: pets", "file: pets.yaml").replace("DIGEST", digest_of(tmp_path / "data/pets.yaml"))
    (tmp_path / "grid.yaml").write_text(text)
    result = trainer_command("plan", tmp_path / "grid.yaml", "--data", tmp_path / "data", "--inside")
    assert result.returncode == 2 and "names 2 images outside of its folder" in result.stderr


def test_class_lists_stand_in_grids_by_name(tmp_path) -> None:
    sizes = {name: len(class_list(name)) for name in NAMES}
    assert sizes == {"imagenet-1k": 1000, "imagenet-100": 100, "imagenet-a": 200, "imagenet-r": 200}
    known = set(class_list("imagenet-1k"))
    assert all(set(class_list(name)) <= known for name in NAMES)
    assert class_list("imagenet-1k")[0] == "n01440764" and class_list("imagenet-1k")[999] == "n15075141"
    text = (
        GRID.replace("[cat, dog]", "imagenet-100").replace("head: 4", "head: 100").replace("DIGEST", "builtin:digits")
    )
    (tmp_path / "grid.yaml").write_text(text.replace("file: pets, ", ""))
    (run,) = load_grid(tmp_path / "grid.yaml").runs
    assert run.spec.target.classes == class_list("imagenet-100")
    (tmp_path / "grid.yaml").write_text(text.replace("imagenet-100", "imagenet-10"))
    with pytest.raises(
        SpecError, match=r"there is no list of classes 'imagenet-10'; name one that ships \(.*imagenet-100"
    ):
        load_grid(tmp_path / "grid.yaml")


def test_lists_of_timm_are_the_ones_that_ship() -> None:
    """The package's own copies are the identifiers that timm has."""
    for name, file in (("imagenet-1k", "imagenet"), ("imagenet-a", "imagenet_a"), ("imagenet-r", "imagenet_r")):
        text = pkgutil.get_data("timm.data", f"_info/{file}_synsets.txt")
        assert text is not None and sorted(text.decode().split()) == sorted(class_list(name))
