"""Tables of made-up runs whose laws are known, of the kinds that people publish: for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.records import Outcome, Reported, RunRecord, content_id

Floats = NDArray[np.float64]
Rng = np.random.Generator
STUDY = "table"


@dataclass(frozen=True)
class Made:
    """columns : {name: (n,)}, `n_samples` is the size; values : (n,) on `scale`"""

    name: str
    columns: dict[str, Floats]
    values: Floats
    scale: str

    def records(self) -> list[RunRecord]:
        """One record a row."""
        return records(self.columns, self.values, self.scale)


def records(columns: dict[str, Floats], values: Floats, scale: str, citation: str = "made") -> list[RunRecord]:
    """One record a row; `outcome` on the scale."""
    made = []
    for row, value in enumerate(values.tolist()):
        indicators = {name: float(column[row]) for name, column in columns.items()}
        name = content_id(STUDY, {}, indicators, {"outcome": value})
        made.append(
            RunRecord(
                run_id=name,
                configuration_id=name,
                study=STUDY,
                provenance="imported",
                target_set=STUDY,
                domain=STUDY,
                data=Reported(indicators=indicators, citation=citation),
                outcomes={"outcome": Outcome(value=value, scale=scale)},
            )
        )
    return made


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def mixtures(n: int, rng: Rng, shares: int = 17) -> Made:
    """A loss over shares of a mixture that sum to one (as in data mixing laws: sums of exponentials), and size."""
    share = rng.dirichlet(np.full(shares, 0.5), n)
    size = 10 ** rng.uniform(3, 6, n)
    slopes = rng.normal(0, 1.5, (3, shares)) * (rng.random((3, shares)) < 0.5)
    loss = 1.5 + np.exp(-share @ slopes.T) @ np.array([0.4, 0.3, 0.3]) + 20 * size**-0.35 * np.exp(share @ slopes[0])
    columns = {f"share {k:02d}": share[:, k] for k in range(shares)} | {"n_samples": size}
    return Made("mixtures", columns, loss * np.exp(rng.normal(0, 0.005, n)), "loss")


def interactions(n: int, rng: Rng) -> Made:
    """An accuracy in which what a column does depends on two others."""
    x = rng.uniform(-1, 1, (n, 6))
    size = 10 ** rng.uniform(2, 5, n)
    eta = (
        2 * x[:, 0] * x[:, 1]
        + 1.5 * (x[:, 2] > 0) * (x[:, 3] > 0.2)
        - x[:, 4]
        + 0.4 * np.log10(size) * (1 + x[:, 0])
        - 1
    )
    columns = {f"x{k}": x[:, k] for k in range(6)} | {"n_samples": size}
    return Made("interactions", columns, _sigmoid(eta + rng.normal(0, 0.1, n)), "accuracy")


def scaling(n: int, rng: Rng) -> Made:
    """The loss of a language model by parameters, data and learning rate."""
    parameters, size, rate = 10 ** rng.uniform(7, 10, n), 10 ** rng.uniform(8, 11, n), 10 ** rng.uniform(-4, -2, n)
    off = np.log10(rate) + 0.25 * np.log10(parameters) - 5.3 + 10
    off = off - off.mean()
    loss = (1.7 + 406 / parameters**0.34 + 410 / size**0.28) * np.exp(0.05 * off**2 + rng.normal(0, 0.004, n))
    return Made("scaling", {"parameters": parameters, "n_samples": size, "rate": rate}, loss, "loss")


def takeoff(n: int, rng: Rng) -> Made:
    """An accuracy that stays at chance until there are enough images, then rises and levels off."""
    classes, quality, size = 10 ** rng.uniform(1, 3, n), rng.uniform(0, 1, n), 10 ** rng.uniform(2, 6, n)
    log = np.log10(size / classes)
    value = 1 / classes + (0.9 * quality**0.3 - 1 / classes) * _sigmoid(3 * (log - 1.5 - 0.5 * (1 - quality)))
    noisy = np.clip(value + rng.normal(0, 0.01, n) * np.sqrt(value), 1e-4, 0.999)
    return Made("takeoff", {"n_classes": classes, "quality": quality, "n_samples": size}, noisy, "accuracy")


def additive(n: int, rng: Rng) -> Made:
    """An accuracy whose logit is a plain sum, with much noise."""
    x = rng.normal(0, 1, (n, 5))
    size = 10 ** rng.uniform(2, 5, n)
    eta = x @ np.array([0.6, -0.4, 0.2, 0.0, 0.0]) + 0.3 * np.log(size) - 2 + rng.normal(0, 0.4, n)
    return Made("additive", {f"x{k}": x[:, k] for k in range(5)} | {"n_samples": size}, _sigmoid(eta), "accuracy")


def curve(n: int, rng: Rng) -> Made:
    """The loss of one learning curve that bends twice."""
    size = np.sort(10 ** rng.uniform(2, 7, n))
    loss = 0.2 + 5 * size**-0.15 * (1 + (size / 3e3) ** 2) ** (-0.25 / 2) * (1 + (size / 3e5) ** 2) ** (0.2 / 2)
    return Made("curve", {"n_samples": size}, loss * np.exp(rng.normal(0, 0.01, n)), "loss")


TABLES: dict[str, Callable[[int, Rng], Made]] = {
    "mixtures": mixtures, "interactions": interactions, "scaling": scaling, "takeoff": takeoff, "additive": additive,
    "curve": curve,
}  # fmt: skip


def made(name: str, n: int, seed: int = 0) -> Made:
    """A table by name; the same for the same seed."""
    return TABLES[name](n, np.random.default_rng([seed, list(TABLES).index(name)]))
