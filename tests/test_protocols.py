"""Protocol 3 beside protocol 2: what changes, what stays the same to the bit, and what may be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from claims_made import start, trained
from images import write_source

from predictor.claims.configurations import groups
from predictor.protocols import comparable, compared_as, protocol_beside, protocols_of
from predictor.spec import PROTOCOL, PROTOCOLS, RunSpec
from trainer.data.opening import open_source
from trainer.data.selection import TrainingSet, training_sets
from trainer.loop import Ahead, Batches, evenly, loss_of, n_steps, new_state, pieces, train
from trainer.networks import network


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("images") / "gratings.parquet"
    return path, write_source(path, ["a", "b", "c", "d"], train=12, test=2, seed=3)


def spec_of(
    protocol: int, digest: str = "sha256:" + "0" * 64, *, stages: int = 1, steps: int = 96, **recipe: float
) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": protocol,
            "sources": {"gratings": digest},
            "target": {"name": "t", "classes": ["a", "b", "c"], "test": {"source": "gratings"}},
            "stages": [{"data": {"source": "gratings", "samples_per_class": 10}, "image_steps": steps}] * stages,
            "model": {"name": "predictor_small", "image_size": 16, "head": 8},
            "recipe": {"batch_size": 32, "learning_rate": 0.05, **recipe},
            "seeds": {"data": 0, "training": 0},
        }
    )


def weights(spec: RunSpec, source: tuple[Path, str]) -> torch.Tensor:
    """All weights after the last stage."""
    sets = training_sets(spec, lambda name: open_source(name, *source))
    model = network(spec.model, 0, device="cpu", precision="fp32", batches=(), compiled=False).model
    for number, (data, stage) in enumerate(zip(sets, spec.stages, strict=True)):
        how = {"image_steps": stage.image_steps, "recipe": spec.recipe, "training_seed": 0}
        train(new_state(model, spec.recipe), data, **how, stage=number, protocol=spec.protocol)
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


CHANGED = [{"stages": 2}, {"label_smoothing": 0.1}, {"steps": 97}]
SAME = [{}, {"steps": 98}, {"steps": 1}, {"steps": 33, "batch_size": 33}]


@pytest.mark.parametrize("what", [*CHANGED, *SAME], ids=str)
def test_two_protocols_give_the_same_numbers_exactly_where_they_are_said_to(source, what) -> None:
    two, three = (spec_of(protocol, source[1], **what) for protocol in (2, 3))
    if what.get("steps") != 1:  # batch norm has no variance of one image
        assert torch.equal(weights(two, source), weights(three, source)) == comparable([two, three])
    assert comparable([two, three]) == (what in SAME)
    assert two.run_id != three.run_id


def test_protocol_2_repeats_the_first_stage_s_order_and_protocol_3_does_not() -> None:
    keys = np.arange(40, dtype=np.uint64)
    first, second = (Batches(keys, 8, 40, 7, stage).of_steps(0, 5) for stage in (0, 1))
    assert sorted(first) == sorted(second) and first.tolist() != second.tolist()
    assert Batches(keys, 8, 40, 7, 2).of_steps(0, 5).tolist() != second.tolist()


def test_label_smoothing_spreads_over_the_classes_of_the_stage() -> None:
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 5, 2])
    spread = evenly(labels.numpy(), 10)
    assert spread.tolist() == [0.25, 0.25, 0.25, 0, 0, 0.25, 0, 0, 0, 0]
    by_hand = -sum(
        0.9 * row[label] + 0.1 * row[[0, 1, 2, 5]].mean()
        for row, label in zip(logits.log_softmax(1), labels.tolist(), strict=True)
    )
    assert loss_of(logits, labels, 0.1, spread).item() == pytest.approx(by_hand.item(), rel=1e-6)
    every = torch.full((10,), 0.1)
    by_torch = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=0.1)
    assert loss_of(logits, labels, 0.1, every).item() == pytest.approx(by_torch.item(), rel=1e-6)
    assert torch.equal(loss_of(logits, labels, 0.1, None), by_torch)


def test_a_narrow_and_a_wide_head_smooth_alike(source) -> None:
    """Protocol 2 pushed 99 % of the smoothing to logits that nobody trains."""
    losses = {}
    for head in (3, 512):
        logits = torch.full((1, head), -30.0)
        logits[0, :3] = torch.tensor([2.0, 0.0, -1.0])
        losses[head] = loss_of(logits, torch.tensor([0]), 0.1, evenly(np.array([0, 1, 2]), head)).item()
    assert losses[512] == pytest.approx(losses[3], rel=1e-5)


@pytest.mark.parametrize("steps", [1, 31, 32, 33, 64, 65, 66, 97])
def test_every_image_step_is_shown_once_and_no_batch_but_the_only_one_is_a_single_image(steps) -> None:
    keys = np.arange(20, dtype=np.uint64)
    for protocol in PROTOCOLS:
        batches = Batches(keys, 32, steps, 0, 0, protocol)
        ahead = Ahead(batches, "cpu")
        rows = [ahead[step] for step in range(n_steps(steps, 32, protocol))]
        shown = np.concatenate([part.numpy() for part, _ in rows])
        assert shown.tolist() == Batches(keys, 1, steps, 0).of_steps(0, steps).tolist()
        assert [int(first) for _, first in rows] == list(range(0, 32 * len(rows), 32))
        sizes = [len(part) for part, _ in rows]
        assert sizes == [len(batches[step]) for step in range(len(rows))]
        assert (1 in sizes) == (steps == 1 or (protocol == 2 and steps % 32 == 1))


@pytest.mark.parametrize(("n", "size"), [(33, 32), (33, 16), (32, 16), (5, 2), (7, 1), (1, 1), (1, 4)])
def test_pieces_of_a_batch_cover_it_and_none_is_a_single_image(n, size) -> None:
    found = pieces(n, size)
    assert [row for begin, end in found for row in range(begin, end)] == list(range(n))
    assert all(end - begin > 1 for begin, end in found) or size == 1 or n == 1
    assert max(end - begin for begin, end in found) <= size + 1


def test_a_last_batch_of_one_trains_with_batch_norm_over_one_position(source) -> None:
    """At its last step protocol 2 ended such a run with an error of batch norm, and the run was lost."""
    data = TrainingSet(
        pixels=np.random.default_rng(0).integers(0, 256, (33, 3, 8, 8), dtype=np.uint8),
        labels=np.arange(33) % 3,
        keys=np.arange(33, dtype=np.uint64),
        classes=["a", "b", "c"],
        distribution=None,  # type: ignore[arg-type]
    )
    spec = spec_of(3)
    how = {"image_steps": 33, "recipe": spec.recipe, "training_seed": 0}

    def model() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 8), torch.nn.BatchNorm1d(8))

    with pytest.raises(ValueError, match="more than 1 value per channel"):
        train(new_state(model(), spec.recipe), data, **how, protocol=2)
    assert train(new_state(model(), spec.recipe), data, **how, protocol=3)
    for micro_batch in (2, 16, 31):
        assert train(new_state(model(), spec.recipe), data, **how, protocol=3, micro_batch=micro_batch)


def test_new_grids_take_the_newest_protocol() -> None:
    assert max(PROTOCOLS) == PROTOCOL == 3


def test_a_protocol_that_nobody_trains_any_more_is_comparable_with_itself_alone() -> None:
    one = spec_of(1)
    assert protocols_of(one) == {1} and comparable([one, one])
    assert not any(comparable([one, spec_of(protocol)]) for protocol in PROTOCOLS)
    assert comparable([])


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([spec_of(2), spec_of(3)], [2, 2]),
        ([spec_of(2), spec_of(3), spec_of(3, stages=2)], [3, 3, 3]),
        ([spec_of(2), spec_of(3), spec_of(2, stages=2)], [2, 2, 2]),
        ([spec_of(2), spec_of(3), spec_of(2, stages=2), spec_of(3, stages=2)], [2, 3, 2, 3]),
        ([spec_of(1), spec_of(2), spec_of(3)], [1, 2, 2]),
    ],
)
def test_runs_are_compared_among_those_that_one_protocol_trains_so(specs, expected) -> None:
    found = compared_as(specs)
    assert found == expected
    for protocol in set(found):
        assert comparable([spec for spec, own in zip(specs, found, strict=True) if own == protocol])


def test_claims_join_protocols_where_the_numbers_are_the_same_and_nowhere_else() -> None:
    def records(protocol: int, smoothing: float) -> list:
        recipe = {"learning_rate": 0.1, "image_steps": 6000, "label_smoothing": smoothing}
        return trained(start(1, protocol=protocol, recipe=recipe), lambda spec: 0.5, study=f"of-{protocol}")

    def protocols(smoothing: float) -> list[set[int]]:
        found = groups([*records(2, smoothing), *records(3, smoothing)])[0]
        return sorted({configuration.spec.protocol for configuration in group} for group in found)

    assert protocols(0.0) == [{2, 3}]
    assert protocols(0.1) == [{2}, {3}]


def test_what_is_trained_beside_runs_takes_the_newest_protocol_that_they_state_and_that_gives_their_numbers() -> None:
    assert protocol_beside([spec_of(2), spec_of(2)]) == 2
    assert protocol_beside([spec_of(2), spec_of(3)]) == 3
    assert protocol_beside([spec_of(3), spec_of(2, stages=2)]) == 2
    assert protocol_beside([spec_of(2), spec_of(3, stages=2)]) == 3
    assert protocol_beside([spec_of(1)]) == 1
