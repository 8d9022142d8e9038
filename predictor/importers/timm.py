"""timm's results folder (results-imagenet*.csv) -> a table: one row a model, shifts beside clean accuracy.

https://github.com/huggingface/pytorch-image-models/tree/main/results: top-1 in per cent on ImageNet (1,000 classes), V2
(matched frequency), Sketch, R and A (200 classes each), and on the clean images of the classes of R and of A. What a
model was trained on stands in the tag of its name, as in `.mim_in22k_ft_in22k_in1k`: the data sets in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError, listed
from predictor.importers.readers.files import read_table
from predictor.importers.readers.flat import folder_of
from predictor.importers.table import Cell, ImportedTable

CLEAN = "results-imagenet.csv"
SHIFTS = {  # name -> its file, and the file of the clean images of the same classes; None: all classes
    "v2": ("results-imagenetv2-matched-frequency.csv", None),
    "sketch": ("results-sketch.csv", None),
    "r": ("results-imagenet-r.csv", "results-imagenet-r-clean.csv"),
    "a": ("results-imagenet-a.csv", "results-imagenet-a-clean.csv"),
}
CITATION = "R. Wightman, PyTorch Image Models, results (Apache-2.0)"
REFERENCE = "in1k alone"  # the reference set of effective robustness: Taori et al.'s standard models


@dataclass(frozen=True)
class TimmSource:
    """A data set of a tag: labels that training on it uses, and images; None where they are not public or none."""

    n_classes: int | None
    n_images: int | None


SOURCES = {
    "in1k": TimmSource(1_000, 1_281_167),
    "in12k": TimmSource(11_821, 12_129_687),  # timm's own selection of ImageNet-22k
    "in21k": TimmSource(21_841, 14_197_122),
    "in22k": TimmSource(21_841, 14_197_122),
    "jft": TimmSource(18_291, 300_000_000),  # Sun et al. 2017
    "ig1b": TimmSource(None, 940_000_000),  # hashtags
    "yfcc100m": TimmSource(None, 90_000_000),
    "laion2b": TimmSource(None, 2_320_000_000),  # captions
    "laiona": TimmSource(None, None),
    "webli": TimmSource(None, None),
    "openai": TimmSource(None, 400_000_000),
    "m30m": TimmSource(None, 30_000_000),  # merged sets without labels (EVA-02)
    "m38m": TimmSource(None, 38_000_000),
    "seer": TimmSource(None, 1_000_000_000),  # Instagram images without labels
    "swag": TimmSource(None, 3_600_000_000),  # Instagram hashtags
    "6m": TimmSource(None, 6_000_000),
}
CLIP = TimmSource(None, None)  # `clip_ft_in1k` does not say on which images


@dataclass(frozen=True)
class Pretraining:
    """What a tag says.

    n_stages : data sets that a model was trained on one after the other
    n_classes : largest label set among them; n_samples : images of all of them; None where one is not known
    """

    sources: tuple[str, ...]
    n_stages: int
    n_classes: int
    n_samples: int | None


def pretraining(tag: str) -> Pretraining | None:
    """The stages in a tag; None where it names no data set.

    >>> pretraining("mim_in22k_ft_in22k_in1k").sources, pretraining("augreg_in21k_ft_in1k").n_classes
    (('in22k', 'in22k', 'in1k'), 21841)
    """
    words = tag.split("_")
    sources = [word for word in words if word in SOURCES]
    if "clip" in words and not {"laion2b", "laiona", "openai", "webli"} & set(words):
        sources.insert(0, "clip")
    if words[0] == "ft" or words[:2] == ["fcmae", "ft"]:  # fcmae: masked images of ImageNet-1k; `ft` alone: unknown
        sources.insert(0, "in1k" if words[0] == "fcmae" else "unknown")
    if "unknown" in sources or not sources:
        return None
    known = [SOURCES.get(name, CLIP) for name in sources]
    labels = [item.n_classes for item in known if item.n_classes is not None]
    images: dict[str, int | None] = {name: item.n_images for name, item in zip(sources, known, strict=True)}
    n_samples = None if None in images.values() else sum(n for n in images.values() if n)
    return Pretraining(tuple(sources), len(sources), max(labels), n_samples) if labels else None


def read_timm(folder: str | Path) -> ImportedTable:
    """The table of a results folder.

    Raises RegistryError where a file is missing, or lists a model at one size twice.
    """
    folder = folder_of(Path(folder), "timm's results folder")
    needed = [CLEAN, *(name for files in SHIFTS.values() for name in files if name)]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise RegistryError(f"lacks {listed(missing)}", where=str(folder), remedy="name timm's results folder, whole")
    clean = _by_model(folder / CLEAN)
    top = {name: _by_model(folder / name) for name in needed[1:]}
    strange = sorted({f"{model} at {size} px" for found in top.values() for model, size in found.keys() - clean.keys()})
    records: list[tuple[str, dict[str, Cell]]] = []
    unknown = []
    for key, row in clean.items():
        model, size = key
        architecture, _, tag = model.partition(".")
        known = pretraining(tag)
        if known is None:
            unknown.append(f"{model} at {size} px")
            continue
        record: dict[str, Cell] = {
            "model": model, "architecture": architecture, "tag": tag, "img_size": size,
            "param_count": str(row["param_count"]).replace(",", ""), "sources": " ".join(known.sources),
            "reference": REFERENCE if set(known.sources) == {"in1k"} else "other",
            "n_classes": known.n_classes, "n_stages": known.n_stages, "n_samples": known.n_samples, "top1": row["top1"],
        }  # fmt: skip
        for shift, (shifted, matched) in SHIFTS.items():
            record[f"top1 {shift}"] = top[shifted].get(key, {}).get("top1")
            record[f"clean {shift}"] = top[matched].get(key, {}).get("top1") if matched else row["top1"]
        records.append((f"{model} at {size} px", record))
    notes = []
    if strange:
        notes.append(f"not in {CLEAN}, and left out: {listed(strange)}")
    if unknown:
        notes.append(f"{len(unknown)} models left out: their tags name no data set with labels, or not what came first "
                     f"({listed(unknown)})")  # fmt: skip
    return ImportedTable.of_records(str(folder), records, notes)


def timm_map() -> dict[str, Any]:
    """What the columns of `read_timm` become."""
    shifts: Mapping[str, Any] = {
        f"shift:{name}": {"column": f"top1 {name}", "per_cent": True, "clean": f"clean {name}"} for name in SHIFTS
    }
    return {
        "study": "timm", "citation": CITATION, "target_set": "imagenet1k", "domain": "photographs",
        "identity": ["model", "img_size"], "recipe": ["architecture", "tag", "sources"],
        "indicators": {"n_classes": "n_classes", "n_stages": "n_stages", "n_samples": "n_samples",
                       "image_size": "img_size", "parameters": "param_count"},
        "outcomes": {"accuracy": {"column": "top1", "per_cent": True}, **shifts},
        "robustness": list(SHIFTS),
        "effective_robustness": {"reference": {"reference": [REFERENCE]}, "name": REFERENCE},
    }  # fmt: skip


def _by_model(path: Path) -> dict[tuple[str, str], dict[str, Cell]]:
    """{(model, image size that it was tested at): its row}."""
    table = read_table(path)
    at = {name: table.index(name) for name in ("model", "img_size", "top1", "param_count")}
    found: dict[tuple[str, str], dict[str, Cell]] = {}
    for place, row in zip(table.places, table.rows, strict=True):
        key = str(row[at["model"]]), str(row[at["img_size"]])
        if key in found:
            raise RegistryError(f"{place}: {key[0]!r} at {key[1]} px stands there twice", where=str(path),
                                remedy="remove one of the two lines")  # fmt: skip
        found[key] = {name: row[position] for name, position in at.items()}
    return found
