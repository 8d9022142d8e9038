"""Trackers' own files, written by their own libraries: runs go out and come back; nothing is added twice."""

from __future__ import annotations

import importlib
import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from records_made import made_record
from trainer_command import trainer_command

from predictor.cli.import_command import command
from predictor.errors import RegistryError, SpecError
from predictor.importers.readers import lightning, mlflow, tensorboard, wandb
from predictor.records import check, read_registry, write_record
from trainer.cli import trainer

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries' own
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*SADeprecationWarning.*"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PREFIXES = {"mlflow": ("params", "metrics"), "wandb": ("config", "summary"), "tensorboard": ("hparams", "scalars")}
N = 3


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in range(N):
        write_record(tmp_path / "runs", made_record(seed, right=10 + seed))
    return tmp_path / "runs"


def call(*words: str | Path, of=trainer) -> Result:
    return CliRunner().invoke(of, [str(word) for word in words], catch_exceptions=False)


def one_line(told: Result) -> str:
    return " ".join(told.output.split())


@pytest.mark.parametrize("kind", PREFIXES)
def test_runs_go_out_and_come_back(kind: str, runs: Path, tmp_path: Path) -> None:
    told = call("export", kind, runs, tmp_path / "out")
    assert told.exit_code == 0 and one_line(told).endswith("3 runs added, 0 were there already"), told.output
    assert one_line(call("export", kind, runs, tmp_path / "out")).endswith("0 runs added, 3 were there already")
    before, after = PREFIXES[kind]
    plan = {
        "study": "back", "target_set": {"column": f"{before}.target_set"}, "domain": {"column": f"{before}.domain"},
        "seed": f"{before}.seeds.data", "recipe": {"learning_rate": f"{before}.recipe.learning_rate"},
        "counts": {"columns": {name: f"{before}.count:{name}" for name in ("bee", "bus", "cat")}},
        "image_steps": f"{before}.image_steps", "ignore": "rest",
        "outcomes": {name: f"{after}.{name}" for name in ("accuracy", "robustness")},
    }  # fmt: skip
    (tmp_path / "map.yaml").write_text(json.dumps(plan))
    words = (kind, tmp_path / "out", tmp_path / "back", "--map", tmp_path / "map.yaml")
    assert "3 runs added" in one_line(call(*words, of=command))
    assert "0 runs added; 3 were there already" in one_line(call(*words, of=command))
    assert check(tmp_path / "back") == []
    original = {r.axes["seed"]: r for r in read_registry(tmp_path / "back")}
    for seed in range(N):
        record, came = made_record(seed, right=10 + seed), original[seed]
        assert came.provenance == "imported" and came.axes["learning_rate"] == 0.1
        for name, outcome in came.outcomes.items():
            assert outcome.value == pytest.approx(record.outcomes[name].value, abs=1e-6), name
        assert dict(zip(came.data.stages[0].classes, came.data.stages[0].counts, strict=True)) == {
            "bee": 10, "bus": 10, "cat": 10}  # fmt: skip
        assert came.data.stages[0].image_steps == 600
    assert len({r.configuration_id for r in original.values()}) == 1, "seeds are replicates"


