"""How error and width fall with the number of pilots, on target sets that a fit never saw.

    python benchmarks/advice.py [RUNS [FAMILY [NUMBER OF PILOTS ...]]]

Every target set is left out in turn, alone (its domain stays known) or with all of its domain: the family is fitted to
the others, their spread is learned from leaving each of them out as well, the left-out one gives k pilots, and its
configurations that are a pilot for no k are predicted, so that every k is scored on the same ones. Pilots are its
configurations with the fewest images ("cheap": evenly over that half) or drawn at random (5 draws), one run of each;
what is predicted is the mean over seeds. Beside it: the same
pilots alone, logit accuracy = a + b log N (constant with one pilot). "at best": level and slope fitted to all its
configurations, the scored ones too: what no number of pilots can beat with this family. Nothing here is chosen from
the scores.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from predictor.fitting.calibration import UNKNOWN_SD
from predictor.fitting.configurations import configurations
from predictor.fitting.held_out import predict_rows
from predictor.fitting.rows import rows_for, select
from predictor.models import Row, families
from predictor.models.links import expit, logit
from predictor.planning.pilots.spread import NEW_DOMAIN, SetSpread, beyond, cheap, learn
from predictor.records import read_registry
from predictor.render.tables import rows_text
from predictor.statistics.conformal import error_scale, t_quantile

LEVEL, DRAWS, NUMBERS = 0.9, 5, (0, 1, 2, 3, 5, 8)
Arrays = tuple[np.ndarray, ...]


class LeftOut:
    """Predictions of target sets by a family that was fitted to some others; fits are kept."""

    def __init__(self, rows: Sequence[Row], family: str) -> None:
        self.rows, self.family = rows, family
        self.domains = {row.target_set: row.domain for row in rows}
        self._fitted = cache(self._fit)

    def _fit(self, names: frozenset[str]) -> dict[str, object]:
        return families()[self.family].fit([row for row in self.rows if row.target_set in names])

    def at(self, fitted_on: set[str], name: str) -> Arrays:
        """(predicted logits, residuals of one run, log N, measured mean) of the configurations of one target set."""
        own = [row for row in self.rows if row.target_set == name]
        configs = configurations(own)
        x = logit(configs.mean(predict_rows(self._fitted(frozenset(fitted_on)), own)))
        sizes = configs.mean(np.array([np.log(row.case.feature("n_samples")) for row in own]))
        return x, configs.single - x, sizes, configs.measured

    def spread(self, known: set[str]) -> SetSpread:
        """How target sets differ from what is predicted for them, each of the known ones left out in turn."""
        parts = {name: self.at(known - {name}, name) for name in sorted(known)}
        owners = [name for name, part in parts.items() for _ in part[0]]
        return learn(*(np.concatenate([part[i] for part in parts.values()]) for i in (0, 1)), owners)

    def known(self, name: str, with_domain: bool) -> tuple[set[str], SetSpread]:
        """(target sets that are fitted to where this one is left out, their spread)."""
        others = {n for n in self.domains if n != name}
        if not with_domain:
            return others, self.spread(others)
        others = {n for n in others if self.domains[n] != self.domains[name]}
        found = self.spread(others)
        extra = max(0.0, UNKNOWN_SD**2 - float(found.covariance[0, 0]))
        return others, replace(found, covariance=found.covariance + beyond(found.covariance, extra))


def log_n_alone(sizes: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Predicted logits of a fit of the pilots alone."""
    if len(y) < 2 or np.ptp(sizes) < 1e-9:
        return np.full(len(at), y.mean())
    return np.polyval(np.polyfit(sizes, y, 1), at)


def at_best(x: np.ndarray, residuals: np.ndarray, tail: float) -> np.ndarray:
    """Residuals' level and slope by weighted least squares, at x."""
    scale = error_scale(expit(x), tail)
    design = np.column_stack([np.ones(len(x)), x - x.mean()])
    return design @ np.linalg.lstsq(design / scale[:, None], residuals / scale, rcond=None)[0]


