"""What a run met in its images that a reader of its record must know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from predictor.records.schema import NAMED, DataReport
from trainer.data.source import Source


def data_report(sources: Iterable[Source]) -> DataReport:
    """Bad and converted images among those that these views were asked for, in the order of the sources' names.

    It depends on the spec and the content of the sources alone, not on what else the process has decoded.
    """
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
    )
