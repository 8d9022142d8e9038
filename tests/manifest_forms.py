"""One table of labels in every format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from predictor.errors import ManifestError
from predictor.manifest import list_samples, open_manifest

N = float("nan")


@pytest.fixture(params=("csv", "json lines", "parquet", "xlsx"))  # the others are read as one of these is
def form(request) -> str:
    return request.param


def counts(path: Path, **how: object) -> dict[str, int]:
    manifest = open_manifest(path, **how)
    found = dict(zip(manifest.distribution.class_names, manifest.distribution.class_counts.tolist(), strict=True))
    try:
        listed = Counter(label for sample in list_samples(path, **how).samples for label in sample.labels)
    except ManifestError as error:
        assert error.problem == "lists classes and their counts, no images"
    else:
        assert how.get("weight") or listed == found  # the images behind the counts are as many
    return found
