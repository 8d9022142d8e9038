"""What a tracker is told of a run: settings and measured numbers, by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from predictor.errors import PredictorError
from predictor.files import beside
from predictor.records.schema import Counted, RunRecord

Scalar = str | int | float | bool
MOST_CLASSES = 100  # whose counts a tracker is told one by one


def settings(record: RunRecord) -> dict[str, Scalar]:
    """What was known before training: where, recipe, axes, and of the last stage the counts, `count:CLASS`."""
    found: dict[str, Scalar] = {
        "study": record.study, "target_set": record.target_set, "domain": record.domain,
        "configuration_id": record.configuration_id, "run_id": record.run_id,
    }  # fmt: skip
    spec = record.spec or {}
    for part in ("model", "recipe", "seeds"):
        found |= _flat(part, spec.get(part, {}))
    found |= _flat("axis", record.axes)
    if isinstance(record.data, Counted):
        stage = record.data.stages[-1]
        found["image_steps"] = sum(item.image_steps for item in record.data.stages)
        totals: dict[str, int] = {}
        for name, n in zip(stage.classes, stage.counts, strict=True):
            totals[name] = totals.get(name, 0) + n
        found |= {"n_classes": len(totals), "n_samples": sum(totals.values())}
        if len(totals) <= MOST_CLASSES:
            found |= {f"count:{name}": n for name, n in totals.items()}
    else:
        found |= _flat("indicator", record.data.indicators)
    return found


def measured(record: RunRecord) -> dict[str, float]:
    """What was found: outcomes, seconds, images a second."""
    found = {name: outcome.value for name, outcome in record.outcomes.items()}
    if record.seconds:
        found["seconds"] = record.seconds.total
    if record.images_per_second:
        found["images_per_second"] = record.images_per_second
    return found


def lacking(library: str) -> PredictorError:
    """The error where a tracker's library is not installed."""
    return PredictorError(f"{library} is not installed", remedy='install it: pip install "predictor[integrations]"')


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A hidden folder beside, for a library that writes by itself: it gets the name of `folder` once it is whole."""
    temporary = beside(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flat(prefix: str, value: Any) -> dict[str, Scalar]:
    if isinstance(value, Mapping):
        return {k: v for key, item in value.items() for k, v in _flat(f"{prefix}.{key}", item).items()}
    if value is None:
        return {}
    return {prefix: value if isinstance(value, str | int | float | bool) else str(value)}
