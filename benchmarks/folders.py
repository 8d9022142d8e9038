"""How long labels take that lie in the names of files, in tar members and in Arrow files, beside what others need.

    python benchmarks/folders.py [IMAGES] [SAMPLES] [FOLDER]

Makes (in FOLDER, by default a temporary one) an image folder of IMAGES empty files in 1,000 classes, WebDataset shards
of SAMPLES samples (image of 20 kB, .cls, .json; 10,000 in a shard) and a Hugging Face data set of IMAGES rows.
Every measurement runs in a process of its own, files in the page cache; the fastest of three counts. Prints seconds,
rate, ratio to each reader of others, and peak memory of the process.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

from indicators import machine

from predictor.manifest.counted import ManifestRequest
from predictor.manifest.counting import count_labels
from predictor.manifest.readers import hugging_face, image_folder, reader_of, webdataset

CLASSES = 1_000
PER_SHARD = 10_000
IMAGE = os.urandom(20_000)
REPETITIONS = 3


def make_folder(root: Path, n: int) -> None:
    for c in range(CLASSES):
        folder = root / f"n{c:08d}"
        folder.mkdir(parents=True)
        handle = os.open(folder, os.O_RDONLY)
        for i in range(n // CLASSES):
            os.close(os.open(f"n{c:08d}_{i}.JPEG", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        os.close(handle)


def make_shards(root: Path, n: int) -> None:
    root.mkdir(parents=True)
    for first in range(0, n, PER_SHARD):
        with tarfile.open(root / f"train-{first // PER_SHARD:06d}.tar", "w") as archive:
            for i in range(first, min(first + PER_SHARD, n)):
                label = i * 7919 % CLASSES
                text = json.dumps({"label": label, "width": 224}).encode()
                for ending, content in (("cls", str(label).encode()), ("jpg", IMAGE), ("json", text)):
                    info = tarfile.TarInfo(f"{i:09d}.{ending}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def make_rows(root: Path, n: int) -> None:
    """As Dataset.save_to_disk writes it: 1,000 rows in a batch."""
    import numpy as np
    import pyarrow as pa

    root.mkdir(parents=True)
    features = {"label": {"names": [f"n{c:08d}" for c in range(CLASSES)], "_type": "ClassLabel"}}
    rows = pa.table({"label": np.random.default_rng(0).integers(0, CLASSES, n)})
    with pa.OSFile(str(root / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as out:
        out.write_table(rows, max_chunksize=1_000)
    (root / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (root / "dataset_info.json").write_text(json.dumps({"features": features}))


def ours(root: Path) -> int:
    """What `predictor indicators FOLDER` reads, the choice of the reader included."""
    return sum(n for _, _, n in count_labels(reader_of(root), root, ManifestRequest()).rows)


def find(root: Path) -> int:
    return int(subprocess.run(f"find '{root}' -type f | wc -l", shell=True, capture_output=True, check=True).stdout)


def torchvision(root: Path) -> int:
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    _, index = find_classes(root)
    return Counter(label for _, label in make_dataset(root, index, extensions=IMG_EXTENSIONS)).total()


def one_core(root: Path) -> int:
    return sum(webdataset.read_shard(shard, ManifestRequest()).samples.total() for shard in sorted(root.glob("*.tar")))


def python_tarfile(root: Path) -> int:
    n = 0
    for shard in sorted(root.glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive:
                if member.name.endswith(".cls"):
                    archive.extractfile(member).read()
                    n += 1
                archive.members = []  # else it keeps them all
    return n


def webdataset_package(root: Path) -> int:
    import webdataset as wds

    shards = [str(shard) for shard in sorted(root.glob("*.tar"))]
    data = wds.WebDataset(shards, shardshuffle=False, select_files=lambda name: name.endswith(".cls"))
    return sum(1 for sample in data if sample["cls"])


def pyarrow(root: Path) -> int:
    import pyarrow as pa

    with pa.memory_map(str(root / "data-00000-of-00001.arrow")) as file:
        counts = pa.ipc.open_stream(file).read_all().column("label").value_counts()
    return sum(each["counts"].as_py() for each in counts)


NEEDS = {
    "torchvision": "torchvision.datasets.folder",
    "webdataset_package": "webdataset",
    "pyarrow": "pyarrow",
    "ours": "duckdb",
}


def measured(work: Callable[[Path], int], root: Path) -> tuple[int, float, int]:
    """(what it counted, seconds, peak memory in bytes)"""
    if module := NEEDS.get(work.__name__):
        importlib.import_module(module)  # which is no part of the reading
    start = perf_counter()
    n = work(root)
    seconds = perf_counter() - start
    return n, seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def table(title: str, unit: str, per: int, rows: list[tuple[str, Callable[[Path], int]]], root: Path) -> None:
    """One line a reader; the first is ours, the others are compared with it. per : units of one sample"""
    print(f"\n{title}")
    context, mine = multiprocessing.get_context("spawn"), 0.0
    for name, work in rows:
        found = []
        for _ in range(REPETITIONS):
            with ProcessPoolExecutor(1, context) as pool:
                found.append(pool.submit(measured, work, root).result())
        n, seconds, memory = min(found, key=lambda each: each[1])
        mine = mine or seconds
        print(
            f"  {name:44} {seconds:8.2f} s  {n * per / seconds:12,.0f} {unit}/s  "
            f"predictor / this {mine / seconds:6.2f}  peak {memory / 1e6:6.0f} MB",
            flush=True,
        )


def main(images: int = 1_300_000, samples: int = 100_000, folder: str | None = None) -> None:
    print(machine())
    root = Path(folder or tempfile.mkdtemp(prefix="predictor-benchmark-"))
    try:
        for name, make, n in (
            ("images", make_folder, images),
            ("shards", make_shards, samples),
            ("rows", make_rows, images),
        ):
            if not (root / name).exists():
                make(root / name, n)
        rows = [("predictor", ours), ("find -type f | wc -l", find)]
        if importlib.util.find_spec("torchvision"):
            rows.append(("torchvision find_classes + make_dataset", torchvision))
        assert reader_of(root / "images") is image_folder
        table(f"image folder, {images:,} empty files, {CLASSES:,} classes", "files", 1, rows, root / "images")
        rows = [("predictor, one core", one_core), ("predictor, all cores", ours), ("Python's tarfile", python_tarfile)]
        if importlib.util.find_spec("webdataset"):
            rows.append(("webdataset package, select_files .cls", webdataset_package))
        table(f"WebDataset, {samples:,} samples of 3 members", "members", 3, rows, root / "shards")
        assert reader_of(root / "rows") is hugging_face
        rows = [("predictor", ours), ("pyarrow read_all().value_counts()", pyarrow)]
        table(f"Hugging Face data set on disk, {images:,} rows", "rows", 1, rows, root / "rows")
    finally:
        if folder is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
