"""A fit is the same on every machine: no choice in it hangs on last digits, which differ between processors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fits_compared import assert_same_fit, of_outcome

from predictor.models.boosting import _grow
from predictor.models.case import Case
from predictor.models.fit import Fit, load_fit, shipped_fit
from predictor.models.nearest import Neighbours
from predictor.statistics.ties import first_least

RUNS = Path(__file__).parents[1] / "runs"
FOUND = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
KERNELS = ["Prescott", "Nehalem"]  # of OpenBLAS, which run on every x86 processor
KERNELS += ["Haswell", "Zen"] if {"AVX2", "X86_V3"} & set(FOUND) else []
KERNELS += ["SkylakeX"] if {"AVX512_SKX", "X86_V4"} & set(FOUND) else []


def fitted(file: Path, kernel: str, threads: int, *options: str) -> dict:
    """The fit that another kind of processor makes: other kernels of OpenBLAS, numpy without its vector loops."""
    env = {
        **os.environ, "OPENBLAS_CORETYPE": kernel,
        "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
        "NPY_DISABLE_CPU_FEATURES": " ".join(FOUND) if kernel == KERNELS[0] else "",
    }  # fmt: skip
    words = [sys.executable, "-m", "predictor", "fit", str(RUNS), "--output", str(file), *options]
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return compared(load_fit(file))


def compared(fit: Fit) -> dict:
    """What a fit holds, but for the digest of every digit; models stand in their places."""
    return {key: value for key, value in fit.content.items() if key != "digest"}


def test_another_processor_fits_the_same(tmp_path) -> None:
    options = ("--study", "first-look", "--outcome", "accuracy", "--family", "boosting", "--family", "elastic_net")
    fits = [fitted(tmp_path / f"{k}.json", KERNELS[k], threads, *options) for k, threads in ((0, 1), (-1, 2))]
    assert_same_fit(*fits)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "threads"), [(kernel, 1 + k % 2) for k, kernel in enumerate(KERNELS)])
def test_every_processor_makes_the_shipped_fit(kernel, threads, tmp_path) -> None:
    """The oldest and the newest make all of it, those between them the outcome with the most runs."""
    file, shipped = tmp_path / "fit.json", compared(shipped_fit())
    if kernel in (KERNELS[0], KERNELS[-1]):
        assert_same_fit(shipped, fitted(file, kernel, threads))
    else:
        made = fitted(file, kernel, threads, "--outcome", "accuracy")
        assert_same_fit(of_outcome(shipped, "accuracy"), of_outcome(made, "accuracy"))


def alike(n: int = 120) -> tuple[np.ndarray, ...]:
    """Features that part runs alike: the same one twice, turned round, in other units, and one of few values."""
    generator = np.random.default_rng(5)
    size, few = generator.integers(1, 9, n) * 0.1, generator.integers(0, 3, n) / 3.0
    x = np.column_stack([size, -size, few, np.log(size), size + few, few * 7 + 1])
    return x, np.sin(3 * size) + few + generator.normal(0, 0.1, n), generator.uniform(0.1, 2, n)


def shaken(values: np.ndarray, seed: int) -> np.ndarray:
    return values * (1 + 1e-14 * np.random.default_rng(seed).standard_normal(values.shape))


@pytest.mark.parametrize("seed", range(1, 9))
def test_last_digits_grow_no_other_tree(seed) -> None:
    x, y, weight = alike()
    directions = [1, -1, 0, 1, 0, 0]
    trees, start = _grow(x, y, weight, directions)
    others, other_start = _grow(shaken(x, seed), shaken(y, seed + 1), shaken(weight, seed + 2), directions)
    assert len(trees) == len(others) > 5 and start == pytest.approx(other_start, abs=1e-6)
    for tree, other in zip(trees, others, strict=True):
        assert all(tree[key] == other[key] for key in ("feature", "left", "right"))
        assert tree["threshold"] == pytest.approx(other["threshold"], rel=1e-9)
        assert tree["value"] == pytest.approx(other["value"], abs=1e-6)


def test_a_value_halfway_goes_left_whatever_its_last_digit() -> None:
    """Sizes often double: the middle of log 100 and log 400 is log 200."""
    x = np.repeat(np.log([[100.0], [400.0]]), 20, axis=0)
    (tree, *_), _ = _grow(x, np.repeat([0.0, 1.0], 20), np.ones(40), [0])
    assert tree["threshold"][0] > np.nextafter(np.log(200.0), 9) and tree["threshold"][0] < np.log(200.1)


def test_trees_are_monotone_and_their_leaves_weigh() -> None:
    generator = np.random.default_rng(2)
    x = generator.uniform(0, 1, (200, 1))
    y, weight = -x[:, 0] + generator.normal(0, 0.3, 200), np.where(x[:, 0] < 0.5, 1e-4, 1.0)
    grid = np.linspace(0, 1, 101)

    def predicted(directions: list[int]) -> np.ndarray:
        trees, start = _grow(x, y, weight, directions)
        total = np.full(len(grid), start)
        for tree in trees:
            for i, value in enumerate(grid):
                node = 0
                while tree["feature"][node] >= 0:
                    node = tree["left" if value <= tree["threshold"][node] else "right"][node]
                total[i] += tree["value"][node]
        return total

    assert np.all(np.diff(predicted([1])) >= 0) and np.all(np.diff(predicted([-1])) <= 0)
    free = predicted([0])
    assert free[55] - free[-1] > 0.2 and np.ptp(free[:49]) == 0  # too light to be a leaf of its own


def test_of_two_neighbours_as_near_the_first_is_taken() -> None:
    parameters = {
        "features": ["log n_samples"], "points": [[np.log(100.0)], [np.log(400.0)]], "scale": [0.3],
        "values": [0.2, 0.8], "owners": [None, None], "names": ["a", "b"],
    }  # fmt: skip
    for n in (200.0, np.nextafter(200.0, 0), np.nextafter(200.0, 999)):
        model, case = Neighbours.of(parameters), Case(None, {"n_samples": n})
        assert model.index([case]) == [0] and [i for i, _ in model.several(case, 2)] == [0, 1]


def test_the_first_of_equal_choices() -> None:
    assert first_least([[0.5, 0.3, 0.1 + 0.2], [0.1 + 0.2, 0.3, 0.5]]).tolist() == [1, 0]
