"""Probes kept by the digest of what they looked at, so that the same images are probed once."""

from __future__ import annotations

import os
from pathlib import Path

from predictor.errors import PredictorError
from predictor.images.results import Probe, read_probe


def folder() -> Path:
    """Where probes are kept: $PREDICTOR_CACHE, else predictor/ in the user's cache folder."""
    if own := os.environ.get("PREDICTOR_CACHE"):
        return Path(own) / "probes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "predictor" / "probes"


def kept(key: str, neighbours: int | None) -> Probe | None:
    """The probe of these images and classes, grouped so; None where there is none, or it cannot be read."""
    try:
        found = read_probe(_file(key, neighbours))
    except PredictorError:
        return None
    return found if found.key == key and found.neighbours == neighbours else None


def keep(probe: Probe) -> None:
    """Keep a probe. A folder that cannot be written to keeps none."""
    from predictor.files import replace_file

    file = _file(probe.key, probe.neighbours)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, probe.to_json().encode())
    except (OSError, PredictorError):
        return


def _file(key: str, neighbours: int | None) -> Path:
    return folder() / (key + ("" if neighbours is None else f"@{neighbours}") + ".json")
