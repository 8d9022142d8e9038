"""Runs that enter no fit: why, how many, and what takes them after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from predictor.records.schema import Reported, RunRecord


@dataclass(frozen=True, order=True)
class Reason:
    """Why a run is left out. more : what is said behind it; option : of `predictor fit`, which takes such runs

    >>> str(Reason("held out for scoring", " (name it with --study to fit on it)"))
    'held out for scoring (name it with --study to fit on it)'
    """

    why: str
    more: str = ""
    option: str = ""

    def __str__(self) -> str:
        return self.why + self.more


@dataclass(frozen=True, order=True)
class LeftOut:
    """Runs of one study that are left out for one reason."""

    study: str
    reason: Reason
    n_runs: int

    def __str__(self) -> str:
        return f"{self.study}: {self.n_runs} runs left out: {self.reason}"


UNFITTED = "recipe family "  # how a note on a family that has too few runs begins
NAME_IT = " (name it with --study to fit on it)"
STAGES = Reason("trained in several stages: a manifest says what one stage trains on")
HELD_OUT = Reason("held out for scoring", NAME_IT)
REPORTED = Reason("reported, not trained here", NAME_IT)
TWICE = Reason("listed already: a run counts once")


def reason_of(record: RunRecord, studies: Sequence[str] | None) -> Reason | None:
    """Why a run of a study that is asked for enters no fit; None where it does. studies : the named ones"""
    if record.status != "completed":
        return Reason(f"status {record.status}")
    if not isinstance(record.data, Reported) and len(record.data.stages) > 1:
        return STAGES
    if not studies and record.held_out:
        return HELD_OUT
    if not studies and isinstance(record.data, Reported):
        return REPORTED
    return None


def other_recipe(name: str, told: str, options: str) -> Reason:
    """A run of network `name` whose recipe differs from most; told : in what; options : that take it"""
    return Reason(f"another recipe than most runs of {name}", f": {told}; {options} takes them as a factor", options)
