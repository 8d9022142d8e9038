"""Zero-shot evaluation: heads of 1k, 12k and 21k classes, ImageNet's layouts in miniature, a record with stages."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import ImageNetInfo
from trainer_command import trainer_command

from predictor.class_lists import class_list
from predictor.errors import DataError, PredictorError, SpecError
from predictor.images.digests import file_digest
from predictor.records import RunRecord, check, read_registry, write_record
from predictor.records.schema import Outcome, content_id
from trainer import zero_shot
from trainer.networks import create
from trainer.zero_shot_command import outcome_rows

TARGETS = list(class_list("imagenet-1k")[:4])
HEADS = {1000: "imagenet-1k", 11821: "imagenet-12k", 21841: "imagenet-22k"}
NETWORK = "test_efficientnet"


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of weights whose heads have 1,000, 11,821 and 21,841 logits."""
    folder = tmp_path_factory.mktemp("weights")
    for width in HEADS:
        torch.manual_seed(width)
        save_file(create(NETWORK, head=width, image_size=64).state_dict(), folder / f"{width}.safetensors")
    return folder


def picture(seed: int, size: tuple[int, int] = (80, 70)) -> bytes:
    stream = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 256, (size[1] // 10, size[0] // 10, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageNet's validation folders, ImageNet-Sketch (the same), -R (some of them), and -V2 (numbered 0 to 999)."""
    root = tmp_path_factory.mktemp("imagenet")
    number = 0

    def put(folder: str, names: list[str], n: int) -> None:
        nonlocal number
        for name in names:
            (root / folder / name).mkdir(parents=True)
            for i in range(n):
                (root / folder / name / f"{name}_{i}.jpeg").write_bytes(picture(number))
                number += 1

    put("val", [*TARGETS, class_list("imagenet-1k")[9]], 3)
    put("sketch", TARGETS, 2)
    put("imagenet-r", TARGETS[1:3], 2)
    put("imagenetv2-matched-frequency-format-val", ["0", "1", "2", "3", "10", "999"], 2)
    (root / "v2.yaml").write_text("images: imagenetv2-matched-frequency-format-val\nclasses: imagenet-1k\n")
    (root / "targets.txt").write_text("".join(f"{name}\n" for name in TARGETS))
    return root


def bare(width: int, heads: Path, files: list[Path]) -> np.ndarray:
    """What timm's own evaluation transform and network say of images: the peer."""
    import timm
    from safetensors.torch import load_file
    from timm.data import create_transform, resolve_data_config

    net = timm.create_model(NETWORK, num_classes=width).eval()
    net.load_state_dict(load_file(heads / f"{width}.safetensors"))
    transform = create_transform(**resolve_data_config({}, model=net), is_training=False)
    with torch.inference_mode():
        return net(torch.stack([transform(Image.open(file).convert("RGB")) for file in files])).numpy()


@pytest.mark.parametrize("width", HEADS)
def test_a_head_is_masked_to_the_targets_as_timm_would(width, heads, imagenet) -> None:
    zero = zero_shot.load_network(NETWORK, str(heads / f"{width}.safetensors"))
    names = ImageNetInfo(HEADS[width]).label_names()
    assert zero.labels == tuple(names)
    places = zero_shot.target_logits(zero.labels, TARGETS)
    assert [names[i] for i in places] == TARGETS
    source = zero_shot.read_source("val", imagenet / "val")
    rows, labels, untested = zero_shot.rows_of(source, TARGETS, None)
    assert len(rows) == 12 and untested == 1
    ours = zero_shot.masked_logits(zero, source, rows, places, "cpu", 1).numpy()
    files = [next((imagenet / "val").rglob(Path(str(source.ids[row])).name)) for row in rows]
    theirs = bare(width, heads, files)[:, places]
    np.testing.assert_allclose(ours, theirs, atol=2e-2)
    assert ours.shape == (12, 4) and labels.tolist() == [i for i in range(4) for _ in range(3)]


def test_the_command_evaluates_all_layouts_and_writes_a_record(heads, imagenet, tmp_path) -> None:
    runs = tmp_path / "runs"
    words = (
        "evaluate", NETWORK, "--weights", heads / "21841.safetensors", "--targets", imagenet / "targets.txt",
        "--test-set", imagenet / "val", "--shift", f"v2={imagenet / 'v2.yaml'}", "--shift",
        f"sketch={imagenet / 'sketch'}", "--shift", f"r={imagenet / 'imagenet-r'}", "--runs", runs, "--device", "cpu",
    )  # fmt: skip
    done = trainer_command(*words)
    assert done.returncode == 0, done.stderr
    assert "stages: PT 21841 ZS 4" in done.stdout and "shift:r: covers 2 of 4 tested classes" in done.stdout
    (record,) = read_registry(runs)
    assert record.axes["stages"] == "PT 21841 ZS 4" and record.axes["tested_classes"] == 4
    assert record.axes["weights"] == file_digest(heads / "21841.safetensors")
    assert record.data.indicators["n_classes"] == 21841 and record.outcomes["accuracy"].tested == (3, 3, 3, 3)
    assert record.outcomes["shift:v2"].tested == (2, 2, 2, 2)
    assert record.outcomes["shift:r"].intersection.n_classes == 2
    shifts = [record.outcomes[f"shift:{name}"].value for name in ("v2", "sketch", "r")]
    assert record.outcomes["robustness"].value == pytest.approx(np.mean(shifts))
    assert check(runs) == []
    again = trainer_command(*words, "--format", "json")  # the same evaluation is the same record
    assert json.loads(again.stdout)["run_id"] == record.run_id and len(read_registry(runs)) == 1
    staged = trainer_command(*words, "--stage", 1000, "--stage", 21841, "--study", "two")
    assert "stages: PT 1000 FT 21841 ZS 4" in staged.stdout


def on_a_line(record: RunRecord, n: int, target_set: str) -> list[RunRecord]:
    """Runs of others, whose accuracy under each shift is a logit less than their clean accuracy."""
    found = []
    for i in range(n):
        clean, shifted = (float(1 / (1 + np.exp(-(i / 4 - 1 - below)))) for below in (0, 1))
        shifts = {name: Outcome(value=shifted, clean_value=clean) for name in record.outcomes if "shift:" in name}
        outcomes = {"accuracy": Outcome(value=clean), **shifts}
        values = {name: outcome.value for name, outcome in outcomes.items()}
        run_id = content_id("others", record.axes, record.data.indicators, values)
        changes = {"run_id": run_id, "configuration_id": run_id, "study": "others", "target_set": target_set}
        found.append(record.model_copy(update=changes | {"outcomes": outcomes}))
    return found


def test_a_stated_reference_set_gives_effective_robustness(heads, imagenet, tmp_path) -> None:
    """The line is shift = clean - 1 in logits; what is beyond it is printed, for each shift and on average."""
    words = (
        "evaluate", NETWORK, "--weights", heads / "1000.safetensors", "--targets", imagenet / "targets.txt",
        "--test-set", imagenet / "val", "--shift", f"v2={imagenet / 'v2.yaml'}",
        "--shift", f"r={imagenet / 'imagenet-r'}", "--runs", tmp_path / "runs", "--device", "cpu",
        "--target-set", "four",
    )  # fmt: skip
    plain = json.loads(trainer_command(*words, "--format", "json").stdout)["outcomes"]
    assert [row["effective"] for row in plain] == [None] * 4
    (record,) = read_registry(tmp_path / "runs")
    for name, n in (("few", 4), ("many", 9)):
        for other in on_a_line(record, n, "four"):
            write_record(tmp_path / name, other)
    few = trainer_command(*words, "--reference", tmp_path / "few")
    assert few.returncode == 2 and "has 4 runs of target set 'four' under shift:v2 with clean accuracy" in few.stderr
    assert "a reference set needs 5" in few.stderr and "it has four: shift:r; four: shift:v2" in few.stderr
    other = trainer_command(*words[:-1], "five", "--reference", tmp_path / "many")
    assert other.returncode == 2 and "has 0 runs of target set 'five'" in other.stderr
    done = json.loads(trainer_command(*words, "--reference", tmp_path / "many", "--format", "json").stdout)
    rows = {row["outcome"]: row for row in done["outcomes"]}
    assert "through 9 runs of four" in done["notes"][-1]
    for name in ("shift:v2", "shift:r"):
        own = record.outcomes[name]
        assert (rows[name]["clean"], rows[name]["chance"]) == (own.clean_value, 0.25)
        assert rows[name]["effective"] == beyond(own.value, own.clean_value)
    # and of accuracies that are surely neither 0 nor 1
    between = {name: Outcome(value=value, clean_value=0.6) for name, value in (("shift:v2", 0.5), ("shift:r", 0.2))}
    outcomes = {"accuracy": Outcome(value=0.6), **between, "robustness": Outcome(value=0.35)}
    found = outcome_rows(record.model_copy(update={"outcomes": outcomes}), on_a_line(record, 9, "four"))
    first, second = beyond(0.5, 0.6), beyond(0.2, 0.6)
    mean = pytest.approx((first.expected + second.expected) / 2)
    assert [row["effective"] for row in found] == [None, first, second, mean]
    assert found[-1]["clean"] == pytest.approx(0.6) and found[-1]["difference"] < 0


def beyond(value: float, clean: float) -> Any:
    if not (0 < value < 1 and 0 < clean < 1):
        return None
    return pytest.approx(value - 1 / (1 + np.exp(1 - np.log(clean / (1 - clean)))))


def test_numbered_folders_are_whole_numbers_not_texts(imagenet) -> None:
    source = zero_shot.read_source("v2", imagenet / "v2.yaml")
    names = class_list("imagenet-1k")
    assert set(source.labels.tolist()) == {names[i] for i in (0, 1, 2, 3, 10, 999)}
    with pytest.raises(DataError, match=r"write a view beside it, as its classes are numbers: .*classes: imagenet-1k"):
        bare_folder = zero_shot.read_source("v2", imagenet / "imagenetv2-matched-frequency-format-val")
        zero_shot.rows_of(bare_folder, TARGETS, None)


def test_stages_stand_in_timms_tags() -> None:
    for name, width, wanted in (
        ("resnetv2_50x1_bit.goog_in21k_ft_in1k", 1000, (21843, 1000)),
        ("resnetv2_50x1_bit.goog_in21k", 21843, (21843,)),
        ("vit_base_patch16_clip_224.openai_ft_in12k_in1k", 1000, (11821, 1000)),
        ("convnext_nano.in12k", 11821, (11821,)),
        ("resnet50.a1_in1k", 1000, (1000,)),
    ):
        assert zero_shot.stages_of(name, width) == wanted, name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda h, i: zero_shot.load_network(NETWORK, None), f"{NETWORK} names no weights. say --weights FILE"),
        (lambda h, i: zero_shot.load_network(NETWORK, str(h / "gone.pth")), "no such file of weights"),
        (
            lambda h, i: zero_shot.load_network("test_resnet", str(h / "1000.safetensors")),
            "holds the weights of another network than test_resnet|hold no classifier of test_resnet",
        ),
        (lambda h, i: zero_shot.load_network("test_eficientnet", None), "test_efficientnet"),
        (
            lambda h, i: zero_shot.load_network(NETWORK, str(h / "1000.safetensors"), "targets.txt", None, i),
            "the list has 4 classes, the head 1,000 logits",
        ),
        (lambda h, i: zero_shot.head_labels(999), "a head of 999 logits: no list of ImageNet has as many classes"),
        (
            lambda h, i: zero_shot.target_logits(class_list("imagenet-100"), TARGETS),
            "the head of 100 classes has no logit for",
        ),
        (lambda h, i: zero_shot.read_targets_file(str(i / "gone.txt")), "no such list of classes"),
        (lambda h, i: zero_shot.stages_of("r", 1000, (21841,)), "the last stage is said to have 21,841 classes"),
        (lambda h, i: zero_shot.named_tests(i, ["v2"]), "--shift v2: needed NAME=PATH"),
        (lambda h, i: zero_shot.named_tests(i, ["a=b", "a=c"]), "--shift a is named twice"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(make, message, heads, imagenet) -> None:
    with pytest.raises(PredictorError, match=message):
        make(heads, imagenet)


def test_the_clean_test_set_covers_every_target(heads, imagenet) -> None:
    zero = zero_shot.load_network(NETWORK, str(heads / "1000.safetensors"))
    with pytest.raises(DataError, match="no image of 2 of 4 tested classes"):
        zero_shot.evaluate(zero, TARGETS, {"accuracy": imagenet / "imagenet-r"})


def test_known_weights_bring_their_head() -> None:
    zero = zero_shot.load_network("tf_efficientnet_lite0", str(installed()))
    assert len(zero.labels) == 1000 and zero.size == 224
    with pytest.raises(SpecError, match="are those of tf_efficientnet_lite0, not of resnet18"):
        zero_shot.load_network("resnet18", str(installed()))


def installed() -> Path:
    from predictor.spec import Weights
    from predictor.weights import KNOWN_WEIGHTS
    from trainer.weights import located

    return located(Weights(name="lite0", digest=KNOWN_WEIGHTS["lite0"].digest), None, Path())
