"""What a run met in its images that a reader of its record must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice

import numpy as np

from predictor.records.schema import NAMED, DataReport
from trainer.data.repeats import Repeats
from trainer.data.source import Source


def data_report(
    sources: Iterable[Source], repeats: Repeats | None = None, shown: Sequence[tuple[int, int]] = ()
) -> DataReport:
    """Bad and converted images among those that these views were asked for, in the order of the sources' names.

    repeats : images that are there twice; shown : (images, classes) that each stage showed

    It depends on the spec and the content of the sources alone, not on what else the process has decoded.
    """
    repeats = repeats or Repeats()
    bad: list[str] = []
    converted: list[str] = []
    kinds: Counter[str] = Counter()
    for source in sorted(sources, key=lambda source: source.name):
        for row in np.flatnonzero(source.met).tolist():
            name = f"{source.name}: {source.describe(row)}"
            if row in source.bad:
                bad.append(f"{name}: {source.bad[row]}")
            elif row in source.converted:
                converted.append(f"{name}: {source.converted[row]}")
                kinds.update(source.converted[row].split(", "))
    return DataReport(
        bad_images=tuple(bad[:NAMED]),
        n_bad_images=len(bad),
        converted_images=tuple(converted[:NAMED]),
        n_converted=dict(sorted(kinds.items())),
        repeated_images=_first(repeats.repeated),
        n_repeated={name: len(images) for name, images in repeats.repeated.items()},
        leaked_images=_first(repeats.leaked),
        n_leaked={name: len(images) for name, images in repeats.leaked.items()},
        images_shown=tuple(images for images, _ in shown),
        classes_shown=tuple(classes for _, classes in shown),
    )


def _first(images: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(islice(chain.from_iterable(images.values()), NAMED))
