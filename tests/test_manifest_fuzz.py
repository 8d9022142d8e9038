"""Any bytes give a result or one ManifestError, whatever reader they fall to; so do valid files with bytes changed."""

from __future__ import annotations

import gzip
import io
import tarfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from manifest_read import reading

from predictor.errors import ManifestError
from predictor.manifest import open_manifest
from predictor.manifest.counted import CountedLabels, ManifestRequest
from predictor.manifest.readers import READERS
from trainer.device import peak_memory, reset_peak_memory

FUZZ = settings(max_examples=40, suppress_health_check=list(HealthCheck))
MEMORY = 3 << 29  # bytes beyond what the process held before these tests; the engine alone may take two thirds of it
CSV = b'path,label,source,split\n1.jpg,"a, b",x,train\n2.jpg, \xc3\xa9t\xc3\xa9 ,,train\n3.jpg,,x,test\n'
COUNTS = b"label,count\ncat,12\ndog,7\n"
OPEN_IMAGES = b"ImageID,Source,LabelName,Confidence\n01,verification,/m/01,1\n02,machine,/m/02,0.5\n"
PATHS = b"train/a/1.jpg 0\ntrain/b/2 (1).jpg 1\n"
BOXES = b"path,label,xmin,ymin\na.jpg,x,1,2\na.jpg,x,3,4\nb.jpg,y,1,1\n"
BITS = b"path,cat,dog,split\na.jpg,1,0,train\nb.jpg,0,1,test\n"
COCO = (
    b'{"images": [{"id": 1}, {"id": 2}], "annotations": [{"image_id": 1, "category_id": 3}], '
    b'"categories": [{"id": 3, "name": "cat"}]}'
)
LINES = b'{"label": "a", "n": 1}\n{"label": ["b", "c"]}\n{"label": null}\n'
MARKS = (
    b"",
    b"PAR1",
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
    b"{",
    b"[{",
    b"label\n",
    b"ImageID,LabelName\n",
    b"ARROW1\0\0",
)
PIECES = (
    b"label",
    b"count",
    b"split",
    b"source",
    b",",
    b"\t",
    b"\n",
    b'"',
    b"\r",
    b"\0",
    b"\xff",
    b"1",
    b"-1",
    b"{}",
    b" ",
)


@pytest.fixture(scope="module", autouse=True)
def held_before() -> int:
    """Bytes of this process at the first of these tests: what other tests left behind is not theirs."""
    reset_peak_memory("cpu")
    return peak_memory("cpu")


@cache
def valid() -> tuple[bytes, ...]:
    """A file of every format."""
    files = [CSV, COUNTS, OPEN_IMAGES, PATHS, LINES, BOXES, BITS, COCO, gzip.compress(CSV), gzip.compress(LINES)]
    with TemporaryDirectory() as folder:
        for i, options in enumerate(
            ("FORMAT parquet", "FORMAT csv, COMPRESSION zstd", "FORMAT json, COMPRESSION zstd")
        ):
            duckdb.sql(
                f"COPY (SELECT 'c' || i % 3 AS label, i, 'train' AS split FROM range(50) t(i)) "
                f"TO '{folder}/{i}' ({options})"
            )
        duckdb.sql(f"COPY (SELECT ['a', 'b'] AS label, 1.5 AS count) TO '{folder}/3' (FORMAT parquet)")
        files += [(Path(folder) / str(i)).read_bytes() for i in range(4)]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (("1.jpg", b"x"), ("1.cls", b"3"), ("2.json", b'{"label": 4}')):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return (*files, stream.getvalue())


requests = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(["label", "path", "i", "*", 'a"b']),
        "count": st.sampled_from(["count", "i", "label"]),
        "weight": st.sampled_from(["i", "n", "Confidence"]),
        "split": st.sampled_from(["train", "all", "it's"]),
        "where": st.sampled_from(["true", "label <> 'a'", "i > 3", "label ->> 'x' = 1", "i / 0 > 1", "label::INT > 2"]),
        "missing": st.sampled_from(["drop", "error"]),
        "several": st.sampled_from(["all", "first"]),
        "several_separator": st.sampled_from(["none", "|", " ", ","]),
        "one_hot": st.booleans(),
        "header": st.booleans(),
        "instances": st.booleans(),
    },
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A valid file with some of its bytes replaced, taken out or put in."""
    content = bytearray(draw(st.sampled_from(valid())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 1, 4, 100]))
        content[at : at + length] = draw(st.binary(max_size=5) | st.sampled_from(PIECES))
    return bytes(content)


def opened(content: bytes, how: dict[str, str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(content)
        try:
            distribution = open_manifest(path, **how).distribution
        except ManifestError as error:
            assert error.where and "Traceback" not in str(error) and len(str(error)) < 5_000
        else:
            assert distribution.n_samples >= 1 and all(name.strip() for name in distribution.class_names)
        assert [file.name for file in Path(folder).iterdir()] == ["m"]


@FUZZ
@given(
    st.builds(
        bytes.__add__, st.sampled_from(MARKS), st.binary(max_size=300) | st.lists(st.sampled_from(PIECES)).map(b"".join)
    ),
    requests,
)
@example(b"\xef\xbb\xbf", {})
@example(b"label\r\na\rb\n", {})
@example(b'label\n"a\n', {})
@example(b"{}\n[]\n3\n", {})
@example(b'{"label": 1e999}\n', {})
@example(b"[{", {})
def test_any_bytes(content, how) -> None:
    opened(content, how)


@FUZZ
@given(changed(), requests)
def test_valid_files_with_bytes_changed(content, how) -> None:
    opened(content, how)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__.rpartition(".")[2])
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(content=changed() | st.binary(max_size=200))
def test_a_reader_that_recognised_too_much(reader, content) -> None:
    """Every reader by itself, also with what another one would have taken."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(content)
        try:
            reader.recognises(path, content[:65_536])
            assert isinstance(reading(reader)(path, ManifestRequest()), CountedLabels)
        except ManifestError as error:
            assert str(error)


def test_the_memory_of_all_this_is_bounded(held_before) -> None:
    assert peak_memory("cpu") < held_before + MEMORY
