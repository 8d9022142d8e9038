"""A probe of images in words: how far the classes are apart, which are hard, what is confused, what is there twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from predictor.images.results import METHOD
from predictor.render.page import Block, Heading, PageTable, Said
from predictor.render.tables import percent

if TYPE_CHECKING:
    from predictor.images.duplicates import Duplicates
    from predictor.images.results import Probe

HARD = 3  # classes that are named
PAIRS = 5


def page(probe: Probe, *, where: str) -> list[list[Block]]:
    """What was looked at, how far classes are apart, which are hard."""
    classes = _many(len(probe.names), "class", "classes")
    looked = f"{probe.n_images:,} images looked at, {probe.image_size} px, split {probe.split!r}"
    how = (
        f"{_features(probe.method)} and ridge regression, mean of {probe.n_draws} random splits of the training images"
    )
    none = "no statement: no two classes have images enough to be told apart; what is needed stands below"
    head: list[Block] = [
        Heading((where, classes, looked, probe.digest)),
        Said(f"without training: {how if probe.sizes else none}"),
    ]
    sizes: list[Block] = [PageTable(size_rows(probe), optional=("margin", "chance"))] if probe.sizes else []
    return [head, sizes, list(_found(probe))]


def content(probe: Probe) -> dict[str, Any]:
    """One object for JSON."""
    return probe.to_dict()


def kinds(probe: Probe) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV: classes, sizes, what is confused, and the lines of the page."""
    sizes = [{f.name: getattr(size, f.name) for f in fields(size)} for size in probe.sizes]
    found = [block for block in _found(probe) if isinstance(block, Said)]
    return {
        "class": class_rows(probe),
        "size": sizes,
        "taken": [{"class": a, "for": b, "share": share} for a, b, share in probe.confused],
        "probe": [{"n_images": probe.n_images, "image_size": probe.image_size, "split": probe.split,
                   "digest": probe.digest}],
        "found": [{"name": block.name, "reason": block.content} for block in found],
    }  # fmt: skip


def size_rows(probe: Probe) -> list[dict[str, object]]:
    """One row a number of training images a class."""
    return [
        {
            "images a class": size.samples_per_class,
            "classes": size.n_classes,
            "told apart": f"{percent(size.accuracy)} +- {100 * size.standard_error:.1f}",
            "chance": percent(1 / size.n_classes),
            "margin": f"{size.margin:+.2f}",
        }
        for size in probe.sizes
    ]


def class_rows(probe: Probe) -> list[dict[str, object]]:
    """One row a class and number of training images, hardest first at each number."""
    rows = []
    for size in probe.sizes:
        n = size.samples_per_class
        there = [one for one in probe.classes if n in one.accuracy]
        for one in sorted(there, key=lambda one: one.accuracy[n]):
            rows.append(
                {"class": one.name, "n_images": one.n_images, "samples_per_class": n, "accuracy": one.accuracy[n]}
            )
    return rows


def set_rows(probes: Mapping[str, Probe]) -> list[dict[str, object]]:
    """One row a target set: accuracy at each size, growth, likeness."""
    sizes = sorted({size.samples_per_class for probe in probes.values() for size in probe.sizes})
    return [
        {
            "target set": name,
            "classes": len(probe.names),
            **{f"at {n}": None if (size := probe.at(n)) is None else size.accuracy for n in sizes},
            "slope": probe.slope,
            "copies": None if probe.duplicates is None else probe.duplicates.exact + probe.duplicates.near,
            "key": probe.key,
        }
        for name, probe in probes.items()
    ]


def _features(method: str) -> str:
    return "whitened patches, gradients" if method == METHOD else f"features of {method.partition(':')[0]}"


def _found(probe: Probe) -> Iterator[Block]:
    if probe.slope is not None:
        yield _line(
            "growth", f"{probe.slope:+.2f} logits of the accuracy above chance for each 2.7 times as many images"
        )
    if probe.confused_at:
        n = probe.confused_at
        hard = sorted((one for one in probe.classes if n in one.accuracy), key=lambda one: one.accuracy[n])[:HARD]
        named = ", ".join(f"{one.name} {percent(one.accuracy[n], 0)}" for one in hard)
        yield _line("hard", f"{named}   (at {n} images a class)")
        pairs = ", ".join(f"{a} for {b} {percent(share, 0)}" for a, b, share in probe.confused[:PAIRS])
        yield _line("taken", pairs or "no class for another")
    if probe.duplicates is not None:
        yield _line("copies", _copies(probe.duplicates))
        for image, own, other, theirs, _ in probe.duplicates.pairs:
            if own != theirs:
                yield _line("", f"{image} ({own}) and {other} ({theirs}): one of the labels is wrong, or both fit")
    if probe.diversity is not None:
        spread = probe.diversity
        images = f"{spread.per_class} images of a class are worth {spread.within:.2f} that are wholly unlike"
        yield _line("diversity", f"{images}; {len(probe.classes)} classes {spread.classes:.2f}")
    if probe.left_out:
        yield _line("left out", "; ".join(f"{name}: {why}" for name, why in probe.left_out.items()))
    for note in probe.notes:
        yield _line("note", note)


def _copies(copies: Duplicates) -> str:
    if not copies.exact and not copies.near:
        return f"none among {copies.n_images:,} images"
    return (
        f"of {copies.n_images:,} images {copies.exact:,} have an exact copy, {copies.near:,} a near one; "
        f"{copies.inside:,} inside their class, {copies.between:,} in another"
    )


def _line(name: str, content: str) -> Block:
    return Said(content, name)


def _many(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"
