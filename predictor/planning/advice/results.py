"""What advice holds: plans, what each of them is predicted to gain, and the curve behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from predictor.errors import FitError
from predictor.planning.advice.changes import Change
from predictor.planning.advice.curve import Point
from predictor.planning.advice.reach import Reach
from predictor.results import Result

SCHEMA_VERSION = 1
NOW, ADVISED = "now", "advised"


@dataclass(frozen=True, kw_only=True)
class ClassChange:
    """Images of one class: now, to collect (below 0: to leave out), and after. role: target | other."""

    label: str
    role: str
    now: int
    collect: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way to spend the budget. Accuracies and gains are fractions.

    name : advised | now | targets | targets inside | targets and cuts | other classes | both | proportional | uniform |
        smallest first
    collected, cut : images; other_classes : new classes that are only trained on; cost : of what is collected
    image_steps : that it is predicted with
    backed : whether anything says a level, see `predictor.prediction.OutcomePrediction`
    gain, gain_low, gain_high : its value less that of now, with the interval of the difference; None where no level is
        known
    gain_at_half : the same if now reaches 50 %; None of now
    p_better : probability that the plan beats now
    outside : indicators outside the range that the fit saw: {indicator, value, low, high}
    """

    name: str
    collected: int
    cut: int
    other_classes: int
    cost: float
    n_samples: int
    image_steps: int | None
    value: float
    low: float
    high: float
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    p_better: float | None
    changes: tuple[ClassChange, ...]
    outside: tuple[Mapping[str, Any], ...]
    backed: bool = True
    gain_at_half: float | None = None


@dataclass(frozen=True, kw_only=True)
class Against:
    """What the advised plan gains beyond another one (fractions); no points where no level is known."""

    plan: str
    gain: float | None
    low: float | None
    high: float | None
    p_better: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Advice(Result):
    """What to collect for one manifest.

    budget : images, or money where prices are given
    advised : name of the plan that is recommended; 'now' where nothing is predicted to help
    plans : all that were compared, the highest prediction first
    against : the advised plan against proportional, uniform and smallest first
    curve : what each size up to the budget reaches, spread as advised, inside of what the fit saw
    reach : the size for the accuracy that is wanted; five_points : for 5 points more than now
    steps_fixed : whether image-steps stay as they are, or grow with the images
    changes : what can be done without images, see `predictor.planning.advice.changes`; no_actions : why no action of
        training is among it, or None
    fit : where the fit was found
    """

    manifest: str
    outcome: str
    status: str
    target_set: str
    domain: str
    recipe: Mapping[str, Any]
    level: float
    family: str
    budget: int
    priced: bool
    steps_fixed: bool
    advised: str
    plans: tuple[Plan, ...]
    against: tuple[Against, ...]
    curve: tuple[Point, ...]
    reach: Reach | None
    five_points: Reach | None
    notes: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    no_actions: str | None = None
    fit: str = "a fit in memory"
    shown_by: ClassVar[str] = "advice"

    def __repr__(self) -> str:
        best = self.plan(ADVISED)
        gain = "no level" if best.gain is None else f"{100 * best.gain:+z.1f} points"
        told = f"{best.name}, {best.collected:,} images, {gain}"
        return f"<Advice for {self.manifest}: {told} of {self.outcome}>"

    def plan(self, name: str) -> Plan:
        """A plan by its name; 'advised' stands for the recommended one.

        Raises FitError for a name that no plan has.
        """
        wanted = self.advised if name == ADVISED else name
        for item in self.plans:
            if item.name == wanted:
                return item
        raise FitError(
            f"no plan {name!r}; found: {', '.join(item.name for item in self.plans)}", remedy="name one of them: --plan"
        )

    def to_dict(self) -> dict[str, Any]:
        """One object for JSON."""
        content = asdict(self)
        del content["fit"]  # a command says it on the terminal
        return {"schema_version": SCHEMA_VERSION, **content}
