"""One run: nested choice of images, exact continuation, masking, and scores worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import training_made
from torch import nn
from training_made import CLASSES, opener, recorded, spec_of

from predictor.errors import DataError, SpecError
from predictor.images.decoding import decode
from predictor.spec import RunSpec, Seeds
from trainer import checkpoint
from trainer.augment import augmentation
from trainer.data.opening import open_source
from trainer.data.readers.builtin import BUILTIN
from trainer.data.selection import choose, epoch_order, training_sets
from trainer.data.source import Source
from trainer.evaluate import score, target_logits
from trainer.loop import Batches, State, learning_rate, n_steps, new_state, train
from trainer.networks import create, network
from trainer.run import outcomes_of

folder = training_made.folder


def fresh_state(spec: RunSpec) -> State:
    net = network(spec.model, spec.seeds.training, device="cpu", precision="fp32", batches=(), compiled=False)
    return new_state(net.model, spec.recipe)


def test_a_smaller_class_is_a_subset_in_the_same_relative_order(folder) -> None:
    small, large = (training_sets(spec_of(folder[1], size=n), opener(folder))[0] for n in (5, 20))
    assert set(small.keys) < set(large.keys)
    for epoch in range(3):
        of_small = small.keys[epoch_order(small.keys, 7, epoch)]
        of_large = large.keys[epoch_order(large.keys, 7, epoch)]
        assert of_small.tolist() == [key for key in of_large if key in set(small.keys)]


def seeded_with(spec: RunSpec, data: int, training: int) -> RunSpec:
    return spec.model_copy(update={"seeds": Seeds(data=data, training=training)})


def test_the_data_seed_alone_decides_which_images_of_every_class(folder) -> None:
    def taken(data: int, training: int) -> dict[str, set[int]]:
        chosen = choose(seeded_with(spec_of(folder[1]), data, training), 0, opener(folder))
        return {part.label: set(part.rows.tolist()) for part in chosen}

    first, second = taken(0, 0), taken(1, 0)
    assert first.keys() == second.keys() and all(first[label] != second[label] for label in first)
    assert taken(0, 1) == first


def test_the_training_seed_and_the_stage_alone_decide_order_and_augmentation(folder) -> None:
    data = training_sets(spec_of(folder[1]), opener(folder))[0]

    def seen(training: int, stage: int = 0) -> tuple[list[object], list[object]]:
        draws: list[object] = []
        orders: list[object] = []

        def augment(pixels: torch.Tensor, draw: torch.Tensor, first: int) -> torch.Tensor:
            draws.append(draw.tolist())
            orders.append(pixels.flatten(1).long().sum(dim=1).tolist())
            return plain(pixels, draw, first)

        recipe = spec_of(folder[1]).recipe
        plain = augmentation("none", flip=False)
        how = {"image_steps": 64, "recipe": recipe, "training_seed": training, "stage": stage, "augment": augment}
        assert train(fresh_state(spec_of(folder[1])), data, **how)
        return draws, orders

    first, seed, stage = seen(0), seen(1), seen(0, 1)
    assert first == seen(0) and len(first[0]) == 2
    for part in (0, 1):  # draws of the augmentation, order of the images
        assert first[part] != seed[part] and first[part] != stage[part] and seed[part] != stage[part]


def test_others_are_never_targets(folder) -> None:
    others = [{"source": "gratings", "n_classes": 2, "samples_per_class": 4}]
    data = training_sets(spec_of(folder[1], others=others), opener(folder))[0]
    assert data.classes[:3] == ["a", "b", "c"] and set(data.classes[3:]) < {"d", "e", "f"}
    assert np.bincount(data.labels).tolist() == [10, 10, 10, 4, 4]
    assert data.distribution.other_counts.tolist() == [4, 4]


def test_the_data_seed_alone_decides_which_other_classes(folder) -> None:
    others = [{"source": "gratings", "n_classes": 2, "samples_per_class": 4}]

    def drawn(data: int, training: int = 0) -> frozenset[str]:
        chosen = choose(seeded_with(spec_of(folder[1], others=others), data, training), 0, opener(folder))
        return frozenset(part.label for part in chosen) - {"a", "b", "c"}

    assert {drawn(seed) for seed in range(20)} == set(map(frozenset, ("de", "df", "ef"))), "each pair is drawn at times"
    assert len({drawn(0, training) for training in range(5)}) == 1


def test_a_blend_takes_its_share_from_the_second_source(folder) -> None:
    """Here the second source is a part of the test split of the same file, and the rest of that is the test set; both
    parts are there, each from its own rows."""
    source = opener(folder)("gratings")
    content = spec_of(folder[1], blend={"source": "gratings", "share": 0.3, "split": "test:fit"}).content()
    content["target"]["test"] = {"source": "gratings", "split": "test:validation"}
    spec = RunSpec.model_validate(content)
    chosen = choose(spec, 0, opener(folder))
    assert [len(part.rows) for part in chosen] == [7, 3] * 3
    assert {split for part in chosen[1::2] for split in source.splits[part.rows].tolist()} == {"test"}
    assert len(training_sets(spec, opener(folder))[0].labels) == 30


def test_more_images_than_there_are_names_every_class(folder) -> None:
    with pytest.raises(DataError, match=r"'a' of gratings .train.: 31 asked, 30 there.*'c' of gratings"):
        choose(spec_of(folder[1], size=31), 0, opener(folder))
    others = [{"source": "gratings", "n_classes": 4, "samples_per_class": 4}]
    with pytest.raises(DataError, match="other classes of gratings: 4 asked, 3 there"):
        choose(spec_of(folder[1], others=others), 0, opener(folder))


def test_no_image_is_taken_twice(folder) -> None:
    twice = [{"source": "gratings", "n_classes": 2, "samples_per_class": n} for n in (4, 8)]
    with pytest.raises(DataError, match=r"two parts of the recipe take class '[def]' from gratings .train."):
        choose(spec_of(folder[1], others=twice), 0, opener(folder))
    with pytest.raises(DataError, match=r"class '[abc]' from gratings .train., so the same images twice"):
        choose(spec_of(folder[1], blend={"source": "gratings", "share": 0.3}), 0, opener(folder))


def test_a_record_counts_the_images_that_were_trained_on_by_their_own_names(folder) -> None:
    others = [{"source": "gratings", "n_classes": 2, "samples_per_class": 4}]
    stage = recorded(spec_of(folder[1], others=others, image_steps=32), folder).data.stages[0]
    drawn = training_sets(spec_of(folder[1], others=others), opener(folder))[0].classes[3:]
    assert sorted(stage.classes) == ["a", "b", "c", *drawn] and set(drawn) < {"d", "e", "f"}
    assert dict(zip(stage.classes, stage.counts, strict=True)) == {
        **dict.fromkeys("abc", 10),
        **dict.fromkeys(drawn, 4),
    }


def test_batches_cover_every_image_once_an_epoch() -> None:
    batches = Batches(np.arange(10, dtype=np.uint64), 4, 34, training_seed=0)
    rows = np.concatenate([batches[step] for step in range(n_steps(34, 4))])
    assert len(rows) == 34
    for epoch in range(3):
        assert sorted(rows[10 * epoch : 10 * epoch + 10].tolist()) == list(range(10))
    assert batches[2].tolist() == Batches(np.arange(10, dtype=np.uint64), 4, 34, 0)[2].tolist()


def test_learning_rate_rises_and_falls_to_zero(folder) -> None:
    recipe = spec_of(folder[1]).recipe
    rates = [learning_rate(step, 100, recipe) for step in range(100)]
    assert rates[9] == pytest.approx(recipe.learning_rate) and max(rates) <= recipe.learning_rate
    assert rates[0] == pytest.approx(recipe.learning_rate / 10) and rates[-1] < recipe.learning_rate / 100
    assert rates[10] == recipe.learning_rate, "the cosine begins where the warm-up ends"
    assert rates[55] == pytest.approx(recipe.learning_rate / 2), "and is half way in the middle of what is left"


@pytest.mark.parametrize("cut", [1, 4, 9])
def test_continued_from_a_checkpoint_gives_the_same_bits(folder, tmp_path, cut) -> None:
    spec = spec_of(folder[1])
    torch.set_num_threads(1)
    data = training_sets(spec, opener(folder))[0]
    how = {"image_steps": 320, "recipe": spec.recipe, "training_seed": 0}
    whole = fresh_state(spec)
    assert train(whole, data, **how)

    class Stop(Exception):
        pass

    def stop(state, steps) -> None:
        if state.step == cut:
            checkpoint.save(tmp_path / "run.pt", state, 0, 1.5)
            raise Stop

    with pytest.raises(Stop):
        train(fresh_state(spec), data, **how, between_steps=stop)
    again = fresh_state(spec_of(folder[1], seed=5))
    content = checkpoint.read(tmp_path / "run.pt", "cpu")
    checkpoint.restore(content, again)
    assert (content.stage, content.seconds, again.step) == (0, 1.5, cut)
    assert train(again, data, **how)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_a_damaged_checkpoint_is_no_checkpoint(tmp_path) -> None:
    assert checkpoint.read(tmp_path / "run.pt", "cpu") is None
    (tmp_path / "run.pt").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(checkpoint.WrongCheckpointError, match="it cannot be read"):
        checkpoint.read(tmp_path / "run.pt", "cpu")


def test_a_run_twice_is_the_same_run_and_another_seed_is_not(folder) -> None:
    first, again, other = (recorded(spec_of(folder[1], seed=seed), folder).outcomes for seed in (0, 0, 1))
    assert first == again != other


def test_a_diverged_run_says_so(folder) -> None:
    spec = spec_of(folder[1])
    spec = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"learning_rate": 1e12})})
    record = recorded(spec, folder)
    assert record.status == "diverged" and record.outcomes == {}


def test_another_protocol_is_refused(folder) -> None:
    spec = spec_of(folder[1]).model_copy(update={"protocol": 1})
    with pytest.raises(SpecError, match=r"for protocol 1; this trainer trains protocols 2 and 3. state protocol: 3 in"):
        recorded(spec, folder)


def test_pieces_of_a_batch_have_the_gradient_of_the_whole(folder) -> None:
    """With batch norm in evaluation mode, pieces change nothing but the order of a sum."""
    spec = spec_of(folder[1])
    (data,) = training_sets(spec, opener(folder))
    weights = []
    for micro_batch in (None, 8):
        state = fresh_state(spec)
        state.model.train = lambda mode=True, model=state.model: nn.Module.train(model, False)
        train(state, data, image_steps=96, recipe=spec.recipe, training_seed=0, micro_batch=micro_batch)
        weights.append(state.model.state_dict())
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=1e-5, rtol=1e-4)


def test_records_say_on_what_and_how_they_were_trained(folder) -> None:
    record = recorded(spec_of(folder[1]), folder, precision="fp32")
    assert (record.environment.device, record.environment.threads, record.environment.precision) == ("cpu", 1, "fp32")
    assert record.environment.device_name and torch.__version__.startswith(record.environment.versions["torch"])
    assert record.seconds.train > 0 and record.seconds.load > 0 and record.seconds.evaluate > 0
    assert record.images_per_second > 0 and record.peak_memory_bytes > 10**7
    assert record.energy.joules is not None or record.energy.reason


def test_an_untargeted_class_is_never_predicted(folder) -> None:
    """The head is pushed towards logit 7, which belongs to no target: predictions stay among the targets."""
    model = create("predictor_small", head=8, image_size=16)
    model.fc.bias.data[7] = 1e6
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16), dtype=np.uint8)
    logits = target_logits(model, pixels, 3, "cpu")
    assert logits.shape == (20, 3)
    assert score(logits, torch.arange(20) % 3, ["a", "b", "c"]).tested == [7, 7, 6]


def test_partial_shift_by_hand() -> None:
    """Targets a, b, c; the shift has a and c. Rows: a right; a taken for b; c taken for b; c right."""
    logits = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 0.0, 1.0]])
    labels = torch.tensor([0, 0, 2, 2])
    shift = score(logits, labels, ["a", "b", "c"])
    assert (shift.classes, shift.tested, shift.correct) == (["a", "c"], [2, 2], [1, 1])
    assert shift.correct_intersection == [2, 1]  # without b the second a is right; the first c is taken for a
    clean = score(torch.eye(3).repeat(2, 1), torch.tensor([0, 1, 2, 0, 2, 2]), ["a", "b", "c"])
    assert clean.correct == [2, 1, 2] and clean.tested == [2, 1, 3]
    outcomes = outcomes_of({"accuracy": clean, "shift:s": shift}, 3)
    assert outcomes["accuracy"].value == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert outcomes["accuracy"].plain == pytest.approx(5 / 6)
    assert outcomes["shift:s"].value == pytest.approx(0.5)
    assert outcomes["shift:s"].clean_value == pytest.approx((1 + 2 / 3) / 2)
    assert outcomes["shift:s"].intersection.value == pytest.approx(0.75)
    assert outcomes["shift:s"].intersection.n_classes == 2
    assert outcomes["robustness"].value == pytest.approx(0.5)


def test_unknown_model_is_named_with_near_matches() -> None:
    with pytest.raises(SpecError, match="unknown model 'resnet5O'; did you mean 'resnet"):
        create("resnet5O", head=8, image_size=32)


def test_builtin_digits_need_no_file() -> None:
    source = open_source("digits", None, BUILTIN)
    assert source.classes("train") == list("0123456789") == source.classes("test")
    assert source.pixels(source.rows("3", "test")[:2], 16).shape == (2, 3, 16, 16)


def test_unreadable_images_are_named(tmp_path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"image": [b"", b"not an image"], "label": ["a", "b"], "split": ["train", "train"]}
    pq.write_table(pa.table(rows), tmp_path / "bad.parquet")
    labels = np.array(rows["label"])
    source = Source("bad", "d", labels, labels, lambda row: rows["image"][row], lambda row: f"row {row + 1}")
    with pytest.raises(DataError, match=r"bad: 2 unreadable images: row 1: .*row 2: "):
        source.pixels(np.array([0, 1]), 8)


def test_wrong_content_is_refused(folder) -> None:
    with pytest.raises(DataError, match=r"has other content than the grid says; found sha256:.*needed sha256:0"):
        open_source("gratings", folder[0] / "gratings.parquet", "sha256:" + "0" * 64)
    with pytest.raises(DataError, match="no such file or folder"):
        open_source("gone", folder[0] / "gone.parquet", "sha256:" + "0" * 64)


def test_folder_and_manifest_sources_hold_the_same_images(folder, tmp_path) -> None:
    source = opener(folder)("gratings")
    lines = ["path,label,split"]
    for split in ("train", "test"):
        for name in CLASSES[:2]:
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for i, row in enumerate(source.rows(name, split)[:3]):
                file = tmp_path / "set" / split / name / f"{i}.png"
                file.write_bytes(source.read(int(row)))
                lines.append(f"set/{split}/{name}/{i}.png,{name},{split}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    for location in (tmp_path / "set", tmp_path / "list.csv"):
        with pytest.raises(DataError, match="found sha256") as wrong:
            open_source("x", location, "sha256:?")
        digest = str(wrong.value).split("found ")[1].split(",")[0]
        opened = open_source("x", location, digest)
        want = decode(source.read(int(source.rows("b", "test")[1])), 16)
        assert np.array_equal(opened.pixels(opened.rows("b", "test"), 16)[1], want)
