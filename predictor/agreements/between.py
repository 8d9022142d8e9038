"""Runs -> one row a target set: its level in a common design, and what is the same for all of its runs.

Indicators of label counts tell designs of one target set apart; those of images tell target sets apart. For these a
target set is the unit: `agreement` on this table says how well they rank target sets, given the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from predictor.errors import RegistryError
from predictor.statistics.ties import varies

if TYPE_CHECKING:
    import pandas as pd

STUDY = "between target sets"
ALL = "all domains"
RECIPE = {  # the settings that are one recipe, in words
    "spec_model": "{}", "spec_image_size": "{:.0f} px", "spec_learning_rate": "learning rate {:.2g}",
    "spec_augmentation": "augmentation {}",
}  # fmt: skip
DESIGN = {  # what the level is freed of: each is a column, or the logarithm of one
    "mean_log_count": "ind_mean_log_count",
    "power_difficulty": "ind_power_difficulty@0.5",
    "log other classes": "ind_n_other_classes",
    "log image-steps": "spec_image_steps",
}
SEVERAL = ("axis_stages", "axis_pretrain_classes")  # grids that train in several stages
FEWEST = 5  # target sets of a domain that are compared among each other
CLASSES = "ind_n_target_classes"
NEAR = 0.005  # a share is kept so far from 0 and 1 before its logit


def between_target_sets(frame: pd.DataFrame, outcomes: Sequence[str] | None = None) -> pd.DataFrame:
    """One row a target set, for `agreement`; the target sets of a large domain stand once more among themselves.

    frame : one row a run, from `predictor.frame`
    Outcomes are shares at the mean design: what a regression on the counts and image-steps leaves, a level of its own
    for each target set; of the accuracy the share above chance, as target sets differ in their number of classes.
    Indicators are those that are equal in all runs of each target set. `attrs["told"]` says what is ranked.

    Raises RegistryError where fewer than five target sets were trained with one recipe.
    """
    import pandas as pd

    runs = _of_one_recipe(frame)
    names = [c.removeprefix("out_") for c in runs if c.startswith("out_") and f"scale_{c[4:]}" not in runs]
    names = [name for name in names if outcomes is None or name in outcomes]
    found: dict[str, pd.Series] = {}
    for name in names:
        levels = _levels(runs[runs[f"out_{name}"].notna()], name)
        if len(levels) >= FEWEST:
            found[f"out_{name}"] = levels
    if not found:
        n = runs["target_set"].nunique()
        raise RegistryError(
            f"{n} target sets of one recipe; {FEWEST} are needed to rank them", remedy="leave --between out"
        )
    indicators = {}
    for column in (c for c in runs if c.startswith("ind_")):
        of_each = runs.groupby("target_set")[column]
        if (of_each.nunique(dropna=False) == 1).all():
            indicators[column] = of_each.first()
    domains = runs.groupby("target_set")["domain"].first()
    table = pd.DataFrame({**indicators, **found})
    table.insert(0, "run_id", table.index)
    table.insert(0, "configuration_id", table.index)
    table.insert(0, "domain", domains)
    table = table[table[list(found)].notna().any(axis=1)]
    large = [name for name, n in table["domain"].value_counts().items() if FEWEST <= n < len(table)]
    told = _told(runs, len(table))
    parts = [(ALL, table), *((name, table[table["domain"] == name]) for name in sorted(large))]
    made = pd.concat(
        [part.assign(study=STUDY if name == ALL else f"{STUDY} of a domain", target_set=name) for name, part in parts],
        ignore_index=True,
    )
    made.attrs["told"] = told
    return made


def _told(runs: pd.DataFrame, n: int) -> str:
    """What is ranked, in words."""
    first = runs[[column for column in RECIPE if column in runs]].iloc[0].dropna()
    recipe = ", ".join(RECIPE[column].format(value) for column, value in first.items())
    freed = ", ".join(name for name, column in DESIGN.items() if column in runs)
    return (
        f"n counts target sets: the levels of {n}, from {len(runs):,} runs of the most frequent recipe ({recipe}), "
        f"freed of {freed}: rho is what an indicator adds to these"
    )


def _of_one_recipe(frame: pd.DataFrame) -> pd.DataFrame:
    """Trained runs of one stage with the most frequent recipe."""
    runs = frame[(frame["provenance"] == "trained") & (frame["status"] == "completed")]
    for column in SEVERAL:
        if column in runs:
            runs = runs[runs[column].isna()]
    recipe = [column for column in RECIPE if column in runs]
    if runs.empty or not recipe:
        return runs
    # a change of a setting below a hundredth is none, as in a fit
    told = (
        runs[recipe].map(lambda value: f"{value:.2g}" if isinstance(value, float) else str(value)).agg(" ".join, axis=1)
    )
    return runs[told == told.value_counts().index[0]]


def _levels(runs: pd.DataFrame, outcome: str) -> pd.Series:
    """{target set: share at the mean design}, by least squares with a level for each target set."""
    import pandas as pd

    columns = {name: column for name, column in DESIGN.items() if column in runs}
    means = runs.groupby(["target_set", "configuration_id"])[[*columns.values(), f"out_{outcome}"]].mean().dropna()
    if means.empty:
        return pd.Series(dtype=float)
    sets = means.index.get_level_values("target_set")
    share = means[f"out_{outcome}"]
    if outcome == "accuracy" and CLASSES in runs:
        chance = 1 / sets.map(runs.groupby("target_set")[CLASSES].first()).to_numpy(float)
        share = (share - chance) / (1 - chance)
    share = share.clip(NEAR, 1 - NEAR)
    design = []
    for name, column in columns.items():
        values = means[column].to_numpy(float)
        values = np.log1p(values) if name.startswith("log") else values
        if varies(values):
            design.append((values - values.mean()) / values.std())
    own = pd.get_dummies(sets).astype(float)
    fitted = np.linalg.lstsq(np.column_stack([own, *design]), np.log(share / (1 - share)).to_numpy(), rcond=None)[0]
    return pd.Series(1 / (1 + np.exp(-fitted[: own.shape[1]])), index=own.columns)
