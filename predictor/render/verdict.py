"""The answer in one sentence: which manifest to take, or what one will reach, how sure that is, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.models.scales import SHARES
from predictor.prediction.results import Comparison, NextStep, OutcomePrediction, Prediction, Predictions
from predictor.render.layout import TIED, whole
from predictor.render.tables import number, percent
from predictor.text import command

NAMED = 3  # manifests, indicators and classes in a sentence
PILOTS = 3  # sizes of pilots that tell level and slope
OWN_GRID = "--recipe GRID.yaml"  # of a network that the fit does not know
SURE = 0.9  # probability from which one manifest is called better than another


def verdict_text(found: Predictions) -> str:
    """The verdict as one paragraph."""
    return " ".join([*_outside(found), _answer(found), *_silent(found), *_next(found)])


def verdict_content(found: Predictions) -> dict[str, Any]:
    """The verdict for a program: what is best, against what, how sure, and the sentence."""
    best = found.predictions[0]
    row = _against_second(found)
    return {
        "sentence": verdict_text(found).replace(TIED, " "),
        "best": best.manifest,
        "outcome": best.outcomes[0].outcome,
        "status": best.status,
        "outside": [item.manifest for item in found.predictions if item.status == "outside"],
        "against": None if row is None else row.b,
        "p_a_better": None if row is None else row.p_a_better,
        "sure": None if row is None else row.p_a_better >= SURE,
        "points": None if row is None else row.points,
        "low": None if row is None else row.points_low,
        "high": None if row is None else row.points_high,
        "level": best.outcomes[0].level,
        "covered": None if row is None or row.covered is None else list(row.covered),
    }


def pilots_of(manifest: str, asked: Sequence[str] = (), *, n: int = 3) -> str:
    """The command that plans pilots of a manifest, in one piece. asked : its further options"""
    return whole(command("predictor", "pilots", manifest, *asked, "--next", n))


def probability(p: float) -> str:
    """A probability with two digits; what would round to certainty is no certainty.

    >>> probability(0.973), probability(0.9999), probability(0.0001)
    ('0.97', '> 0.99', '< 0.01')
    """
    return "> 0.99" if p > 0.995 else "< 0.01" if p < 0.005 else f"{p:.2f}"


def points_text(value: float | None, low: float | None, high: float | None) -> str:
    """A difference of fractions in points, with its interval.

    >>> points_text(0.204, 0.159, 0.246), points_text(0.204, None, None)
    ('+20.4 [+15.9, +24.6]', '+20.4')
    """
    if value is None:
        return "-"
    bounds = "" if low is None or high is None else f" [{100 * low:+z.1f}, {100 * high:+z.1f}]"
    return f"{100 * value:+z.1f}{bounds}"


def against_now(
    gain: float | None, low: float | None, high: float | None, at_half: float | None
) -> dict[str, str | None]:
    """A column of a table: the gain in points, or where no level is known what it is if that of now is 50 %.

    >>> against_now(0.02, None, None, 0.03), against_now(None, None, None, 0.03)
    ({'points against now': '+2.0'}, {'if now has 50 %': '+3.0'})
    """
    if gain is None:
        return {"if now has 50 %": None if at_half is None else points_text(at_half, None, None)}
    return {"points against now": points_text(gain, low, high)}


def named(names: Iterable[str], most: int = NAMED) -> str:
    """Some names, and how many more there are.

    >>> named("abcde")
    'a, b, c and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def outside_text(items: Sequence[Mapping[str, Any]]) -> str:
    """Indicators beyond what the fit saw."""
    return "; ".join(
        f"{e['indicator']} {number(e['value'])}, the fit saw {number(e['low'])} to {number(e['high'])}" for e in items
    )


