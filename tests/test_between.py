"""Target sets are ranked among each other at a common design."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from predictor.agreements import agreement
from predictor.agreements.between import between_target_sets
from predictor.errors import RegistryError
from predictor.render.agreement import page
from predictor.render.page import page_text


def made_frame(n_sets: int) -> pd.DataFrame:
    """Three sizes of each target set; the larger the probe, the higher the level, whatever the sizes."""
    rows = []
    for number in range(n_sets):
        for size in (10, 20, 40):
            n = size * (1 + number % 3)  # target sets differ in their sizes as well
            level = 0.4 * number - 2 + 0.6 * np.log(n / 20)
            rows.append({
                "run_id": f"{number}-{n}", "configuration_id": f"{number}-{n}", "study": "s", "domain": "d",
                "target_set": f"t{number}", "provenance": "trained", "status": "completed", "held_out": False,
                "spec_model": "net", "spec_image_steps": 1000, "ind_n_samples": 5.0 * n, "ind_n_target_classes": 5.0,
                "ind_mean_log_count": np.log(n), "ind_probe_slope": float(number),
                "out_accuracy": 0.2 + 0.8 / (1 + np.exp(-level)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_target_sets_are_ranked_by_their_level_at_a_common_design() -> None:
    table = between_target_sets(made_frame(8))
    assert table["configuration_id"].tolist() == [f"t{i}" for i in range(8)]
    assert set(table["target_set"]) == {"all domains"}
    levels = np.log(table["out_accuracy"] / (1 - table["out_accuracy"]))
    assert np.allclose(np.diff(levels), 0.4)
    assert "ind_n_samples" not in table and table["ind_probe_slope"].tolist() == list(range(8))
    assert table.attrs["told"] == (
        "n counts target sets: the levels of 8, from 24 runs of the most frequent recipe (net), "
        "freed of mean_log_count, log image-steps: rho is what an indicator adds to these"
    )
    found = agreement(table, statistics=["spearman"], given=None, n_bootstrap=100, n_permutations=100)
    told = [(row.indicator, row.value, row.n_configurations) for row in found.rows if row.value]
    assert told == [("probe_slope", 1.0, 8)]
    with pytest.raises(RegistryError, match="4 target sets of one recipe; 5 are needed"):
        between_target_sets(made_frame(4))


def test_a_large_domain_stands_once_more_among_itself() -> None:
    frame = made_frame(9)
    frame.loc[frame["target_set"].isin(["t7", "t8"]), "domain"] = "other"
    table = between_target_sets(frame)
    assert table.groupby("target_set").size().to_dict() == {"all domains": 9, "d": 7}


def test_indicators_of_images_point_to_the_comparison_of_target_sets() -> None:
    """Named, they filled a page with rows that have no value, a block a target set."""
    table = agreement(made_frame(6), indicators=["probe_slope", "n_samples"], n_bootstrap=100, n_permutations=100)
    text = " ".join(page_text(page(table, named=True), "table").split())
    assert text.count("probe_slope") == 1 and "n_samples" in text
    assert "none of which it can rank: probe_slope" in text and "--between ranks these" in text
    alone = agreement(made_frame(6), indicators=["probe_slope"], n_bootstrap=100, n_permutations=100)
    assert "no indicator varies in these runs" in page_text(page(alone, named=True), "table")
    assert page_text(page(alone, named=True, everything=True), "table").count("probe_slope") > 6  # --all says why
