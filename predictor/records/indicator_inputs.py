"""What the indicators of a run see beside its last stage: earlier stages, test images, rendered sources."""

from __future__ import annotations

from collections.abc import Hashable

from predictor.distribution import LabelDistribution
from predictor.indicators import SYNTHETIC, Context
from predictor.records.schema import Counted, RunRecord


def indicator_key(record: RunRecord) -> Hashable:
    """Equal for two runs only where their indicators are equal: stands for digests, at a fraction of their cost."""
    if not isinstance(record.data, Counted):
        return record.run_id
    stages = tuple((s.classes, s.sources, s.counts, s.targets) for s in record.data.stages)
    return stages, _test_counts(record), _synthetic(record)


def indicator_context(record: RunRecord) -> Context:
    """The context to compute a run's indicators in: nothing of it is known only after training."""
    stages = record.data.stages if isinstance(record.data, Counted) else ()
    classes, tested = _test_counts(record)
    return Context(
        test=LabelDistribution.from_counts(dict(zip(classes, tested, strict=True))) if any(tested) else None,
        stages=tuple(stage.distribution for stage in stages) if len(stages) > 1 else (),
        synthetic=_synthetic(record),
    )


def _test_counts(record: RunRecord) -> tuple[tuple[str, ...], tuple[int, ...]]:
    clean = record.outcomes.get("accuracy")
    return (clean.classes, clean.tested) if clean else ((), ())


def _synthetic(record: RunRecord) -> frozenset[str]:
    digests = (record.spec or {}).get("sources", {})
    return frozenset(name for name, digest in digests.items() if str(digest).startswith(SYNTHETIC))
