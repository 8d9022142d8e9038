"""Which run to train next: the order of `predictor design` against random orders and a space-filling one.

    python benchmarks/designs.py [RUNS] [STUDY] [REPEATS]

Recorded configurations (accuracy; random-designs by default) are split at random into halves: a pool to train on and
one that is predicted. All orders begin with the same START configurations; then each adds one after the other, as if it
had just been trained. After every STEP a linear model is fitted, and its error on the other half is kept. Printed: its
mean over the repeats, and how many configurations each order needs for the error that random orders reach at the
end; the ratio to random is what the design saves, with its range over bootstrapped repeats.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from predictor.fitting import rows_for, select
from predictor.fitting.configurations import configurations, take
from predictor.fitting.held_out import predict_rows
from predictor.models.base import families, fitted, forget
from predictor.models.linear import FEATURES
from predictor.models.rows import Sample
from predictor.planning.design.candidates import Candidate
from predictor.planning.design.choose import _greedy
from predictor.records import read_registry

START, STEP = 12, 4
NAMES = ("design", "random", "space-filling")


@dataclass(frozen=True)
class _Any:
    """Every recorded configuration can be planned: it was."""

    def possible(self, block: object) -> bool:
        """Always."""
        return True


def spread_order(z: np.ndarray, first: np.ndarray, pool: np.ndarray) -> list[int]:
    """The pool in the order of the farthest from all before (maximin distance)."""
    order, near = [], np.min(np.linalg.norm(z[pool][:, None] - z[first][None], axis=2), axis=1)
    for _ in pool:
        best = int(np.argmax(near))
        order.append(int(pool[best]))
        near = np.minimum(near, np.linalg.norm(z[pool] - z[pool[best]], axis=1))
        near[best] = -1
    return order


def curves(rows: Sample, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """{order: (k,) mean absolute errors} of one split."""
    configs = configurations(rows)
    n = len(configs.ids)
    mixed = rng.permutation(n)
    pool, test = np.sort(mixed[: n // 2]), np.sort(mixed[n // 2 :])
    first = rng.choice(pool, START, replace=False)
    rest = np.setdiff1d(pool, first)
    cases = [rows[i].case for i in configs.first]
    names = [name for name in FEATURES if np.isfinite([case.feature(name) for case in cases]).all()]
    x = np.array([case.features(names) for case in cases])
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    sets = np.array([[float(own == name) for name in np.unique(configs.target_sets)] for own in configs.target_sets])
    choices = [
        Candidate({}, cases[i].distribution, configs.target_sets[i], configs.domains[i],
                  int(cases[i].recipe["image_steps"])) for i in rest
    ]  # fmt: skip
    seen = take(rows, configs, np.sort(first))
    chosen, _ = _greedy(list(seen), choices, np.ones(len(rest)), len(rest), _Any(), 0.9)  # type: ignore[arg-type]
    orders = {
        "design": [int(rest[i]) for i in chosen],
        "random": rng.permutation(rest).tolist(),
        "space-filling": spread_order(np.column_stack([z, sets]), first, rest),
    }
    held = take(rows, configs, test)
    of = configurations(held)
    found = {}
    for name, order in orders.items():
        errors = []
        for k in range(0, len(order) + 1, STEP):
            own = take(rows, configs, np.sort(np.concatenate([first, order[:k]]).astype(np.int64)))
            told = of.mean(predict_rows(fitted(families()["linear"], own), held))
            errors.append(float(np.mean(np.abs(told - of.measured))))
        found[name] = np.array(errors)
    forget()
    return found


def needed(errors: np.ndarray, target: float) -> float:
    """Configurations from which on the error is at most `target`, between the steps by a straight line."""
    best = np.minimum.accumulate(errors)
    k = int(np.argmax(best <= target)) if (best <= target).any() else len(best) - 1
    if k == 0 or best[k] > target:
        return float(START + STEP * k)
    share = (best[k - 1] - target) / (best[k - 1] - best[k])
    return START + STEP * (k - 1 + share)


def main() -> None:
    """Print the curves and what they mean."""
    runs, study = (sys.argv[1:3] + ["runs", "random-designs"][len(sys.argv[1:3]) :])[:2]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    rows = Sample.of(rows_for(select(read_registry(runs, [study]), [study]), "accuracy"))
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        every = [curves(rows, rng) for _ in range(repeats)]
    table = {name: np.array([one[name] for one in every]) for name in NAMES}
    length = table["random"].shape[1]
    print(f"{study}: {len(configurations(rows).ids)} configurations, {repeats} splits; mean absolute error in points")
    print("configurations  " + "  ".join(f"{START + STEP * k:>5}" for k in range(0, length, 2)))
    for name in NAMES:
        print(f"{name:<15} " + "  ".join(f"{100 * e:5.2f}" for e in table[name].mean(axis=0)[::2]))
    for share in (0.5, 0.75):
        place = int(share * (length - 1))
        n_random = START + STEP * place

        def saved(use: np.ndarray, name: str, place: int = place, n_random: int = n_random) -> float:
            target = float(table["random"][use].mean(axis=0)[place])
            return needed(table[name][use].mean(axis=0), target) / n_random

        everything = np.arange(repeats)
        for name in ("design", "space-filling"):
            told = [saved(rng.integers(0, repeats, repeats), name) for _ in range(500)]
            low, high = np.quantile(told, [0.05, 0.95])
            print(f"to the error of {n_random} random ones {name:<14} needs {saved(everything, name):.2f} as many "
                  f"[{low:.2f}, {high:.2f}] 90 %")  # fmt: skip


if __name__ == "__main__":
    main()
