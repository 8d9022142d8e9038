"""Zero-shot evaluation: a pretrained network with the classifier it came with, its logits masked to the tested classes.

Heads of ImageNet's 1k, 12k and 21k classes are known, in timm's order of their classes (`timm.data.ImageNetInfo`); of
another head the classes are named by a file. Images are resized and cropped as the network's pretraining config says.
Shifts are any source that `trainer` reads; folders that are numbered go by a view (`predictor.images.readers.view`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from predictor.class_lists import NAMES, class_list
from predictor.errors import DataError, SpecError, listed, near
from predictor.images.decoding import BadImage, Pixels, for_each, open_rgb
from predictor.images.digests import file_digest
from predictor.images.readers.rows import LEFT_OUT
from predictor.records.schema import Environment, Reported, RunRecord, Seconds, content_id
from predictor.weights import known_weights
from trainer import weights
from trainer.checking import smaller_than
from trainer.data.opening import read_source
from trainer.data.source import Source
from trainer.device import device_name
from trainer.evaluate import Tested, score
from trainer.networks import check_name
from trainer.provenance import versions
from trainer.run import outcomes_of

BATCH = 32
SPLITS = ("test", "val", "validation")  # of which the first that a source has is tested on
TAGS = {"in1k": 1000, "in12k": 11821, "in21k": 21843, "in22k": 21841}  # words of timm's tags: classes of a stage
IMAGES = {1000: 1_281_167, 21841: 14_197_122, 21843: 14_197_122}  # of ImageNet's label sets (Russakovsky et al. 2015)


@dataclass(frozen=True, eq=False)
class Zero:
    """A network with the classifier it was trained with.

    labels : its logits in order; digest : of its weights; how : mean, std, interpolation, crop and size of its images
    """

    name: str
    net: nn.Module
    labels: tuple[str, ...]
    digest: str
    size: int
    crop: float
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_network(
    name: str, place: str | None, classes: str | None = None, image_size: int | None = None, folder: Path = Path()
) -> Zero:
    """The network with its own classifier.

    name : of timm, with a tag where its weights come from the hub; place : file of weights, or 'timm:TAG'
    classes : a list that ships, or a file with a class a line; None: by the width of the head

    Raises SpecError for an unknown network, and weights or class lists that do not belong to it; DataError for files.
    """
    import timm
    from timm.data import resolve_data_config

    base, _, tag = name.partition(".")
    check_name(base)
    path = _weights_file(name, place, tag)
    found = weights.tensors(path)
    digest = file_digest(path)
    known = known_weights(digest)
    config = weights.config_of(name) or weights.config_of(base)
    width = _width(base, config, found, known is not None)
    net = timm.create_model(base, pretrained=False, num_classes=width)
    own = net.state_dict()
    if known is not None:
        if known.network != base:
            raise SpecError(
                f"the weights {known.name!r} are those of {known.network}, not of {base}",
                remedy=f"name the model {known.network}",
            )
        found = weights.in_order(net, found)
    faults = [
        f"{len(names)} {word}: {listed(names)}"
        for word, names in (
            ("missing", sorted(set(own) - set(found))),
            ("superfluous", sorted(set(found) - set(own))),
            ("of another shape", sorted(n for n in set(own) & set(found) if own[n].shape != found[n].shape)),
        )
        if names
    ]
    if faults:
        raise SpecError(
            f"holds the weights of another network than {base}: {'; '.join(faults)}",
            where=str(path), remedy="name the network that they belong to",
        )  # fmt: skip
    net.load_state_dict(found)
    how = resolve_data_config({}, pretrained_cfg=config.to_dict() if config else {})
    size = image_size or how["input_size"][-1]
    return Zero(
        name=name, net=net.eval().requires_grad_(False), labels=head_labels(width, classes, folder), digest=digest,
        size=size, crop=how["crop_pct"], interpolation=how["interpolation"], mean=how["mean"], std=how["std"],
    )  # fmt: skip


def _weights_file(name: str, place: str | None, tag: str) -> Path:
    if place is None:
        if not tag:
            raise SpecError(
                f"{name} names no weights",
                remedy=f"say --weights FILE, or a tag of timm: {name}.TAG (timm.list_pretrained())",
            )
        return weights.from_hub(name)
    if place.startswith(weights.HUB):
        return weights.from_hub(place.removeprefix(weights.HUB))
    path = Path(place)
    if not path.is_file():
        raise DataError("no such file of weights", where=place, remedy="name a file, or timm:TAG")
    return path


def _width(name: str, config: object, found: Mapping[str, Tensor], known: bool) -> int:
    """Logits of the head that the weights hold."""
    if known:
        return int(list(found.values())[-1].shape[0])
    stated = getattr(config, "classifier", None) or "fc"
    for module in (stated,) if isinstance(stated, str) else stated:
        for key in (f"{module}.weight", f"{module}.fc.weight", f"{module}.bias"):
            if key in found:
                return int(found[key].shape[0])
    raise SpecError(
        f"the weights hold no classifier of {name} ({stated}): there is nothing to evaluate without training",
        remedy="name weights with the head they were trained with",
    )


def head_labels(width: int, classes: str | None = None, folder: Path = Path()) -> tuple[str, ...]:
    """Class of each logit. Raises SpecError where the list is not known or has another length.

    >>> head_labels(1000)[1], len(head_labels(11821))
    ('n01443537', 11821)
    """
    if classes is not None:
        names = tuple(class_list(classes, folder))
    elif width == len(class_list("imagenet-1k")):
        names = class_list("imagenet-1k")
    else:
        from timm.data import ImageNetInfo, infer_imagenet_subset

        subset = infer_imagenet_subset({"num_classes": width})
        if subset is None:
            raise SpecError(
                f"a head of {width:,} logits: no list of ImageNet has as many classes",
                remedy="name its classes in their order: --classes FILE, a class a line",
            )
        names = tuple(ImageNetInfo(subset).label_names())
    if len(names) != width:
        raise SpecError(
            f"the list has {len(names):,} classes, the head {width:,} logits", remedy="name another: --classes"
        )
    return names


def target_logits(labels: Sequence[str], targets: Sequence[str]) -> NDArray[np.int64]:
    """(T,) logit of each tested class. Raises SpecError for a head that lacks some: it is narrower than the label set.

    >>> target_logits(("a", "b", "c"), ("c", "a")).tolist()
    [2, 0]
    """
    place = {name: i for i, name in enumerate(labels)}
    if lacking := [name for name in targets if name not in place]:
        close = near(lacking[0], list(place))
        hint = f" (near {lacking[0]}: {', '.join(close)})" if close else ""
        raise SpecError(
            f"the head of {len(labels):,} classes has no logit for {len(lacking)} of {len(targets)} tested classes: "
            f"{listed(lacking)}{hint}",
            remedy="leave these classes out of --targets, or take weights whose head has them",
        )
    return np.array([place[name] for name in targets], dtype=np.int64)


def stages_of(name: str, width: int, stated: Sequence[int] = ()) -> tuple[int, ...]:
    """Classes of each stage of training, the last one that of the head: as stated, else as the words of timm's tag say.

    >>> stages_of("convnext_base.fb_in22k_ft_in1k", 1000), stages_of("resnet18", 1000), stages_of("r", 9, (50, 9))
    ((21841, 1000), (1000,), (50, 9))
    """
    if stated:
        if stated[-1] != width:
            raise SpecError(
                f"the last stage is said to have {stated[-1]:,} classes; the head has {width:,}",
                remedy="state the stages in order, that of the head last: --stage N",
            )
        return tuple(stated)
    words = re.findall(r"in(?:1k|12k|21k|22k)(?![0-9a-z])", name.partition(".")[2].replace("_", " "))
    found = [TAGS[word] for word in words]
    return (*found[:-1], width) if found else (width,)


def read_targets_file(place: str) -> tuple[str, ...]:
    """Tested classes: a list that ships, or a file with one a line. Raises SpecError or DataError."""
    if place in NAMES:
        return class_list(place)
    path = Path(place)
    if not path.is_file():
        raise DataError(
            "no such list of classes", where=place, remedy=f"name a file, or one that ships: {', '.join(NAMES)}"
        )
    names = class_list(path.name, path.parent)
    if len(names) < 2:
        raise SpecError(f"{len(names)} tested classes; needed: two or more", where=place, remedy="write a class a line")
    return names


def named_tests(test_set: Path, shifts: Sequence[str]) -> dict[str, Path]:
    """{'accuracy' or 'shift:NAME': where its images are}. Raises SpecError for a shift that is not NAME=PATH.

    >>> sorted(named_tests(Path("val"), ["v2=v2.yaml"]))
    ['accuracy', 'shift:v2']
    """
    tests = {"accuracy": test_set}
    for shift in shifts:
        name, equals, place = shift.partition("=")
        if not (name and equals and place):
            raise SpecError(f"--shift {shift}: needed NAME=PATH", remedy="say e.g. --shift sketch=imagenet-sketch/")
        if f"shift:{name}" in tests:
            raise SpecError(f"--shift {name} is named twice", remedy="name every shift once")
        tests[f"shift:{name}"] = Path(place)
    return tests


def rows_of(
    source: Source, targets: Sequence[str], split: str | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """(rows, position among the targets, classes of it that are not tested) of a source's test images.

    Raises DataError where no image has a tested class.
    """
    splits = set(source.splits[source.labels != LEFT_OUT].tolist())
    use = split if split is not None else next((name for name in SPLITS if name in splits), None)
    inside = np.ones(len(source.labels), bool) if use is None else source.in_split(use)
    place = {name: i for i, name in enumerate(targets)}
    own = np.array([place.get(label, -1) for label in source.labels.tolist()])
    rows = np.flatnonzero(inside & (own >= 0))
    if not len(rows):
        labels = sorted(set(source.labels[inside].tolist()) - {LEFT_OUT})
        numbered = bool(labels) and all(label.isdecimal() for label in labels)
        remedy = (
            f"write a view beside it, as its classes are numbers: a YAML file of 'images: {source.name}' and "
            "'classes: imagenet-1k'; and name that"
            if numbered
            else "name the classes as the images' folders do"
        )
        raise DataError(
            f"no image of a tested class{f' in split {use!r}' if use else ''}; its classes begin {listed(labels[:3])}",
            where=source.name, remedy=remedy,
        )  # fmt: skip
    untested = set(source.labels[inside & (own < 0)].tolist()) - {LEFT_OUT}
    return rows, own[rows], len(untested)


def _cropped(encoded: bytes, zero: Zero) -> Pixels:
    """Resized by the shorter side and cropped from the middle, as timm evaluates."""
    rgb, _ = open_rgb(encoded)
    short = int(np.floor(zero.size / zero.crop))
    scale = short / min(rgb.size)
    wide, high = (max(round(side * scale), zero.size) for side in rgb.size)
    rgb = rgb.resize((wide, high), Image.Resampling[zero.interpolation.upper()])
    left, top = (wide - zero.size) // 2, (high - zero.size) // 2
    return np.asarray(rgb.crop((left, top, left + zero.size, top + zero.size))).transpose(2, 0, 1)


@torch.inference_mode()
def masked_logits(
    zero: Zero, source: Source, rows: NDArray[np.int64], places: NDArray[np.int64], device: str, threads: int
) -> Tensor:
    """(n, T) logits of the tested classes; all others are left out, as if at -inf. Raises DataError for bad images."""
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (zero.mean, zero.std))
    net = zero.net.to(device)
    keep = torch.from_numpy(places)
    parts: list[Tensor] = []
    bad: list[str] = []
    for first in range(0, len(rows), BATCH):
        batch: list[Pixels] = []
        some = rows[first : first + BATCH].tolist()
        for row, done in for_each(partial(_cropped, zero=zero), source.read, some, threads=threads):
            if isinstance(done, BadImage):
                bad.append(f"{source.describe(row)}: {done}")
            else:
                batch.append(done)
        if bad:
            continue
        images = torch.from_numpy(np.stack(batch)).to(device).float().div_(255)
        parts.append(net((images - mean) / std).float().cpu()[:, keep])
    if bad:
        raise DataError(f"{len(bad)} unreadable images: {listed(bad)}", where=source.name, remedy="mend or remove them")
    return torch.cat(parts)


def evaluate(
    zero: Zero,
    targets: Sequence[str],
    tests: Mapping[str, Path],
    *,
    split: str | None = None,
    stages: Sequence[int] = (),
    study: str = "zero-shot",
    target_set: str = "zero-shot",
    domain: str = "photographs",
    device: str = "cpu",
    threads: int = 1,
    commit: str = "",
) -> tuple[RunRecord, list[str]]:
    """(the record, notes for the reader).

    tests : {'accuracy': clean images, 'shift:NAME': others}, each a folder, Parquet file, list, shards or a view
    """
    begun, started = time.perf_counter(), datetime.now(UTC)
    places = target_logits(zero.labels, targets)
    passed = stages_of(zero.name, len(zero.labels), stages)
    tested: dict[str, Tested] = {}
    notes, digests = [], {}
    for name, path in tests.items():
        source = read_source(path.name, path)
        rows, labels, untested = rows_of(source, targets, split)
        digests[name] = source.digest
        absent = len(targets) - len(set(labels.tolist()))
        if name == "accuracy" and absent:
            lacking = [target for i, target in enumerate(targets) if i not in set(labels.tolist())]
            raise DataError(
                f"no image of {absent} of {len(targets)} tested classes: {listed(lacking)}",
                where=source.name, remedy="leave them out of --targets, or name another --test-set",
            )  # fmt: skip
        small = smaller_than(source, zero.size)
        notes += [f"{name}: {small}"] if small else []
        if untested:
            notes.append(f"{name}: {untested:,} classes of {source.name} are not tested and left out")
        if absent:
            notes.append(f"{name}: covers {len(targets) - absent} of {len(targets)} tested classes")
        logits = masked_logits(zero, source, rows, places, device, threads)
        tested[name] = score(logits, torch.from_numpy(labels), targets)
    outcomes = outcomes_of(tested, len(targets))
    kinds = [*("PT" if i == 0 else "FT" for i in range(len(passed))), "ZS"]
    words = " ".join(f"{kind} {n}" for kind, n in zip(kinds, (*passed, len(targets)), strict=True))
    axes: dict[str, str | int | float] = {
        "model": zero.name, "weights": zero.digest, "image_size": zero.size, "stages": words,
        "pretrain_classes": passed[0], "tested_classes": len(targets),
        **{f"images {name}": digest for name, digest in digests.items()},
    }  # fmt: skip
    known = known_weights(zero.digest)
    indicators = {"n_classes": float(passed[0])}
    if passed[0] in IMAGES:
        indicators["n_samples"] = float(IMAGES[passed[0]])
    licence = f"; {known.licence}, trained on {known.trained_on}" if known else ""
    citation = f"weights {zero.name} ({zero.digest}){licence}, evaluated with predictor's trainer"
    run_id = content_id(study, axes, indicators, {name: item.value for name, item in outcomes.items()})
    record = RunRecord(
        run_id=run_id, configuration_id=run_id, study=study, provenance="imported", target_set=target_set,
        domain=domain, axes=axes, data=Reported(indicators=indicators, citation=citation), outcomes=outcomes,
        seconds=Seconds(evaluate=time.perf_counter() - begun),
        environment=Environment(device=device, device_name=device_name(device), threads=threads, precision="fp32",
                                versions=versions(), commit=commit),
        started_at=started.isoformat(timespec="seconds"),
        ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"), citation=citation,
    )  # fmt: skip
    return record, notes
