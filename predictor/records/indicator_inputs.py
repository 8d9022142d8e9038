"""What the indicators of a run see beside its last stage: earlier stages, test images, rendered sources, a probe."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path

from predictor.distribution import LabelDistribution
from predictor.grids.probes import FILE, spec_key
from predictor.images.results import Probe, read_probes
from predictor.indicators import SYNTHETIC, Context
from predictor.records.schema import Counted, RunRecord

NONE: Mapping[str, Probe] = {}


def probes_of(runs: str | Path) -> dict[str, Probe]:
    """{key: probe} of a registry's training images; empty where they were not probed.

    Raises DataError for a damaged file.
    """
    path = Path(runs) / FILE
    return read_probes(path) if path.is_file() else {}


def indicator_key(record: RunRecord, probes: Mapping[str, Probe] = NONE) -> Hashable:
    """Equal for two runs only where their indicators are equal: stands for digests, at a fraction of their cost."""
    if not isinstance(record.data, Counted):
        return record.run_id
    stages = tuple((s.classes, s.sources, s.counts, s.targets) for s in record.data.stages)
    return stages, _test_counts(record), _synthetic(record), spec_key(record.spec) if probes else None


def indicator_context(record: RunRecord, probes: Mapping[str, Probe] = NONE) -> Context:
    """The context to compute a run's indicators in: nothing of it is known only after training.

    probes : {key: probe} of training images, see `probes_of`
    """
    stages = record.data.stages if isinstance(record.data, Counted) else ()
    classes, tested = _test_counts(record)
    return Context(
        test=LabelDistribution.from_counts(dict(zip(classes, tested, strict=True))) if any(tested) else None,
        stages=tuple(stage.distribution for stage in stages) if len(stages) > 1 else (),
        synthetic=_synthetic(record),
        probe=probes.get(spec_key(record.spec) or "") if probes else None,
    )


def _test_counts(record: RunRecord) -> tuple[tuple[str, ...], tuple[int, ...]]:
    clean = record.outcomes.get("accuracy")
    return (clean.classes, clean.tested) if clean else ((), ())


def _synthetic(record: RunRecord) -> frozenset[str]:
    digests = (record.spec or {}).get("sources", {})
    return frozenset(name for name, digest in digests.items() if str(digest).startswith(SYNTHETIC))
