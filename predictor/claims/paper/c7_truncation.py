"""C7: truncating the largest classes hurts, although it balances.

Compared in one stage at equal image-steps: one profile with `truncate_head: k` against the same profile with
`delete_proportionally: k`, which deletes as many samples from all classes (both have the same number of samples, hence
of epochs), and against the same profile untouched, which has more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import LOWERS, Claim, Contrast, Part, difference
from predictor.claims.configurations import Configuration, close
from predictor.claims.target_sets import Site
from predictor.profiles import Edit

TRUNCATED, UNTOUCHED = "truncated against deleted in proportion", "truncated against untouched"


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Truncated against deleted in proportion at the same k, and against the profile without the edit."""
    deleted: dict[Any, Configuration] = {}
    for c in (c for c in group if c.single and _last(c, "delete_proportionally")):
        deleted[_rest(c, "delete_proportionally")] = c
    whole = {(c.data, c.image_steps): c for c in group if c.single}
    for c in (c for c in group if c.single and _last(c, "truncate_head")):
        untouched = whole.get(_untouched(c))
        if untouched and c.counts != untouched.counts:
            yield difference(UNTOUCHED, untouched, c, untouched)
        base = deleted.get(_rest(c, "truncate_head"))
        if base and close(c.n_samples, base.n_samples) and c.counts != base.counts:
            yield difference(TRUNCATED, base, c, base)


def _last(c: Configuration, edit: str) -> int | None:
    edits = c.data.profile.edits
    return getattr(edits[-1], edit) if edits else None


def _untouched(c: Configuration) -> Any:
    """The data without the last edit, and the image-steps."""
    profile = c.data.profile
    edits = profile.edits[:-1]
    left = profile.model_copy(update={"edits": edits, "keep_total": profile.keep_total and bool(edits)})
    return c.data.model_copy(update={"profile": left}), c.image_steps


def _rest(c: Configuration, edit: str) -> Any:
    """Everything but the kind of the last edit; its k stays."""
    profile = c.data.profile
    named = (*profile.edits[:-1], Edit(truncate_head=_last(c, edit)))
    data = c.data.model_copy(update={"profile": profile.model_copy(update={"edits": named})})
    return data, c.image_steps


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """An exponential profile, whole, and with its head cut at the mean size."""
    for edits in ([], *([{edit: site.samples_per_class}] for edit in ("truncate_head", "delete_proportionally"))):
        profile: dict[str, Any] = {"shape": "exponential", "ratio": 30, **({"edits": edits} if edits else {})}
        yield {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": profile}


CLAIM = Claim(
    name="C7",
    question="Does truncating the largest classes hurt, against deleting as many samples, and against the whole?",
    parts=(Part(TRUNCATED, LOWERS), Part(UNTOUCHED, LOWERS)),
    find=find,
    design=design,
)
