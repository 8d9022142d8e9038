"""What a caller may ask of `agreement`, checked against the frame; runs -> one table of configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import RegistryError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_STATISTICS = ("spearman", "kendall_tau_b", "gamma")
PAIRWISE = ("kendall_tau_b", "gamma", "somers_d", "decision_accuracy", "decision_coverage")
BY_DESIGN = (
    "stratified_gamma", "granulated_kendall", "conditional_mutual_information", "conditional_mutual_information_pgdl",
    "sign_error", "sign_error_worst",
)  # fmt: skip
ALL_STATISTICS = ("spearman", *PAIRWISE, *BY_DESIGN)
UNIT = ["study", "target_set", "configuration_id"]
SIZE = "n_samples"
LEAST_DRAWS = 20  # 19 random orders could just reach p = 0.05


@dataclass(frozen=True, kw_only=True)
class AgreementRequest:
    """Everything that decides the numbers, besides the runs.

    by : axes along which to look; blocks : columns whose levels permutation keeps apart
    """

    indicators: tuple[str, ...]
    outcomes: tuple[str, ...]
    statistics: tuple[str, ...]
    given: str | None
    by: tuple[str, ...]
    blocks: tuple[str, ...]
    level: float
    adjust: str
    n_bootstrap: int
    n_permutations: int
    seed: int


def checked(frame: pd.DataFrame, request: AgreementRequest) -> None:
    """Refuse what has no answer: unknown names, infinite values, runs that stand twice or that grouping would drop."""
    if unknown := [name for name in request.statistics if name not in ALL_STATISTICS]:
        raise RegistryError(f"unknown statistic {unknown[0]!r}", remedy=f"choose of {', '.join(ALL_STATISTICS)}")
    if request.adjust not in ("benjamini_hochberg", "max_t"):
        raise RegistryError(f"unknown adjustment {request.adjust!r}", remedy="choose of benjamini_hochberg, max_t")
    if min(request.n_bootstrap, request.n_permutations) < LEAST_DRAWS:
        raise RegistryError(
            f"{request.n_bootstrap} bootstrap and {request.n_permutations} permutation draws",
            remedy=f"take at least {LEAST_DRAWS}; 10,000 are the default",
        )
    if request.seed < 0:
        raise RegistryError(f"seed {request.seed} is negative", remedy="take a whole number from 0")
    if not 0.5 <= request.level < 1:
        raise RegistryError(f"level {request.level} is no level of an interval", remedy="take one from 0.5 to 0.999")
    if missing := [name for name in [*UNIT, "run_id"] if name not in frame]:
        raise RegistryError(f"missing column {missing[0]!r}", where="frame", remedy="make it with predictor.frame()")
    if not len(frame):
        raise RegistryError("there are no runs", where="frame", remedy="name a study that has some")
    for key in UNIT:
        if (empty := frame[key].isna()).any():  # grouping would drop them silently
            run = frame.loc[empty, "run_id"].iloc[0]
            raise RegistryError(
                f"no {key} in {int(empty.sum())} runs, first {run}", where="frame", remedy="drop or name them"
            )
    twice = frame.loc[frame.duplicated(["study", "run_id"]), "run_id"]
    if len(twice):
        raise RegistryError(
            f"{len(twice)} runs stand twice, first {twice.iloc[0]}", where="frame", remedy="drop the duplicates"
        )
    columns = [*(f"ind_{name}" for name in request.indicators), *(f"out_{name}" for name in request.outcomes)]
    if request.given:
        columns.append(f"ind_{request.given}")
    for column in columns:
        try:
            values = frame[column].to_numpy(float)
        except (TypeError, ValueError):
            texts = frame[column].map(lambda value: isinstance(value, str))
            bad, first = int(texts.sum()), frame[column][texts].iloc[0] if texts.any() else frame[column].iloc[0]
            raise RegistryError(
                f"column {column!r} holds what is no number in {bad} runs, first {first!r}",
                where="frame",
                remedy="make it numbers: pandas.to_numeric",
            ) from None
        infinite = np.isinf(values)
        if infinite.any():
            run = frame.loc[infinite, "run_id"].iloc[0]
            raise RegistryError(
                f"column {column!r} is infinite in {int(infinite.sum())} runs, first {run}",
                where="frame",
                remedy="leave it out, or mend it",
            )
    if _all_diverged(frame):
        _no_outcome(frame)
    for block in request.blocks:
        if block not in frame:
            raise RegistryError(
                f"no column {block!r} to permute within", remedy=f"choose of {', '.join(settings_of(frame)) or 'none'}"
            )


def names(frame: pd.DataFrame, prefix: str, wanted: Sequence[str] | None, kind: str) -> tuple[str, ...]:
    """Names of the indicators or outcomes: those wanted, or all; an error lists what there is."""
    known = [column.removeprefix(prefix) for column in frame.columns if column.startswith(prefix)]
    if unknown := [name for name in wanted or () if name not in known]:
        raise RegistryError(f"no {kind} {unknown[0]!r} in these runs", remedy=f"choose of {', '.join(known) or 'none'}")
    if not known and kind == "outcome" and len(frame):
        _no_outcome(frame)
    if not known:
        raise RegistryError(f"these runs have no {kind}", remedy=f"give the frame columns {prefix}NAME")
    return tuple(dict.fromkeys(wanted)) if wanted else tuple(known)


def axes(frame: pd.DataFrame, wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of axes of the grids, without their prefix."""
    known = [column.removeprefix("axis_") for column in settings_of(frame)]
    if unknown := [name for name in wanted if name not in known]:
        raise RegistryError(
            f"no axis {unknown[0]!r} varies in these runs", remedy=f"choose of {', '.join(known) or 'none'}"
        )
    return tuple(dict.fromkeys(wanted))


def settings_of(frame: pd.DataFrame) -> list[str]:
    """Columns of the axes that vary."""
    found = [column for column in frame.columns if column.startswith("axis_")]
    return [column for column in found if frame[column].nunique(dropna=False) > 1]


def _all_diverged(frame: pd.DataFrame) -> bool:
    return "status" in frame and bool(frame["status"].eq("diverged").all())


def _no_outcome(frame: pd.DataFrame) -> None:
    if _all_diverged(frame):
        raise RegistryError(
            f"all {len(frame)} runs diverged, so that no outcome was measured",
            remedy="lower recipe.learning_rate in their grid and train it again",
        )
    raise RegistryError(
        "these runs have no outcome",
        remedy="name a study whose runs were tested, or give the frame columns out_NAME",
    )
