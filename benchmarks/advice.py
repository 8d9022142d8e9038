"""How error and width fall with the number of pilots, on target sets that a fit never saw.

    python benchmarks/advice.py [RUNS [FAMILY [NUMBER OF PILOTS ...]]]

Every target set is left out in turn: the family is fitted to the others, their spread is learned from leaving each of
them out as well, the left-out one gives k pilots, and its other configurations are predicted. Pilots are its
configurations with the fewest images ("cheap": evenly over that half) or drawn at random (5 draws). Beside it: the
same pilots alone, logit accuracy = a + b log N (constant with one pilot). Nothing here is chosen from the scores.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence

import numpy as np

from predictor.fitting.calibration import configurations, predict_rows
from predictor.fitting.rows import rows_for, select
from predictor.inference import expit, logit
from predictor.inference.intervals import t_quantile
from predictor.models import Row, families
from predictor.planning.recalibrate import cheap, learn
from predictor.records import read_registry
from predictor.render.tables import rows_text

LEVEL, DRAWS = 0.9, 5
Arrays = tuple[np.ndarray, ...]


def left_out(
    rows: Sequence[Row], fitted_on: set[str], name: str, family: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(predicted logits, residuals, log N) of the configurations of one target set, fitted to some others."""
    parameters = families()[family].fit([row for row in rows if row.target_set in fitted_on])
    own = [row for row in rows if row.target_set == name]
    configs = configurations(own)
    x = logit(configs.mean(predict_rows(parameters, own)))
    sizes = configs.mean(np.array([np.log(row.case.feature("n_samples")) for row in own]))
    return x, configs.logits - x, sizes


def log_n_alone(sizes: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Predicted logits of a fit of the pilots alone."""
    if len(y) < 2 or np.ptp(sizes) < 1e-9:
        return np.full(len(at), y.mean())
    return np.polyval(np.polyfit(sizes, y, 1), at)


def scores(rows: Sequence[Row], family: str, numbers: Sequence[int], how: str) -> list[dict[str, object]]:
    """One row for each number of pilots."""
    names = sorted({row.target_set for row in rows})
    parts: dict[int, list[Arrays]] = {k: [] for k in numbers}
    rng = np.random.default_rng(0)
    for name in names:
        others = [item for item in names if item != name]
        inner = [left_out(rows, set(others) - {item}, item, family) for item in others]
        owners = np.repeat(others, [len(part[0]) for part in inner])
        spread = learn(np.concatenate([p[0] for p in inner]), np.concatenate([p[1] for p in inner]), owners.tolist())
        x, residuals, sizes = left_out(rows, set(others), name, family)
        half = t_quantile(0.5 + LEVEL / 2, spread.n_sets)
        for k in numbers:
            if len(x) < k + 5:
                continue
            draws = [cheap(sizes, k)] if how == "cheap" else [rng.permutation(len(x))[:k] for _ in range(DRAWS)]
            for pilots in draws:
                rest = np.setdiff1d(np.arange(len(x)), pilots)
                moved, sd = spread.posterior(x[pilots], residuals[pilots]).at(x[rest])
                centre, truth = x[rest] + moved, expit((x + residuals)[rest])
                alone = (
                    log_n_alone(sizes[pilots], (x + residuals)[pilots], sizes[rest])
                    if k
                    else np.full(len(rest), np.nan)
                )
                low, high = expit(centre - half * sd), expit(centre + half * sd)
                parts[k].append(
                    (expit(centre) - truth, expit(alone) - truth, high - low, (low <= truth) & (truth <= high))
                )
    table = []
    for k, found in parts.items():
        if not found:
            continue
        error, alone, width, inside = (np.concatenate([part[j] for part in found]) for j in range(4))
        table.append(
            {
                "pilots": k,
                "chosen": how,
                "mae": 100 * float(np.mean(np.abs(error))),
                "mae log N alone": 100 * float(np.mean(np.abs(alone))) if k else None,
                "width": 100 * float(np.mean(width)),
                "covered": f"{inside.sum()} of {len(inside)}",
                "target sets": len(names),
            }
        )
    return table


def main(runs: str = "runs", family: str = "classwise", *numbers: str) -> None:
    """Print the table, and what it rests on."""
    start = time.perf_counter()
    records = [record for record in read_registry(runs) if not record.held_out]
    selection = select(records)
    rows = rows_for(selection, "accuracy")
    wanted = [int(k) for k in numbers] or [0, 1, 2, 3, 5, 8]
    table = [row for how in ("cheap", "random") for row in scores(rows, family, wanted, how)]
    formats = {name: "{:.1f}".format for name in ("mae", "mae log N alone", "width")}
    print(rows_text(table, "table", formats=formats))
    size = f"{len(configurations(rows).ids)} configurations, {len(rows)} runs of {runs}"
    seconds = time.perf_counter() - start
    print(f"\npoints; {100 * LEVEL:g} % intervals from Student's t; family {family}; {size}")
    print(f"{platform.processor() or platform.machine()}, {seconds:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
