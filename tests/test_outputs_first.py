"""What a command could not write after its work is refused before it, and what stands there stays."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from digits_made import digits_folder
from test_next_steps import place, run  # noqa: F401  (a fixture)

OTHER = "exists and says something else. name another: --output"
REFUSED = {  # what stands at pilots.yaml, and what is asked of it
    "another grid": ("study: other\n", ""),
    "no grid": ("\0", ""),
    "other pilots": (None, "--next 2"),
    "other image-steps": (None, "--image-steps 20000"),
    "other images": (None, "elsewhere"),
}


@pytest.fixture
def photos(place: Path) -> Path:  # noqa: F811
    return digits_folder(place / "my photos", {"zero": 30, "one": 30})


@pytest.mark.parametrize("case", REFUSED)
def test_start_does_nothing_where_another_grid_stands(photos, case) -> None:
    """It failed after all its work."""
    there, asked = REFUSED[case]
    planned = "predictor pilots 'my photos' --next 3"
    if asked == "elsewhere":
        photos, asked = photos.rename("your photos"), ""
    Path("pilots.yaml").write_text(there if there is not None else f"# Pilots:  {planned}\nstudy: pilots\n")
    before = Path("pilots.yaml").read_text()
    text = run(f"predictor start {shlex.quote(photos.name)} {asked}", fails=True)
    assert f"pilots.yaml: {OTHER}" in text and "$ predictor" not in text
    assert Path("pilots.yaml").read_text() == before and not Path("probe.json").exists()


def test_start_again_and_the_pilots_alone_find_their_own_grid(photos) -> None:
    run("predictor start 'my photos' --no-flip --output 'my grid.yaml'")
    grid = Path("my grid.yaml")
    before = grid.read_text()
    assert before.startswith("# Pilots:  predictor pilots 'my photos' --next 3 --no-flip\n# Train them:  trainer run ")
    run("predictor start 'my photos' --no-flip --output 'my grid.yaml'")
    run("predictor pilots 'my photos' --next 3 --no-flip --probe probe.json --output 'my grid.yaml'")
    assert grid.read_text() == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "start 'my photos' --keep nowhere/probe.json",
            "nowhere/probe.json: cannot be written: no folder nowhere. name another: --keep",
        ),
        ("start 'my photos' --output nowhere/p.yaml", "nowhere/p.yaml: cannot be written: no folder nowhere"),
        ("start 'my photos' --keep p.yaml --output ./p.yaml", "p.yaml: is named for the grid and for the probe"),
        ("pilots 'my photos' --next 2 --output taken.yaml", f"taken.yaml: {OTHER}"),
        ("advise 'my photos' --budget 50 --output nowhere/a.csv", "nowhere/a.csv: cannot be written: no folder"),
        ("design 'no runs' --next 2 --output taken.yaml", f"taken.yaml: {OTHER}"),
        (
            "claims 'no runs' --missing nowhere/c.yaml",
            "nowhere/c.yaml: cannot be written: no folder nowhere. name another: --missing",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(photos, line, said) -> None:
    Path("taken.yaml").write_text("study: other\n")
    text = run(f"predictor {line}", fails=True)
    assert said in text and "probe:" not in text and "$ predictor" not in text