@pytest.mark.parametrize("there", [True, False], ids=["never answers", "refuses"])
def test_a_server_that_does_not_answer_is_named_soon(there: bool, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took minutes. MLflow's own settings win where the environment has them."""
    import requests

    patience: list[object] = []
    send = requests.Session.send

    def sent(session, request, **options):
        patience.append((options["timeout"], session.get_adapter(request.url).max_retries.total))
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", sent)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if there:
            server.listen()
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = trainer_command("export", "mlflow", runs, uri)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        again = trainer_command("export", "mlflow", runs, uri)
    assert patience == [(5, 1), (1, 0)], "seconds of each try, and tries after the first"
    for one in (done, again):
        assert one.returncode == 2 and "Traceback" not in one.stderr
        assert f"{uri}: MLflow took no more runs: API request to {uri}" in one.stderr
        assert "needed: a tracking server that answers, or a folder. check the URI and that its server" in one.stderr
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "1"


@pytest.mark.parametrize("kind", PREFIXES)
def test_an_export_that_was_killed_is_not_taken_for_done(
    kind: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, name = importlib.import_module(f"trainer.exporters.{kind}"), "measured"
    if kind == "mlflow":
        from mlflow.tracking import MlflowClient as of

        name = "set_terminated"
    before, told = getattr(of, name), []

    def killed(*words, **options):
        told.append(words)
        if len(told) == 2:
            raise RuntimeError("killed")  # after the second run has begun
        return before(*words, **options)

    monkeypatch.setattr(of, name, killed)
    with pytest.raises(RuntimeError):
        call("export", kind, runs, tmp_path / "out")
    monkeypatch.undo()
    told = one_line(call("export", kind, runs, tmp_path / "out"))
    assert told.endswith({"wandb": "3 runs added, 0"}.get(kind, "2 runs added, 1") + " were there already"), told
    reader = importlib.import_module(f"predictor.importers.readers.{kind}")
    assert len(reader.read(tmp_path / "out").rows) == N


def test_mlflow_stores_of_both_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    tables = []
    for uri in (f"sqlite:///{tmp_path}/mlflow.db", (tmp_path / "mlruns").as_uri()):
        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("mine", artifact_location=(tmp_path / "artifacts").as_uri())
        for number, status in enumerate(["FINISHED", "FINISHED", "FAILED"]):
            run = client.create_run(experiment, run_name=f"run {number}")
            client.log_param(run.info.run_id, "data/size", number)
            for step, value in enumerate([0.1, 0.5 + number / 10]):
                client.log_metric(run.info.run_id, "test/acc", value, step=step)
            client.set_tag(run.info.run_id, "who", "me")
            client.set_terminated(run.info.run_id, status)
        before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
        place = tmp_path / "mlflow.db" if uri.startswith("sqlite") else tmp_path / "mlruns"
        tables.append(mlflow.read(place))
        assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before, "a store is only read"
    for table in tables:
        assert set(table.columns) == {
            "run_id", "run_name", "experiment", "params.data/size", "metrics.test/acc", "tags.who"}  # fmt: skip
        at = {name: table.columns.index(name) for name in table.columns}
        rows = sorted((row[at["run_name"]], row[at["params.data/size"]], float(row[at["metrics.test/acc"]]))
                      for row in table.rows)  # fmt: skip
        assert rows == [("run 0", "0", 0.5), ("run 1", "1", 0.6)], "the value of the last step"
        assert table.notes[0].startswith("1 runs left out, not finished")


def test_wandb_logs_are_checked(tmp_path: Path) -> None:
    import wandb as library

    quiet = library.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True, x_disable_meta=True)
    run = library.init(
        mode="offline", project="p", dir=str(tmp_path), config={"lr": 0.1, "data": {"k": 5}}, settings=quiet
    )
    for step in range(40):
        run.log({"acc": step / 100, "text": "x" * 2000})  # over several blocks of the log
    run.finish()
    library.teardown()
    table = wandb.read(tmp_path)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["config.lr"], row["config.data.k"], row["summary.acc"], row["project"]) == (0.1, 5, 0.39, "p")
    (log,) = tmp_path.rglob("run-*.wandb")
    content = log.read_bytes()
    log.chmod(0o644)
    log.write_bytes(content[: len(content) - 5])  # killed while it wrote
    with pytest.raises(RegistryError, match="no finished run"):
        wandb.read(tmp_path)
    torn = bytearray(content)
    torn[40_000] ^= 1
    log.write_bytes(torn)
    with pytest.raises(RegistryError, match=r"byte [\d,]+: a damaged record\. copy the run's folder again"):
        wandb.read(tmp_path)
    log.write_bytes(b"nothing")
    with pytest.raises(RegistryError, match="is no log of an offline run"):
        wandb.read(tmp_path)


def test_a_store_of_mlflow_that_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.create_experiment("mine", artifact_location=(tmp_path / "artifacts").as_uri())
    runs = [client.create_run(experiment).info.run_id for _ in range(3)]
    for run in runs:
        client.log_metric(run, "acc", 0.5)
        client.set_terminated(run, "FINISHED")
    folder = tmp_path / "mlruns" / experiment
    (folder / runs[0] / "meta.yaml").unlink()
    table = mlflow.read(tmp_path)
    assert len(table.rows) == 2
    assert table.notes == (
        f"1 folders left out, without a meta.yaml that names the run: {experiment}/{runs[0]}",
    )  # fmt: skip
    for wrong in ("garbage", "1 0.5 x"):
        (folder / runs[1] / "metrics" / "acc").write_text(f"1 0.5 0\n{wrong}\n")
        told = rf"{runs[1]}/metrics/acc: line 2: '{wrong}' is no line of a metric; needed time, value, step\. copy"
        with pytest.raises(RegistryError, match=told):
            mlflow.read(tmp_path)
    for run in runs[1:]:
        (folder / run / "meta.yaml").unlink()
    with pytest.raises(RegistryError, match=f"no finished run; 3 folders left out, .*{runs[2]}"):
        mlflow.read(tmp_path)
    (folder / "meta.yaml").unlink()
    with pytest.raises(RegistryError, match=f"no finished run; 3 folders left out, .*{runs[2]}"):
        mlflow.read(tmp_path)
    (folder / "meta.yaml").write_text("")
    with pytest.raises(SpecError, match=r"meta.yaml: holds nothing; needed lines `name: value`\. write them, or copy"):
        mlflow.read(tmp_path)


