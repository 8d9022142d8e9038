"""The rank-frequency figure: what it shows of few and many classes and manifests."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from predictor.distribution import LabelDistribution
from predictor.render.rank_frequency import MARKED, POINTS, rank_frequency, shown_ranks


def of(counts) -> LabelDistribution:
    return LabelDistribution.from_counts({f"c{i:05d}": int(n) for i, n in enumerate(counts)})


def drawn(distributions):
    figure = rank_frequency(distributions)
    figure.canvas.draw()  # a layout that collapses warns, and a warning is an error here
    return figure, figure.axes[0]


def test_a_few_classes_are_drawn_with_a_dot_each() -> None:
    _, axes = drawn({"a.csv": of([5, 100, 20, 1, 7, 7, 3, 2, 9, 50])})
    (line,) = axes.get_lines()
    assert line.get_xdata().tolist() == list(range(1, 11))
    assert line.get_ydata().tolist() == [100, 50, 20, 9, 7, 7, 5, 3, 2, 1] and line.get_marker() == "o"
    assert axes.get_xscale() == axes.get_yscale() == "log"
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert {"1", "2", "5", "10"} <= set(names)


def test_many_classes_are_thinned_and_keep_their_ends() -> None:
    counts = np.maximum(1, 1e6 / np.arange(1, 20_001) ** 1.1).astype(int)
    _, axes = drawn({"a.csv": of(counts)})
    (line,) = axes.get_lines()
    x, y = line.get_xdata(), line.get_ydata()
    assert MARKED < len(x) <= POINTS and (x[0], x[-1], y[0], y[-1]) == (1, 20_000, counts[0], counts[-1])
    assert (y == counts[x - 1]).all() and line.get_marker() == "None"
    low, high = axes.get_ylim()
    assert low < counts[-1] and high > counts[0] and axes.get_xlim()[1] > 20_000


@pytest.mark.parametrize("n", [1, 10, 400, 401, 20_000, 1_000_000])
def test_ranks_grow_from_the_first_to_the_last(n) -> None:
    ranks = shown_ranks(n)
    assert ranks[0] == 1 and ranks[-1] == n and (np.diff(ranks) > 0).all() and len(ranks) <= POINTS


@pytest.mark.parametrize("n", [1, 2, 5, 12, 40])
def test_every_manifest_has_its_name_and_its_own_look(n) -> None:
    named = {f"data/{i}/{'_' if i else 'long' * 40}{i}.csv": of(np.arange(1, 30 + i)) for i in range(n)}
    figure, axes = drawn(named)
    legend = axes.get_legend() or figure.legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == n == len(set(names)) and all(len(name) < 90 for name in names)
    looks = {(to_rgb(line.get_color()), str(line.get_linestyle()), line._dash_pattern[0]) for line in axes.get_lines()}
    assert len(looks) == n
    box = legend.get_window_extent()
    assert box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and axes.get_window_extent().width > 200


def test_equal_and_single_classes_have_room() -> None:
    for counts in ([7], [500] * 10, [1, 1]):
        _, axes = drawn({"a.csv": of(counts)})
        low, high = axes.get_ylim()
        assert low < min(counts) and max(counts) < high and axes.get_xlim()[1] > len(counts)


def test_curves_that_coincide_are_both_seen() -> None:
    _, axes = drawn({"a.csv": of([5] * 9), "b.csv": of([5] * 9)})
    whole, dashed = axes.get_lines()
    assert whole.get_linestyle() == "-" and dashed.get_linestyle() != "-" and dashed.get_zorder() > whole.get_zorder()
