"""Probes kept by the digest of what they looked at, so that the same images are probed once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from predictor.errors import PredictorError
from predictor.images.results import Probe, read_probe


def folder() -> Path:
    """Where probes are kept: $PREDICTOR_CACHE, else predictor/ in the user's cache folder."""
    if own := os.environ.get("PREDICTOR_CACHE"):
        return Path(own) / "probes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "predictor" / "probes"


def kept(key: str, group: str | int | None) -> Probe | None:
    """The probe of these images and classes, grouped so; None where there is none, or it cannot be read."""
    try:
        found = read_probe(_file(key, group))
    except PredictorError:
        return None
    return found if found.key == key and found.group == group else None


def keep(probe: Probe) -> None:
    """Keep a probe. A folder that cannot be written to keeps none."""
    from predictor.files import replace_file

    file = _file(probe.key, probe.group)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, probe.to_json().encode())
    except (OSError, PredictorError):
        return


def _file(key: str, group: str | int | None) -> Path:
    ending = "" if group is None else "@" + hashlib.sha256(str(group).encode()).hexdigest()[:8]
    return folder() / f"{key}{ending}.json"
