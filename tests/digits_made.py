"""Small real data in every layout that a command takes: handwritten digits of scikit-learn."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_digits

COUNTS = {"zero": 60, "one": 40, "two": 25}
N_TEST = 30  # of each class, in the layouts with splits


def digits(counts: dict[str, int] = COUNTS, *, test: int = N_TEST) -> Iterator[tuple[str, str, int, bytes]]:
    """(label, split, number, PNG) of the first images of each digit; test : of each class, after those to train on."""
    found = load_digits()
    for digit, (label, n) in enumerate(counts.items()):
        for number, image in enumerate(found.images[found.target == digit][: n + test]):
            buffer = io.BytesIO()
            Image.fromarray((image * 15.9).astype(np.uint8)).resize((32, 32)).save(buffer, "PNG")
            yield label, "train" if number < n else "test", number, buffer.getvalue()


def digits_folder(path: Path, counts: dict[str, int] = COUNTS, *, splits: bool = False) -> Path:
    """class/image.png, or split/class/image.png."""
    for label, split, number, image in digits(counts, test=N_TEST if splits else 0):
        file = path / (split if splits else "") / label / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image)
    return path


def digits_list(path: Path, counts: dict[str, int] = COUNTS) -> Path:
    """A CSV path,label,split; the images lie beside it."""
    rows = []
    for label, split, number, image in digits(counts):
        file = Path(f"images of {path.stem}") / f"{label} {number}.png"
        (path.parent / file).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / file).write_bytes(image)
        rows.append((file.as_posix(), label, split))
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "label", "split"), *rows])
    return path


def digits_parquet(path: Path, counts: dict[str, int] = COUNTS) -> Path:
    """A Parquet file image,label,split."""
    label, split, _, image = zip(*digits(counts), strict=True)
    pq.write_table(pa.table({"image": list(image), "label": list(label), "split": list(split)}), path)
    return path


LAYOUTS = {"folder": (digits_folder, "my photos"), "list": (digits_list, "my list.csv"),
           "parquet": (digits_parquet, "my images.parquet")}  # fmt: skip


def digits_as(layout: str, folder: Path) -> str:
    """Write one of the layouts into a folder; the name of the manifest there."""
    make, name = LAYOUTS[layout]
    make(folder / name)
    return name
