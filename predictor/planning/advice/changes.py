"""What needs no image: actions of training against imbalance, classes that are merged, dropped or added as others.

Each is predicted for the same tested classes as the manifest is now, and scored by the mean of the classes, by the
worst class, and by plain accuracy where test images come as often as the manifest's: weights trade one for the other.
A class that is no longer trained as itself is never predicted and counts as 0. Only actions that runs of the recipe had
are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, with_near
from predictor.models.case import Floats
from predictor.models.links import expit, logit
from predictor.prediction.classes import predict_classes
from predictor.prediction.differences import Side, differences
from predictor.prediction.predict import predict
from predictor.prediction.recipes import Named
from predictor.prediction.request import make_case, resolve, with_roles
from predictor.recipes import NONE, Action

PLAN = "with the plan"


@dataclass(frozen=True, kw_only=True)
class ClassRecall:
    """One tested class: images that it is trained on as itself, its share right now and after."""

    label: str
    n_samples: int
    now: float
    then: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something to do beside collecting images. Accuracies and gains are fractions.

    kind : action | labels | both (an action with the advised plan); images : collected for it
    gain, gain_low, gain_high : class-balanced accuracy less that of now, with the interval of the difference; None
        where no level is known; gain_at_half : the same if now reaches 50 %
    plain, plain_now : accuracy where test images come as often as the manifest's
    worst : label of the class that is worst now, and its share right now and after
    recalls : of every tested class, the worst of now first; (): nothing is known of classes
    n_configurations : that had the action; None: no action
    outside : whether it lies outside of what the fit saw
    backed : whether anything says a level, see `predictor.prediction.OutcomePrediction`
    """

    name: str
    kind: str
    images: int
    value: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    p_better: float
    plain: float | None
    plain_now: float | None
    worst: tuple[str, float, float] | None
    recalls: tuple[ClassRecall, ...]
    n_configurations: int | None
    outside: bool
    backed: bool = True
    gain_at_half: float | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """A manifest under a recipe: its value, what tells how far it may be off, and its classes."""

    value: float
    side: Side
    recalls: Mapping[str, float]
    counts: Mapping[str, int]
    outside: bool
    backed: bool


def relabelled(
    distribution: LabelDistribution,
    *,
    merge_below: int | None = None,
    drop_below: int | None = None,
    other: str | None = None,
) -> dict[str, LabelDistribution]:
    """{what was done: the manifest after it}, its tested classes the same.

    merge_below, drop_below : target classes with fewer images become one other class, or are left out
    other : an other class of the manifest (none of the above), which is left out

    Raises FitError where no class is as small, where fewer than two would be left, and where there is no such class.
    """
    made: dict[str, LabelDistribution] = {}
    targets = distribution.target_names
    counts = dict(zip(targets, distribution.target_counts.tolist(), strict=True))
    for option, below in (("--merge-below", merge_below), ("--drop-below", drop_below)):
        if below is None:
            continue
        small = {name for name, n in counts.items() if n < below}
        if not small:
            raise FitError(
                f"no class has fewer than {below} images; the smallest has {min(counts.values())}",
                where=option, remedy="name a larger number",
            )  # fmt: skip
        if len(targets) - len(small) < 2:
            raise FitError(
                f"{len(small)} of {len(targets)} classes have fewer than {below} images; two must be left",
                where=option, remedy="name a smaller number",
            )  # fmt: skip
        rows = [row for row in distribution.rows() if row[0] not in small]
        words = f"{option.removeprefix('--').replace('-', ' ')} {below}"
        if option == "--merge-below":
            merged = [row for row in distribution.rows() if row[0] in small]
            rows += [(_free("small classes", distribution), source, n) for _, source, n in merged]
        many = f"{len(small)} class" + ("es" if len(small) > 1 else "")
        made[f"{words} ({many})"] = LabelDistribution.from_counts(rows, targets=targets)
    if other is not None:
        others = sorted(set(distribution.class_names) - set(targets))
        if other not in others:
            raise FitError(
                f"{with_near([other], others)} is no other class of the manifest; it has "
                + (", ".join(others[:10]) or "none"),
                where="--other", remedy="say which classes are tested: --targets FILE",
            )  # fmt: skip
        rows = [row for row in distribution.rows() if row[0] != other]
        made[f"without {other}"] = LabelDistribution.from_counts(rows, targets=targets)
    return made


