"""How many runs side by side: the choice, and a measurement on the CPU."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from launch_made import made_grid, made_job

from trainer.launch.throughput import GAIN, best_count, throughput, with_measured_workers


@given(st.lists(st.floats(1, 1e6), min_size=8, max_size=8), st.integers(1, 64))
def test_more_processes_only_where_each_doubling_pays(rates: list[float], most: int) -> None:
    table = {2**i: rate for i, rate in enumerate(rates)}
    asked: list[int] = []

    def measure(count: int) -> float:
        asked.append(count)
        return table[count]

    count = best_count(measure, most)
    assert 1 <= count <= most and len(asked) == len(set(asked)), "nothing is measured twice"
    assert all(table[n] > GAIN * table[n // 2] for n in asked if 1 < n <= count)
    assert count * 2 > most or table[count * 2] <= GAIN * table[count]


def test_a_measurement_trains_at_once_and_keeps_nothing(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [8], [0])
    job = made_job(grid, tmp_path)
    before = set(tmp_path.rglob("*"))
    assert throughput(grid.runs[0], job, 2, steps=5) > 0
    assert set(tmp_path.rglob("*")) == before


def test_what_does_not_run_counts_as_nothing(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [8000], [0])
    assert throughput(grid.runs[0], made_job(grid, tmp_path), 1, steps=5) == 0.0


def test_few_runs_are_not_worth_a_measurement(tmp_path: Path) -> None:
    grid = made_grid(tmp_path, [8], [0, 1])
    count, job = with_measured_workers(grid, made_job(grid, tmp_path), threads=3)
    assert (count, job.threads) == (1, 3)