def scores(
    rows: Sequence[Row], family: str, numbers: Sequence[int] = NUMBERS, how: str = "cheap", new_domain: bool = False
) -> list[dict[str, object]]:
    """One row for each number of pilots; empty where nothing can be left out."""
    left_out = LeftOut(rows, family)
    parts: dict[int, list[Arrays]] = {k: [] for k in numbers}
    owners, rng = [], np.random.default_rng(0)
    for name in sorted(left_out.domains):
        x, residuals, sizes, truth = left_out.at(set(left_out.domains), name)
        if len(x) < max(numbers) + 5 or (new_domain and len(set(left_out.domains.values())) < 2):
            continue
        others, spread = left_out.known(name, new_domain)
        x, residuals, sizes, truth = left_out.at(others, name)
        half = t_quantile(0.5 + LEVEL / 2, spread.n_sets) * (NEW_DOMAIN if new_domain else 1.0)
        best = at_best(x, residuals, spread.tail)
        for _ in range(1 if how == "cheap" else DRAWS):
            order = rng.permutation(len(x))
            chosen = {k: cheap(sizes, k) if how == "cheap" else order[:k] for k in numbers}
            rest = np.setdiff1d(np.arange(len(x)), np.concatenate(list(chosen.values())))
            owners += [name] * len(rest)
            for k, pilots in chosen.items():
                moved, sd = spread.posterior(x[pilots], residuals[pilots]).at(x[rest])
                centre = x[rest] + moved
                alone = (
                    log_n_alone(sizes[pilots], (x + residuals)[pilots], sizes[rest])
                    if k
                    else np.full(len(rest), np.nan)
                )
                low, high = expit(centre - half * sd), expit(centre + half * sd)
                at = truth[rest]
                errors = (expit(value) - at for value in (centre, alone, x[rest] + best[rest]))
                parts[k].append((*errors, high - low, (low <= at) & (at <= high)))
    return [_row(k, how, new_domain, found, owners) for k, found in parts.items() if found]


def _row(k: int, how: str, new_domain: bool, found: list[Arrays], owners: list[str]) -> dict[str, object]:
    error, alone, best, width, inside = (np.concatenate([part[j] for part in found]) for j in range(5))
    return {
        "pilots": k,
        "chosen": how,
        "domain": "new" if new_domain else "known",
        "mae": 100 * float(np.mean(np.abs(error))),
        "mae log N alone": 100 * float(np.mean(np.abs(alone))) if k else None,
        "at best": 100 * float(np.mean(np.abs(best))),
        "width": 100 * float(np.mean(width)),
        "covered": f"{inside.sum()} of {len(inside)}",
        "target sets": len(set(owners)),
        "errors": {name: np.abs(error)[np.array(owners) == name] for name in sorted(set(owners))},
    }


def table_text(table: Sequence[dict[str, object]]) -> str:
    """The rows of `scores` in words."""
    formats = {name: "{:.1f}".format for name in ("mae", "mae log N alone", "at best", "width")}
    shown = [{key: value for key, value in row.items() if key != "errors"} for row in table]
    return rows_text(shown, "table", formats=formats)


def main(runs: str = "runs", family: str = "classwise", *numbers: str) -> None:
    """Print the table, and what it rests on."""
    start = time.process_time()
    rows = rows_for(select([record for record in read_registry(runs) if not record.held_out]), "accuracy")
    wanted = [int(k) for k in numbers] or NUMBERS
    for new_domain in (False, True):
        for how in ("cheap", "random"):
            print(table_text(scores(rows, family, wanted, how, new_domain)) + "\n")
    print(f"points; {100 * LEVEL:g} % intervals from Student's t; family {family}; "
          f"{len(configurations(rows).ids)} configurations, {len(rows)} runs of {runs}")  # fmt: skip
    print(f"{platform.processor() or platform.machine()}, {time.process_time() - start:.0f} s of CPU, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
