"""Where the images come from: shares of the sources, rendered images, the stages of a training."""

from __future__ import annotations

from collections.abc import Iterable

from predictor.distribution import LabelDistribution
from predictor.indicators.common import PAPER, trained
from predictor.indicators.registry import Undefined, indicator

SYNTHETIC = "fractals:"  # how the name, or the digest in a grid, of a source of rendered images begins


def _name(text: str) -> tuple[str]:
    if not text.strip():
        raise ValueError(text)
    return (text,)


def _shares(distribution: LabelDistribution) -> dict[str, float]:
    """{source: share of the labels}; undefined where the manifest names no source."""
    trained(distribution)
    by_source = distribution.counts_by_source()
    if set(by_source) == {""}:
        raise Undefined("the manifest names no source")
    total = sum(by_source.values())
    return {source: count / total for source, count in by_source.items()}


@indicator(
    unit="share", bounds=(0, 1), source=f"{PAPER}, table 2 (source of the other classes)", parse=_name, parameter="NAME"
)
def source_share(distribution: LabelDistribution, source: str) -> float:
    """Share of the labels that comes from the source NAME; 0 where the manifest names other sources only.

    >>> source_share(LabelDistribution.from_counts([("cat", "web", 3), ("cat", "lab", 1)]), "web")
    0.75
    """
    return _shares(distribution).get(source, 0.0)


@indicator(unit="share", bounds=(0, 1), direction=-1, source=f"{PAPER}, table 2 (FractalDB)")
def synthetic_share(distribution: LabelDistribution, *, synthetic: frozenset[str]) -> float:
    """Share of the labels from sources of rendered images: named 'fractals:...', or declared (--synthetic NAME).

    In a registry a source is also one where its digest in the grid begins so. Any other named source counts as
    natural; undefined where the manifest names no source.

    >>> d = LabelDistribution.from_counts([("cat", "web", 3), ("f0", "fractals:a", 1)])
    >>> synthetic_share(d, synthetic=frozenset())
    0.25
    """
    shares = _shares(distribution)
    return float(sum(s for name, s in shares.items() if name.startswith(SYNTHETIC) or name in synthetic))


def _stage(text: str) -> tuple[int]:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return (number,)


@indicator(
    unit="classes",
    bounds=(0, None),
    source=f"{PAPER}, table 1 (PT 21,800, FT 1,000)",
    parse=_stage,
    parameter="k",
    defaults=("1",),
)
def stage_classes(distribution: LabelDistribution, number: int, *, stages: tuple[LabelDistribution, ...]) -> float:
    """Number of classes that stage k of the training is trained on; `n_classes` is of the last stage.

    A manifest is one stage. Undefined for a stage that the training does not have.

    >>> wide, narrow = (LabelDistribution.from_counts(dict.fromkeys(c, 9)) for c in ("abcd", "ab"))
    >>> stage_classes(narrow, 1, stages=(wide, narrow))
    4
    """
    known = stages or (distribution,)
    if number > len(known):
        raise Undefined(f"the training has {len(known)} stage{'s' if len(known) > 1 else ''}")
    return known[number - 1].n_classes


def source_names(distributions: Iterable[LabelDistribution]) -> list[str]:
    """The `source_share` of every source that any of the distributions names.

    >>> source_names([LabelDistribution.from_counts([("cat", "web", 3), ("cat", "lab", 1)])])
    ['source_share@lab', 'source_share@web']
    """
    found = {source for distribution in distributions for source in distribution.counts_by_source()}
    return [f"source_share@{source}" for source in sorted(found) if source]
