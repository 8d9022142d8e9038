"""C6: the very smallest classes cause most of the loss.

Compared in one stage at an equal number of samples and image-steps: the 2 x 2 factorial of one profile, tail repaired
(`rebalance_tail: k`, rescaled to the same total) x middle repaired (`rebalance_middle: [k, high]`, likewise): neither,
tail, middle, both. The main effects are tail = ((T - 0) + (TM - M)) / 2 and middle = ((M - 0) + (TM - T)) / 2; they
add up to TM - 0, all that comes back, and their difference is T - M. The tail causes most of the loss where T - M is
above 0 and something comes back at all. The share that comes back by the tail is printed with Fieller's interval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import RAISES, Claim, Contrast, Part, difference
from predictor.claims.configurations import Configuration, close
from predictor.claims.target_sets import Site
from predictor.profiles import Profile
from predictor.statistics.equivalence import ratio_interval

TAIL_MIDDLE, BOTH = "tail repaired against middle repaired", "both repaired against neither"


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Every complete factorial."""
    cells: dict[Any, dict[tuple[int | None, tuple[int, int] | None], Configuration]] = defaultdict(dict)
    for c in (c for c in group if c.single):
        edits = _edits(c.data.profile)
        if edits is not None:
            shape = c.data.profile.model_copy(update={"edits": (), "keep_total": False})
            cells[(shape, c.size, c.data.blend, c.others, c.image_steps)][edits] = c
    for factorial in cells.values():
        for k, middle in factorial:
            if k is None or middle is None or middle[0] != k:
                continue
            arms = [factorial.get(cell) for cell in ((None, None), (k, None), (None, middle), (k, middle))]
            neither, tail, mid, both = arms
            if not (neither and tail and mid and both):
                continue
            if all(close(c.n_samples, neither.n_samples) for c in (tail, mid, both)) and tail.counts != neither.counts:
                yield difference(TAIL_MIDDLE, neither, tail, mid)
                yield difference(BOTH, neither, both, neither)


def _edits(profile: Profile) -> tuple[int | None, tuple[int, int] | None] | None:
    """(k of the tail's repair, bounds of the middle's); None where a profile has other edits."""
    tail = [edit.rebalance_tail for edit in profile.edits if edit.rebalance_tail]
    middle = [edit.rebalance_middle for edit in profile.edits if edit.rebalance_middle]
    if len(tail) + len(middle) < len(profile.edits) or len(tail) > 1 or len(middle) > 1:
        return None
    return tail[0] if tail else None, middle[0] if middle else None


def describe(effects: Mapping[str, Mapping[str, float]]) -> str | None:
    """The share of what comes back that the tail's repair brings: (1 + (T - M) / (TM - 0)) / 2."""
    names = sorted(set(effects[TAIL_MIDDLE]) & set(effects[BOTH]))
    if len(names) < 2 or (whole := sum(effects[BOTH][name] for name in names)) <= 0:
        return None
    tail = [(effects[BOTH][name] + effects[TAIL_MIDDLE][name]) / 2 for name in names]
    share = sum(tail) / whole
    interval = ratio_interval(tail, [effects[BOTH][name] for name in names])
    bounds = "unbounded: what comes back is not surely above 0"
    if interval:
        bounds = "{:.0%} to {:.0%}".format(*interval)
    return f"the tail's repair brings {share:.0%} of what both bring (95 % interval {bounds})"


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """The factorial of an exponential profile."""
    low, high = max(site.samples_per_class // 2, 2), max(site.samples_per_class, 3)
    middle, tail = {"rebalance_middle": [low, high]}, {"rebalance_tail": low}
    for edits in ([], [tail], [middle], [middle, tail]):
        profile: dict[str, Any] = {"shape": "exponential", "ratio": 30}
        if edits:
            profile |= {"edits": edits, "keep_total": True}
        yield {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": profile}


CLAIM = Claim(
    name="C6",
    question="Do the very smallest classes cause most of the loss?",
    parts=(Part(TAIL_MIDDLE, RAISES), Part(BOTH, RAISES)),
    find=find,
    design=design,
    describe=describe,
)
