"""What the page says, in five sentences; each figure is computed from the runs, the fit or the verdicts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from predictor.models.fit import Fit
from predictor.render.report.material import Material
from predictor.render.report.ranking import meaning, rho_text
from predictor.render.tables import points
from predictor.render.validation import LEVEL


def sentences(about: Material) -> list[tuple[str, str]]:
    """(what the sentence is about, the sentence)."""
    made = [("What was done", _done(about)), ("How good", _good(about)), ("How far it goes", _far(about))]
    return [
        (head, text) for head, text in [*made, ("What predicts", _what(about)), ("The claims", _claims(about))] if text
    ]


def headline(fit: Fit, outcome: str, split: str = "configuration") -> dict[str, Any] | None:
    """The validation row of the chosen family on one kind of held-out runs."""
    rows = (r for r in fit.validation if r["outcome"] == outcome and r["split"] == split and r["chosen"])
    return next(rows, None)


def _done(about: Material) -> str:
    trained = about.trained
    reported = len(about.configurations) - len(trained)
    text = (
        f"{int(trained['n_runs'].sum()):,} image classifiers were trained in {len(trained):,} configurations on "
        f"{trained['target_set'].nunique()} target sets (sets of classes with their own test images) from "
        f"{trained['domain'].nunique()} kinds of images, to learn what can be said of a classifier from the list of "
        "its training labels alone, before it is trained"
    )
    if not len(trained):
        text = "Nothing on this page was trained here"
    return text + (f"; {reported:,} further rows are as other people reported them." if reported else ".")


def _good(about: Material) -> str | None:
    fit = about.fit
    if fit is None:
        return f"There is no prediction: {about.fit_reason}" if about.fit_reason else None
    first = "accuracy" if "accuracy" in fit.outcomes else next(iter(fit.outcomes))
    row = headline(fit, first)
    if row is None:
        return None
    covered = row["covered"].get(LEVEL)
    simple = next(
        (r for r in fit.validation if (r["outcome"], r["split"], r["family"]) == (first, "configuration", "log_n")),
        None,
    )
    parts = [
        f"On {row['n_configurations']:,} configurations that it had not seen, the fit misses {first} by {_pts(row)} on "
        "average"
    ]
    if simple:
        parts.append(f" (the number of images alone: {_pts(simple)})")
    if covered:
        parts.append(f"; its 90 % intervals held {covered[0]} of {covered[1]}")
    if row["decision_accuracy"] is not None:
        parts.append(
            ", and of two data sets for the same classes it names the better one in "
            f"{row['decision_accuracy']:.0%} of cases"
        )
    return "".join([*parts, "."])


def _far(about: Material) -> str | None:
    if about.fit is None:
        return None
    first = "accuracy" if "accuracy" in about.fit.outcomes else next(iter(about.fit.outcomes))
    new, other = headline(about.fit, first, "target_set"), headline(about.fit, first, "domain")
    parts = []
    if new:
        parts.append(f"for classes that it does not know it misses by {_pts(new)}")
    if other:
        held = other["covered"].get(LEVEL)
        told = f"; intervals held {held[0]} of {held[1]}" if held else ", with no interval that was measured"
        parts.append(
            f"for another kind of images by {_pts(other)}{told}: there the order of data sets carries over (Spearman "
            f"{other['spearman']:.2f}), their level does not without a look at the images or pilot runs"
        )
    return None if not parts else _sentence("; ".join(parts))


def _what(about: Material) -> str | None:
    outcome = next((name for name in ("accuracy", "robustness") if any(r.outcome == name for r in about.pooled)), None)
    own = [row for row in about.pooled if row.outcome == outcome]
    if not own:
        return None
    best = own[0]
    what = meaning(best.indicator).rstrip(".")
    named = best.indicator if what == "-" else f"{best.indicator} ({what[0].lower()}{what[1:]})"
    told = [f"{named} ranks {outcome} best (mean rho {rho_text(best)} over {best.n_target_sets} target sets)"]
    for name, words in (
        ("n_samples", "the number of images"),
        ("left_skew@5", "left-skew, the share of the largest classes,"),
    ):
        row = next((r for r in own if r.indicator == name and r is not best), None)
        if row:
            told.append(f"{words} has {rho_text(row)}")
    return _sentence("; ".join(told), keep=True)


def _claims(about: Material) -> str | None:
    report = about.claims
    if report is None:
        return None
    whole = [result for result in report.results if result.domain is None]
    tested = [result for result in whole if any(part.effect is not None for part in result.parts)]
    counts = Counter(result.verdict for result in tested)
    told = []
    for verdict in ("supported", "contradicted", "undecided"):
        names = [r.label for r in tested if r.verdict == verdict]
        if names:
            told.append(f"{counts[verdict]} {'is' if counts[verdict] == 1 else 'are'} {verdict} ({', '.join(names)})")
    if not told:
        return f"None of {len(whole)} claims about training data has runs to compare here."
    rest = f"; {len(whole) - len(tested)} more have no runs to compare" if len(whole) > len(tested) else ""
    return f"Of {len(tested)} claims about training data that were put to these runs, {_and(told)}{rest}."


def _pts(row: dict[str, Any]) -> str:
    text = points(row["mae"], row["scale"])
    return f"{text} points" if row["scale"] == "accuracy" else text


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _sentence(text: str, keep: bool = False) -> str:
    return (text if keep else text[0].upper() + text[1:]) + "."