def test_tensorboard_takes_the_last_step(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "one")) as writer:
        for step, value in enumerate([0.1, 0.6]):
            writer.add_scalar("acc", value, step)
    table = tensorboard.read(tmp_path)
    assert table.columns == ("run", "scalars.acc") and table.rows == (("one", 0.6),)


def test_tensorboard_reads_scalars_as_keras_stores_them(tmp_path: Path) -> None:
    import numpy as np
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars")
    kinds = {"acc": (np.float32, types_pb2.DT_FLOAT), "nll": (np.float64, types_pb2.DT_DOUBLE),
             "epoch": (np.int64, types_pb2.DT_INT64), "half": (np.float16, types_pb2.DT_HALF)}  # fmt: skip
    writer = EventFileWriter(str(tmp_path / "one"))
    for step, number in enumerate((0.5, 0.6, 0.7)):
        for tag, (kind, code) in kinds.items():
            value = kind(number * 10 if tag == "epoch" else number)
            content = {"tensor_content": value.tobytes()} if tag != "nll" else {"double_val": [float(value)]}
            shape = tensor_shape_pb2.TensorShapeProto()
            tensor = tensor_pb2.TensorProto(dtype=code, tensor_shape=shape, **content)
            data = summary_pb2.SummaryMetadata(plugin_data=plugin, data_class=1)
            entry = summary_pb2.Summary.Value(tag=tag, metadata=data, tensor=tensor)
            writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[entry])))
    writer.close()
    table = tensorboard.read(tmp_path)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["scalars.acc"], row["scalars.nll"], row["scalars.epoch"]) == (0.7, 0.7, 7)
    assert row["scalars.half"] == pytest.approx(0.7, abs=1e-3)


def test_event_files_are_checked(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    for name in ("one", "two"):
        with SummaryWriter(str(tmp_path / name)) as writer:
            for step in range(100):
                writer.add_scalar("acc", step / 100, step)
    with SummaryWriter(str(tmp_path / "words")) as writer:
        writer.add_text("a", "hello")
    table = tensorboard.read(tmp_path)
    assert table.rows == (("one", 0.99), ("two", 0.99))
    assert table.notes == ("1 runs left out, without scalars: words",)
    (file,) = (tmp_path / "one").iterdir()
    content = file.read_bytes()
    for cut in (5, 38):  # in the data, in the frame
        file.write_bytes(content[:-cut])  # killed while it wrote
        table = tensorboard.read(tmp_path)
        assert table.rows == (("one", 0.98), ("two", 0.99))
        assert table.notes[0] == f"1 event files end in a record that was cut off: one/{file.name}"
    for at in (len(content) // 2, len(content) - 1):
        torn = bytearray(content)
        torn[at] ^= 1
        file.write_bytes(torn)
        with pytest.raises(RegistryError, match=r"tfevents.*: byte [\d,]+: a damaged record\. copy the run's folder"):
            tensorboard.read(tmp_path)
    with pytest.raises(RegistryError, match="no scalars in its runs: words"):
        tensorboard.read(tmp_path / "words")


def test_a_run_of_lightning_that_died_at_once_is_left_out(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    for version in range(3):
        logger = CSVLogger(str(tmp_path), name="mine", version=version)
        logger.log_metrics({"val_acc": 0.5}, step=0)
        logger.save()
    places = [tmp_path / "mine" / f"version_{n}" / "metrics.csv" for n in range(3)]
    places[0].write_text("")
    places[1].write_text("epoch,step,val_acc\n")
    table = lightning.read(tmp_path)
    assert len(table.rows) == 1
    assert table.notes == ("2 runs left out, without a row in metrics.csv: mine/version_0; mine/version_1",)
    places[2].write_text("\n")
    with pytest.raises(RegistryError, match=r"no row in metrics\.csv of its runs: mine/version_0"):
        lightning.read(tmp_path)


def test_lightning_logs(tmp_path: Path) -> None:
    os.environ.setdefault("PL_DISABLE_FORK", "1")
    from lightning.pytorch.loggers import CSVLogger

    for version, accuracy in enumerate([0.5, 0.7]):
        logger = CSVLogger(str(tmp_path), name="mine", version=version)
        logger.log_hyperparams({"lr": 0.1, "model": {"name": "resnet"}})
        logger.log_metrics({"val_acc": accuracy - 0.1}, step=0)
        logger.log_metrics({"val_acc": accuracy}, step=1)
        logger.log_metrics({"train_loss": 0.3}, step=2)
        logger.save()
    table = lightning.read(tmp_path)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["run"] for row in rows] == ["mine/version_0", "mine/version_1"]
    assert [float(row["metrics.val_acc"]) for row in rows] == [0.5, 0.7], "the last value that is filled"
    assert {row["hparams.model.name"] for row in rows} == {"resnet"} and rows[0]["hparams.lr"] == 0.1
