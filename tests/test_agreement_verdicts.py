"""What a row says in words: never more than its numbers allow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from predictor.agreements import Agreement, AgreementTable, agreement
from predictor.agreements.table import verdict

DRAWS = {"n_bootstrap": 500, "n_permutations": 500}


def row(value: float | None, low: float | None, high: float | None, q: float | None, given: str | None = None):
    return Agreement(
        study="s", target_set="t", indicator="a", outcome="accuracy", given=given, value=value, low=low, high=high,
        statistic="partial_spearman" if given else "spearman", p=q, q=q, n_configurations=20, n_runs=60,
        tied_share=0.0, reason=None if value is not None else "b determines the indicator",
    )  # fmt: skip


def given(*numbers, name: str = "n_samples"):
    return row(*numbers, given=name)


@pytest.mark.parametrize(
    ("raw", "fixed", "words"),
    [
        (row(0.8, 0.5, 0.9, 0.01), None, "predicts"),
        (row(-0.8, -0.9, -0.5, 0.01), given(-0.7, -0.9, -0.3, 0.02), "predicts"),
        (row(0.8, 0.5, 0.9, 0.01), given(0.1, -0.3, 0.4, 0.7), "predicts only through size"),
        (row(0.8, 0.5, 0.9, 0.01), given(0.4, -0.1, 0.85, 0.2), "predicts, maybe by size"),
        (row(0.8, 0.5, 0.9, 0.01), given(0.4, None, None, 0.2), "predicts, maybe by size"),
        (row(0.8, 0.5, 0.9, 0.01), given(0.3, 0.1, 0.6, 0.2), "predicts, maybe by size"),  # 0 is not inside
        (row(0.8, 0.5, 0.9, 0.01), given(-0.6, -0.8, -0.2, 0.03), "sign reverses given size"),
        (row(0.8, 0.5, 0.9, 0.01), given(None, None, None, None), "predicts only through size"),
        (row(0.8, 0.5, 0.9, 0.01), given(0.1, -0.3, 0.4, 0.7, name="gini"), "predicts only through gini"),
        (row(0.1, -0.4, 0.5, 0.8), given(0.7, 0.3, 0.9, 0.01), "predicts given size"),
        (row(0.4, -0.1, 0.7, 0.2), given(0.3, -0.2, 0.7, 0.3), "undecided: n too small"),
        (row(0.02, -0.1, 0.2, 0.8), given(0.0, -0.1, 0.1, 0.9), "does not predict"),
        (row(-0.9, None, None, 0.01), None, "predicts"),  # no concordant pair: the exact p stands
        (row(-0.9, None, None, 0.2), None, "undecided: n too small"),
        (row(0.5, -0.1, 0.8, 0.04), None, "undecided: n too small"),  # p and interval disagree
        (row(None, None, None, None), None, None),
    ],
)
def test_words(raw: Agreement, fixed: Agreement | None, words: str | None) -> None:
    assert verdict(raw, fixed, 0.95) == words


def test_the_level_decides_with_the_interval() -> None:
    raw = row(0.8, 0.5, 0.9, 0.07)
    assert verdict(raw, None, 0.95) == "undecided: n too small" and verdict(raw, None, 0.9) == "predicts"


def made(n: int, seed: int, **laws) -> pd.DataFrame:
    """One run a configuration; laws: name -> function of (size, generator)."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    found = {name: law(size, rng) for name, law in laws.items()}
    ids = [f"c{i}" for i in range(n)]
    base = pd.DataFrame({"study": "s", "target_set": "t", "configuration_id": ids, "run_id": ids})
    return base.assign(ind_n_samples=np.exp(size), **found)


def said(table: AgreementTable) -> dict[str, str]:
    return {r["indicator"]: r["verdict"] for r in table.summary_rows()}


def test_planted_worlds_are_called_by_their_names() -> None:
    """Size drives the outcome; one indicator repeats it, one adds to it, one hurts but grows with it, one is noise."""
    frame = made(
        120, 0,
        ind_repeats=lambda z, r: z + r.normal(size=len(z)),
        ind_adds=lambda z, r: r.normal(size=len(z)),
        ind_hurts=lambda z, r: 0.8 * z + 0.6 * r.normal(size=len(z)),
        ind_noise=lambda z, r: r.normal(size=len(z)),
        out_accuracy=lambda z, r: 3 * z + 0.5 * r.normal(size=len(z)),
    )  # fmt: skip
    frame["out_accuracy"] += 1.5 * frame["ind_adds"] - 1.5 * (frame["ind_hurts"] - 0.8 * np.log(frame["ind_n_samples"]))
    words = said(agreement(frame, statistics=["spearman"], **DRAWS))
    assert words == {
        "n_samples": "predicts",
        "repeats": "predicts only through size",
        "adds": "predicts",
        "hurts": "sign reverses given size",
        "noise": "does not predict",
    }


def test_few_configurations_are_undecided_and_not_denied() -> None:
    frame = made(8, 1, ind_noise=lambda z, r: r.normal(size=len(z)), out_accuracy=lambda z, r: r.normal(size=len(z)))
    assert set(said(agreement(frame, **DRAWS)).values()) == {"undecided: n too small"}


def test_a_function_of_size_is_size() -> None:
    frame = made(
        30, 2, ind_log=lambda z, r: 2 * z, out_accuracy=lambda z, r: z + 0.3 * r.normal(size=len(z))
    )  # fmt: skip
    table = agreement(frame, statistics=["spearman"], **DRAWS)
    assert said(table)["log"] == "predicts only through size"
    (fixed,) = [r for r in table.rows if r.given]
    assert fixed.value is None and fixed.reason == "n_samples determines the indicator or the outcome"


def test_where_size_never_varies_it_explains_nothing() -> None:
    frame = made(30, 3, ind_a=lambda z, r: z, out_accuracy=lambda z, r: z + 0.3 * r.normal(size=len(z)))
    table = agreement(frame.assign(ind_n_samples=5.0), indicators=["a"], statistics=["spearman"], **DRAWS)
    raw, fixed = table.rows
    assert fixed.value == raw.value and said(table)["a"] == "predicts"
