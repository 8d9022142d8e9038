"""Studies whose predictions were written down first: what the grid rests on, and what the benchmarks read of it."""

from __future__ import annotations

from pathlib import Path

import advice_followed
import demonstration
import pytest
from before_training import PREDICTED, counts_of, counts_text, predictions, trained

from predictor.records import read_registry

RUNS = Path(__file__).parents[1] / "runs"
README = (RUNS.parent / "README.md").read_text(encoding="utf-8")


def test_counts_go_through_a_cell() -> None:
    counts = {"t-shirt": 40, "other 0": 10, "a=b": 3}
    assert counts_of(counts_text(counts)) == counts


@pytest.mark.parametrize("study", ["demonstration", "demonstration-frozen", "advice-followed"])
def test_every_prediction_was_trained_and_none_was_changed(study, tmp_path) -> None:
    found = trained(record for record in read_registry(RUNS, [study]))
    assert {len(own) for own in found.values()} == {3}
    rows = predictions(RUNS, study)
    assert len({row["manifest"] for row in rows}) == (12 if study == "advice-followed" else 8)
    copied = tmp_path / study
    copied.mkdir()
    (copied / "grid.yaml").write_bytes((RUNS / study / "grid.yaml").read_bytes())
    text = (RUNS / study / PREDICTED).read_text(encoding="utf-8")
    (copied / PREDICTED).write_text(text.replace("0.", "0.9", 1), encoding="utf-8")
    with pytest.raises(SystemExit, match="not the file that the grid was made with"):
        predictions(tmp_path, study)


def test_the_readme_says_what_the_demonstration_prints(capsys) -> None:
    for study, name in (("demonstration", "small network from scratch"), ("demonstration-frozen", "frozen pretrained")):
        rows = demonstration.show(RUNS, study)
        told = {line[:20].strip(): line[20:] for line in capsys.readouterr().out.splitlines()}
        assert len(rows) == 8
        line = next(line for line in README.splitlines() if line.startswith(f"| {name}"))
        for wanted in ("pairs in order", "single runs inside", "mean error"):
            assert told[wanted].split(" (")[0].strip() in line, wanted
        assert told["regret"].split(" for ")[0].strip() in line


def test_the_readme_says_what_advice_brought() -> None:
    rows = {row["spent by"]: row for row in advice_followed.summary(advice_followed.compared(RUNS))}
    told = " ".join(README.split())
    best = rows["advised"]
    held = best["intervals that held"]
    assert (
        f"promised {best['predicted gain']} points and brought {best['trained gain']} ({held} intervals held)" in told
    )
    assert f"{rows['proportional']['advised more by'].replace('+', '')} more than the same images in proportion" in told
    assert best["behind the best"] == "0.0" and rows["smallest first"]["advised more by"].startswith("+0.0")
    acting = rows["class-weights"]
    assert f"brought {acting['trained gain']} of a promised {acting['predicted gain']}" in told