def _outside(found: Predictions) -> list[str]:
    """What is said first where a manifest lies outside of the runs behind the fit."""
    beyond = [item for item in found.predictions if item.outside or item.unknown]
    if not beyond:
        return []
    first = beyond[0]
    whose = "" if len(found.predictions) == 1 else f" ({named(item.manifest for item in beyond)})"
    what = first.unknown or outside_text(first.outside)
    return [f"OUTSIDE of what the fit saw{whose}: {what}."]


def silent_text(n: int) -> str:
    """That all pilots are at chance.

    >>> silent_text(1), silent_text(3)
    ('1 pilot at chance', '3 pilots at chance')
    """
    return f"{n} pilot{'' if n == 1 else 's'} at chance"


def _silent(found: Predictions) -> list[str]:
    """That pilots were given which tell nothing."""
    n = found.predictions[0].silent
    return [f"It is as without pilots: {silent_text(n)} tell{'s' if n == 1 else ''} nothing."] if n else []


def sizes_lacking(item: Prediction) -> int:
    """Pilots that a manifest outside of the fit needs further: from PILOTS sizes on there is no more to train."""
    return max(PILOTS - item.n_pilots, 0) if item.outside else 0


def _answer(found: Predictions) -> str:
    best = found.predictions[0]
    if len(found.predictions) == 1 or best.outcomes[0].value is None:
        return _one(best)
    row = _against_second(found)
    return _one(best) if row is None else _compared(found, row)


def _against_second(found: Predictions) -> Comparison | None:
    if len(found.predictions) < 2:
        return None
    a, b = found.predictions[:2]
    return found.compared(a.manifest, b.manifest, a.outcomes[0].outcome)


def _compared(found: Predictions, row: Comparison) -> str:
    a, b = found.predictions[:2]
    beyond = bool(a.outside or b.outside or a.unknown or b.unknown)
    what = "more accurate" if row.outcome == "accuracy" else f"better in {row.outcome}"
    sure = f"P(better) {probability(row.p_a_better)}"
    if row.points is not None:
        levels = f"{percent(a.outcome(row.outcome).value)} against {percent(b.outcome(row.outcome).value)}"
        size = f"{100 * row.points:.1f} points {what} than {row.b} ({levels})"
        if row.points_low is not None and row.points_high is not None:
            bounds = f"{100 * row.points_low:+z.1f} to {100 * row.points_high:+z.1f}"
            sure += f", {row.level:.0%} interval {bounds} points".replace("%", " %")
    else:
        more = f"{100 * row.points_at_half:.0f} points more if {row.b} reaches 50 %"
        size = f"{what} than {row.b} ({more}, {100 * row.points_at_ninety:.0f} if 90 %)"
    if beyond:
        evidence = "; how often such intervals hold there is not known"
    elif row.covered:
        evidence = f"; such intervals held for {row.covered[0]:,} of {row.covered[1]:,} held-out pairs"
    else:
        evidence = "; how often such intervals hold was not measured"
    rest = found.predictions[2:]
    others = ""
    if rest:
        against = [found.compared(row.a, item.manifest, row.outcome) for item in rest]
        beaten = sum(own is not None and own.p_a_better >= SURE for own in against)
        what = f"{beaten} of {len(rest)} others" if len(rest) > 1 else rest[0].manifest if beaten else ""
        others = f"; it beats {what} with P >= {SURE:g}" if what else f"; {rest[0].manifest} may be as good"
    if row.p_a_better < SURE:
        return f"Undecided between {row.a} and {row.b}: {row.a} is predicted {size}, but {sure}{evidence}{others}."
    return f"Take {row.a}: {size}; {sure}{evidence}{others}."


