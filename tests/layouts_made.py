"""Miniature copies of published sets: the real names of their folders, one small image that is linked many times."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from images import pattern

from predictor.class_lists import class_list


def linked(folder: Path, names: Iterable[str], n: int, image: Path, ending: str = "JPEG") -> None:
    """`n` links to an image in a folder for each name."""
    for name in names:
        os.makedirs(folder / name)
        for number in range(n):
            os.link(image, folder / name / f"{number}.{ending}")


def imagenet_copy(data: Path, n: Mapping[str, int]) -> Path:
    """A folder DIR with the sets of the paper's tables. n : {set: images a class}; sets that it lacks are left out."""
    data.mkdir(parents=True, exist_ok=True)
    image = data / ".one.JPEG"
    image.write_bytes(pattern(1, np.random.default_rng(0)))
    known = class_list("imagenet-1k")
    if "train" in n:
        linked(data / "imagenet/train", known, n["train"], image)
    if "val" in n:
        linked(data / "imagenet/val", known, n["val"], image)
    if "v2" in n:
        folder = data / "imagenetv2-matched-frequency-format-val"
        linked(folder, map(str, range(1000)), n["v2"], image, "jpeg")
    if "sketch" in n:
        linked(data / "imagenet-sketch", known, n["sketch"], image)
    for name in ("a", "r"):
        if name in n:
            linked(data / f"imagenet-{name}", class_list(f"imagenet-{name}"), 0, image)
            for number in range(n[name]):  # classes differ in size
                wnid = class_list(f"imagenet-{name}")[number % 200]
                os.link(image, data / f"imagenet-{name}/{wnid}/{number}.jpg")
            (data / f"imagenet-{name}/README.txt").write_text("as it comes")
    if "openimages-100" in n:
        linked(data / "openimages-100", class_list("imagenet-100"), n["openimages-100"], image)
    if "openimages" in n:
        linked(data / "openimages", [f"m{number:05d}" for number in range(950)], n["openimages"], image)
    return data