def _free(name: str, distribution: LabelDistribution) -> str:
    while name in distribution.class_names:
        name += "'"
    return name


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores a manifest under the recipe's actions.

    named : the recipe; asked : target set and domain; outcome, level : of the predictions
    """

    named: Named
    asked: Mapping[str, str]
    outcome: str
    level: float

    def score(self, distribution: LabelDistribution, action: Action, steps: int | None) -> Scored | None:
        """None where nothing can be said."""
        named = replace(self.named, action=action)
        told = {} if steps is None else {"manifest": steps}
        found = predict(
            named.fit, {"manifest": distribution}, **self.asked, recipe=named, level=self.level, steps=told,
            outcomes=[self.outcome], explain=False,
        ).predictions[0]  # fmt: skip
        own = found.outcome(self.outcome)
        if own.value is None:
            return None
        request = resolve(named.fit, self.asked["target_set"], self.asked["domain"], **named.asked).with_steps(steps)
        whole = with_roles("manifest", distribution, request)
        fitted = named.fit.outcomes[self.outcome]
        case = make_case(whole, request, tested=fitted.tested.get(request.target_set))[0]
        classes = predict_classes(fitted, own, case, found.basis)
        return Scored(
            value=own.value,
            side=Side(float(logit(own.value)), fitted.ask(case).signs()),
            recalls={one.name: one.value for one in classes.worst} if classes else {},
            counts={one.name: one.n_samples for one in classes.worst} if classes else {},
            outside=found.status == "outside",
            backed=own.backed,
        )

    @property
    def errors(self) -> Any:
        """How far differences may be off."""
        request = resolve(self.named.fit, self.asked["target_set"], self.asked["domain"], **self.named.asked)
        split = self.named.fit.outcomes[self.outcome].split(request.basis)
        return differences(split, known=request.basis == "in_domain")


def changes(
    scorer: Scorer,
    now: LabelDistribution,
    steps: Mapping[str, int | None],
    relabelled_: Mapping[str, LabelDistribution],
    plan: LabelDistribution | None,
) -> tuple[tuple[Change, ...], str | None]:
    """(what can be done without images, the greatest gain first; why no action is among it, or None).

    steps : {'now', what was relabelled, PLAN: image-steps of its run}
    plan : the manifest after the advised plan; None: nothing is to be collected
    """
    base = scorer.score(now, scorer.named.action, steps.get("now"))
    if base is None:
        return (), "nothing can be said of the manifest as it is"
    known, reason = _actions(scorer.named, now)
    found: list[Change] = []
    for action, n in known:
        found += _change(scorer, base, now, now, action.name, "action", action, steps.get("now"), n)
    for name, after in relabelled_.items():
        found += _change(scorer, base, now, after, name, "labels", scorer.named.action, steps.get(name), None)
    if plan is not None and found and known:
        best = max((one for one in found if one.kind == "action"), key=lambda one: one.value, default=None)
        if best is not None:
            action = Action.parse(best.name)
            found += _change(scorer, base, now, plan, f"{best.name}, {PLAN}", "both", action, steps.get(PLAN),
                             best.n_configurations)  # fmt: skip
    return tuple(sorted(found, key=lambda one: -one.value)), reason


def _actions(named: Named, now: LabelDistribution) -> tuple[list[tuple[Action, int]], str | None]:
    """(actions that runs of the recipe had, with their configurations; why there are none, or None)."""
    if named.evidence is None:
        return [], "the fit has no run of this recipe"
    if named.action != NONE:
        return [], f"{named.action.name} is part of the recipe already"
    known = [(Action.parse(name), n) for name, n in named.evidence.actions.items() if name != NONE.name]
    if not known:
        return [], f"no run of {named.evidence.name} had one"
    acting = [(action, n) for action, n in known if action.pushes(now.target_counts).any()]
    return acting, None if acting else "all classes are as large: there is nothing to weigh"


def _change(
    scorer: Scorer, base: Scored, now: LabelDistribution, after: LabelDistribution, name: str, kind: str,
    action: Action, steps: int | None, n: int | None,
) -> Iterator[Change]:  # fmt: skip
    own = scorer.score(after, action, steps)
    if own is None:
        return
    errors = scorer.errors
    moved = own.side.logit - base.side.logit
    half = errors.half_width(own.side, base.side, scorer.level)
    ends = (None, None) if half is None else (moved - half, moved + half)
    backed = own.backed and base.backed
    low, high = (
        float(expit(base.side.logit + end)) - base.value if backed and end is not None else None for end in ends
    )
    order = sorted(base.recalls, key=lambda label: (base.recalls[label], label))
    recalls = tuple(
        ClassRecall(label=label, n_samples=own.counts.get(label, 0), now=base.recalls[label],
                    then=own.recalls.get(label, 0.0)) for label in order
    )  # fmt: skip
    first = recalls[0] if recalls else None
    yield Change(
        name=name, kind=kind, images=max(after.n_samples - now.n_samples, 0) if kind == "both" else 0,
        value=own.value, gain=own.value - base.value if backed else None, gain_low=low, gain_high=high,
        p_better=errors.probability(own.side, base.side), plain=_plain(now, own.recalls),
        plain_now=_plain(now, base.recalls), worst=None if first is None else (first.label, first.now, first.then),
        recalls=recalls, n_configurations=n, outside=own.outside, backed=backed,
        gain_at_half=float(expit(moved)) - 0.5,
    )  # fmt: skip


def _plain(now: LabelDistribution, recalls: Mapping[str, float]) -> float | None:
    """Accuracy where the tested classes come as often as in the manifest; None where their shares are not known.

    >>> d = LabelDistribution.from_counts({"cat": 30, "dog": 10})
    >>> _plain(d, {"cat": 0.8, "dog": 0.4})
    0.7
    """
    counts = dict(zip(now.target_names, now.target_counts.tolist(), strict=True))
    names: Sequence[str] = [name for name in recalls if counts.get(name)]
    if not names:
        return None
    weights: Floats = np.array([counts[name] for name in names], dtype=np.float64)
    return round(float(weights @ np.array([recalls[name] for name in names]) / weights.sum()), 12)