def _one(item: Prediction) -> str:
    """What one manifest will reach, in words."""
    own = item.outcomes[0]
    if own.value is None or own.low is None or own.high is None:
        return f"{item.manifest}: no statement on {own.outcome}: {own.reason}."
    weak = _weakest(item)
    if own.edge is not None:
        value, low, high = own.edge
        beyond = "no level is known"
        if own.backed:
            beyond = f"{_level(own, own.value, own.low, own.high)}, uncalibrated"
        return f"{item.manifest}: at the edge of the fit {_level(own, value, low, high)}; beyond it {beyond}{weak}."
    if item.unknown:
        return f"{item.manifest}: no level is known, as no run had that recipe{weak}."
    if not own.backed:
        return f"{item.manifest}: labels alone do not tell the level that images like these reach{weak}."
    text = f"{item.manifest} will reach {_level(own, own.value, own.low, own.high)}"
    if own.scale in SHARES:
        chance = item.chance
        right = f"about {round(100 * own.value)} of 100 test images right"
        text += f": {right}" + (f", where guessing gets {100 * chance:.2g}" if chance else "")
    return f"{text}{weak}."


def _level(own: OutcomePrediction, value: float, low: float, high: float) -> str:
    level = f"{own.level:.0%}".replace("%", " %")
    if own.scale in SHARES:
        return f"{percent(value)} {own.outcome} ({level} interval {100 * low:.1f} to {100 * high:.1f})"
    return f"{value:.4g} {own.outcome} ({level} interval {low:.4g} to {high:.4g})"


def _weakest(item: Prediction) -> str:
    classes = next((own for own in item.classes if own.worst), None)
    if classes is None:
        return ""
    worst = classes.worst[:NAMED]
    if len({one.value for one in worst}) == 1 and len({one.n_samples for one in worst}) == 1:
        return ""  # the fit does not tell them apart
    return f"; weakest: {', '.join(one.name for one in worst)}"


def _next(found: Predictions) -> list[str]:
    best = found.predictions[0]
    step = found.next_step
    if step is not None:
        return [step_text(step)]
    own = best.outcomes[0]
    if best.unknown and not best.pilots:
        own_runs = whole(f"{command('predictor', 'pilots', best.manifest, '--next', 3)} {OWN_GRID}")
        return [f"Next: train runs with it yourself: {own_runs}."]
    if best.outside:
        return _next_outside(best)
    if own.value is not None and not own.backed and not best.silent:  # else the pilot that is next is named
        return [f"Next: 1-3 cheap runs of your own tell the level: {pilots_of(best.manifest)}."]
    return []


def _next_outside(best: Prediction) -> list[str]:
    """Image-steps that the fit saw, and pilots where there are too few."""
    lacking = sizes_lacking(best)
    ways = []
    for item in best.outside:
        if item["indicator"] == "image_steps":
            ways.append(f"ask between {item['low']:,.0f} and {item['high']:,.0f} image-steps: --image-steps N")
    if lacking > 0:
        many = f"{lacking} {'more ' if best.n_pilots else ''}size{'' if lacking == 1 else 's'}"
        ways.append(f"train it yourself at {many}: {pilots_of(best.manifest, n=lacking)}")
    return [f"Next: {', or '.join(ways)}."] if ways else []


def step_text(step: NextStep) -> str:
    """The next step as a sentence.

    >>> step = NextStep(manifest="a.csv", outcome="accuracy", images={"fox": 4, "owl": 3}, value=0.6, gain=0.05,
    ...                 low=0.02, high=0.08, level=0.9, p_better=0.99)
    >>> step_text(step)
    'Next: 7 images (fox +4, owl +3): +5.0 points [+2.0, +8.0], P(better) 0.99.'
    """
    counts = set(step.images.values())
    if len(step.images) > NAMED and len(counts) == 1:
        what = f"+{counts.pop():,} for each of {len(step.images)} classes"
    else:
        what = named(f"{name} +{n:,}" for name, n in step.images.items())
    gain = points_text(step.gain, step.low, step.high).replace(" [", " points [")
    start = "Next:" if step.p_better >= SURE else "May help:"
    return f"{start} {sum(step.images.values()):,} images ({what}): {gain}, P(better) {probability(step.p_better)}."
