"""WebDataset shards: every tar format that writers use, labels in .cls and .json, and damage on purpose."""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_read import reading

from predictor.errors import ManifestError
from predictor.manifest.counted import CountedLabels, ManifestRequest
from predictor.manifest.readers import tar, webdataset
from predictor.manifest.readers.webdataset import recognises

read = reading(webdataset)

IMAGE = b"\xff\xd8" + bytes(1500)


def pack(members: list[tuple[str, bytes]], how: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=how) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def samples(labels: list[object], ending: str = "cls", start: int = 0) -> list[tuple[str, bytes]]:
    """An image and a label each."""
    made = []
    for i, label in enumerate(labels, start):
        text = label if isinstance(label, bytes) else str(label).encode()
        made += [(f"{i:06d}.jpg", IMAGE), (f"{i:06d}.{ending}", text)]
    return made


def written(path: Path, members: list[tuple[str, bytes]], **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = pack(members, **how)
    path.write_bytes(gzip.compress(content) if path.name.endswith("gz") else content)
    return path


def counts(path: Path, **how: str) -> dict[str, int]:
    return {name: n for name, _, n in read(path, ManifestRequest(**how)).rows}


@pytest.mark.parametrize("how", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_integers_and_text_in_cls(tmp_path, how, name) -> None:
    path = written(tmp_path / name, samples([3, 3, 0, " chat été\n", "n01440764"]), how=how)
    counted = read(path, ManifestRequest())
    assert Counter({label: n for label, _, n in counted.rows}) == {"3": 2, "0": 1, "chat été": 1, "n01440764": 1}
    assert counted.n_samples == 5 and counted.notes == ()
    assert recognises(path, path.read_bytes()[:65536])


@pytest.mark.parametrize("how", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_unicode_names(tmp_path, how) -> None:
    long = "dossier été/" + "x" * 300
    members = [(f"{long}/{i}{end}", content) for i in range(3) for end, content in ((".jpg", IMAGE), (".cls", b"7"))]
    assert counts(written(tmp_path / "a.tar", members, how=how)) == {"7": 3}


def test_every_header_that_tarfile_writes_is_read_as_tarfile_reads_it(tmp_path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", pax_headers={"comment": "of all"}) as archive:
        for kind, name in ((tarfile.DIRTYPE, "d"), (tarfile.SYMTYPE, "d/l.cls"), (tarfile.LNKTYPE, "d/h.cls")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "d/" + "y" * 200
            archive.addfile(info)
        for i, size in enumerate((0, 1, 511, 512, 513, 5000)):
            info = tarfile.TarInfo(f"d/{'z' * (90 + i)}/{i}.txt")
            info.size, info.mtime = size, 1.5
            archive.addfile(info, io.BytesIO(b"t" * size))
    path = tmp_path / "a.tar"
    path.write_bytes(stream.getvalue())
    with tarfile.open(path) as archive:
        expected = [(m.name, m.size, archive.extractfile(m).read()) for m in archive if m.isreg()]
    assert list(tar.members(path, lambda name: True)) == expected and len(expected) == 6


def test_labels_in_json(tmp_path) -> None:
    rows = [{"label": 4}, {"label": "chat"}, {"label": 4.0}, {"label": None}, {"label": " "}, {"label": True}]
    path = written(tmp_path / "a.tar", samples([json.dumps(row) for row in rows], "json"))
    counted = read(path, ManifestRequest())
    assert {label: n for label, _, n in counted.rows} == {"4": 2, "chat": 1, "true": 1}
    assert counted.notes == (
        "labels taken from key 'label' of .json",
        "2 images without a label left out",
        "whole numbers with a point are whole numbers: '4.0' is class '4'",
    )


def test_cls_is_taken_before_json_and_label_chooses(tmp_path) -> None:
    members = []
    for i in range(4):
        text = json.dumps({"label": "no", "wnid": f"n{i % 2}", "class": "c"}).encode()
        members += [(f"{i}.json", text), (f"{i}.cls", b"yes"), (f"{i}.label.txt", b"t")]
    path = written(tmp_path / "a.tar", members)
    assert counts(path) == {"yes": 4}
    assert counts(path, label="wnid") == {"n0": 2, "n1": 2}
    assert counts(path, label="label.txt") == {"t": 4} == counts(path, label=".label.txt")
    with pytest.raises(ManifestError, match=r"4 samples, none .* key 'name'; found key 'wnid'; .*\.cls.* with --label"):
        read(path, ManifestRequest(label="name"))


def test_a_list_counts_an_image_for_each_of_its_labels(tmp_path) -> None:
    path = written(tmp_path / "a.tar", samples(['{"cls": ["a", "b"]}', '{"cls": []}', '{"cls": ["a"]}'], "json"))
    counted = read(path, ManifestRequest())
    assert sorted(counted.rows) == [("a", "", 2), ("b", "", 1)] and counted.n_samples == 2
    assert counts(path, several="first") == {"a": 2}
    assert (
        "3 labels on 2 images: each counts once for every label it has; with --several first, once in all"
        in counted.notes
    )
    assert "1 image without a label left out" in counted.notes


def test_missing_labels_end_the_reading_where_asked(tmp_path) -> None:
    path = written(tmp_path / "a.tar", [*samples([1, b" "]), ("000009.jpg", IMAGE)])
    counted = read(path, ManifestRequest())
    assert counted.rows == [("1", "", 1)] and counted.notes == ("2 images without a label left out",)
    with pytest.raises(
        ManifestError, match=r"2 images without a label: .* label them, or leave them out with --missing"
    ):
        read(path, ManifestRequest(missing="error"))


def test_all_bad_labels_are_counted_and_ten_shown(tmp_path) -> None:
    bad = [b"{", b"[1]", b'{"label": {"a": 1}}', b'{"label": 1.5}', b"\xff", b"[" * 100_000, b'{"label": NaN}'] * 2
    path = written(tmp_path / "a.tar", samples([*bad, '{"label": 1}'], "json"))
    with pytest.raises(ManifestError) as caught:
        read(path, ManifestRequest())
    text = str(caught.value)
    assert text.startswith(f"{path}: 12 bad labels: a.tar: '000000.json' is no JSON") and "; and 2 more" in text
    for problem in (
        "holds no keys",
        "is not UTF-8",
        "nested too deeply",
        "1.5 is a number with a fraction",
        '{"a": 1} is no label',
    ):
        assert problem in text
    assert text.count("a.tar: '") == 10
    path = written(tmp_path / "b.tar", [("1.cls", b"a"), ("1.cls", b"b"), ("2.cls", bytes(tar.MAX_READ + 1))])
    with pytest.raises(ManifestError, match=r"'1.cls' is the second .cls of its sample; .* the limit is 1,048,576"):
        read(path, ManifestRequest())


def test_shards_of_a_folder_a_pattern_and_a_range_add_up(tmp_path) -> None:
    for i in range(3):
        written(tmp_path / f"train-{i:06d}.tar", samples([i, "a"]))
    written(tmp_path / "val-000000.tar", samples(["v"]))
    expected = {"0": 1, "1": 1, "2": 1, "a": 3}
    counted = read(tmp_path, ManifestRequest())
    assert {name: n for name, _, n in counted.rows} == expected and counted.n_samples == 6
    assert counted.notes == ("split 'train' taken; left out: 'val'",)
    for name in ("train-*.tar", "train-{000000..000002}.tar"):
        assert recognises(tmp_path / name, b"") and counts(tmp_path / name) == expected
    assert counts(tmp_path, split="val") == {"v": 1} == counts(tmp_path / "val-000000.tar")
    assert counts(tmp_path, split="all") == {**expected, "v": 1}
    with pytest.raises(ManifestError, match=r"train-000003.tar: no such file. name the shards"):
        read(tmp_path / "train-{000002..000003}.tar", ManifestRequest())
    with pytest.raises(ManifestError, match="no shard found"):
        read(tmp_path / "nothing-*.tar", ManifestRequest())


def test_splits_in_folders(tmp_path) -> None:
    written(tmp_path / "train/0.tar", samples(["a", "a"]))
    written(tmp_path / "validation/0.tar", samples(["a"]))
    assert recognises(tmp_path, b"") and counts(tmp_path) == {"a": 2} and counts(tmp_path, split="val") == {"a": 1}


def test_captions_are_no_labels(tmp_path, monkeypatch) -> None:
    path = written(tmp_path / "a.tar", samples(["a", "b", "c"], "txt"))
    monkeypatch.setattr("predictor.manifest.counting.MAX_KEYS", 2)
    with pytest.raises(
        ManifestError, match=r"a.tar: more than 2 different labels. .* name another column with --label"
    ):
        read(path, ManifestRequest(label="txt"))


def test_processes_count_what_one_counts(tmp_path, monkeypatch) -> None:
    for i in range(5):
        written(tmp_path / f"{i}.tar", samples(range(i, 20)))
    alone = read(tmp_path, ManifestRequest())
    monkeypatch.setattr(webdataset, "WORTH", 0)
    together = read(tmp_path, ManifestRequest())
    assert sorted(alone.rows) == sorted(together.rows) and alone.n_samples == together.n_samples == 90
    (tmp_path / "3.tar").write_bytes((tmp_path / "3.tar").read_bytes()[:9000])
    with pytest.raises(ManifestError, match=r"3.tar: member '\d{6}.(jpg|cls)' is cut off"):
        read(tmp_path, ManifestRequest())


def test_a_worker_that_may_have_no_children_reads_alone(tmp_path, monkeypatch) -> None:
    for i in range(2):
        written(tmp_path / f"{i}.tar", samples([i, i]))
    monkeypatch.setattr(webdataset, "WORTH", 0)
    with multiprocessing.get_context("fork").Pool(1) as pool:  # its processes are daemons
        assert pool.apply(counts, (tmp_path,)) == {"0": 2, "1": 2}


def test_a_tar_of_images_beside_their_folder_is_no_shard(tmp_path) -> None:
    written(tmp_path / "images.tar", [(f"{i}.jpg", IMAGE) for i in range(3)])
    assert not recognises(tmp_path, b"")
    with pytest.raises(ManifestError, match=r"3 samples, none with a member .cls .* found .jpg"):
        read(tmp_path / "images.tar", ManifestRequest())


def test_a_shard_cut_anywhere_is_one_error(tmp_path) -> None:
    content = pack(samples(["a", "b"]))
    path = tmp_path / "cut.tar"
    end = len(content.rstrip(b"\0")) // 512 * 512 + 512  # where the archive's end begins
    for n in [*range(1, end, 97), *range(512, end + 1, 512)]:
        path.write_bytes(content[:n])
        with pytest.raises(ManifestError, match=r"cut\.tar: (member '00000\d\.(jpg|cls)'|the beginning) is "):
            read(path, ManifestRequest())
    path.write_bytes(content[:3000])
    with pytest.raises(ManifestError, match=r"member '000000.cls' is the last|member '000000.cls' is cut off"):
        read(path, ManifestRequest())


def test_damage_in_the_middle_does_not_end_the_archive_quietly(tmp_path) -> None:
    content = bytearray(pack(samples(["a", "b"])))
    second = content.index(b"000001.jpg")
    content[second] ^= 1
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"member '000000.cls' is the last member that can be read: .* no tar head"):
        read(path, ManifestRequest())
    with tarfile.open(path) as archive:  # what the standard library says of it
        assert len(archive.getnames()) == 2


def test_gzip_cut_off_or_damaged(tmp_path) -> None:
    path = written(tmp_path / "a.tar.gz", samples(range(50)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ManifestError, match=r"a.tar.gz: cannot be read: Compressed file ended before"):
        read(path, ManifestRequest())
    path.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(ManifestError, match=r"a.tar.gz: cannot be read: CRC check failed"):
        read(path, ManifestRequest())


def test_a_decompression_bomb_ends_at_a_stated_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tar, "FREE", 1 << 20)
    path = written(tmp_path / "a.tar.gz", [("0.jpg", bytes(1 << 24)), ("0.cls", b"1")])
    with pytest.raises(ManifestError, match=r"unpacks to more than 200 times its size: stopped after [\d,]+ bytes"):
        read(path, ManifestRequest())


def test_a_header_that_claims_much_is_not_believed(tmp_path) -> None:
    path = tmp_path / "a.tar"
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        info = tarfile.TarInfo("x")
        info.size, info.type = 1 << 40, kind
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT))
        with pytest.raises(ManifestError, match=r"header of type '.' of 1,099,511,627,776 bytes; the limit is"):
            read(path, ManifestRequest())
    info = tarfile.TarInfo("x.jpg")
    info.size = -512
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(ManifestError, match="no tar header"):
        read(path, ManifestRequest())


@pytest.mark.parametrize("option", ["count", "where"])
def test_options_without_a_meaning_are_refused(tmp_path, option) -> None:
    path = written(tmp_path / "a.tar", samples([1]))
    with pytest.raises(ManifestError, match=f"--{option} says nothing about WebDataset shards"):
        read(path, ManifestRequest(**{option: "x"}))


VALID = [pack(samples(["a", 3]), how) for how in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)] + [
    gzip.compress(pack(samples(['{"label": 1}'], "json")), mtime=0),
    pack([("x" * 150 + ".cls", b"1")], tarfile.GNU_FORMAT),
    pack([("é" * 150 + ".cls", b"1")], tarfile.PAX_FORMAT),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes of a shard, some of them changed, or left out, or put in."""
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(content[: draw(st.integers(0, len(content)))]) if draw(st.booleans()) else bytes(content)


@settings(max_examples=300)
@given(content=st.one_of(st.binary(max_size=3000), damaged()), name=st.sampled_from(["a.tar", "a.tar.gz"]))
def test_any_bytes_give_a_result_or_one_error(tmp_path_factory, content, name) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    assert recognises(path, content)
    try:
        assert isinstance(read(path, ManifestRequest()), CountedLabels)
    except ManifestError as error:
        assert str(path) in str(error)
