"""MLflow: an experiment a study, a run a record. A run that is there already (tag `predictor.run_id`) is not added."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from predictor.errors import PredictorError
from predictor.records.schema import RunRecord, moment
from trainer.exporters.flat import lacking, measured, settings

TAG = "predictor.run_id"
PAGE = 1_000  # runs that are listed at once; entries of a batch
PARAMS = 100  # of a batch
LONGEST, LONGEST_NAME = 500, 240  # characters of a value, of a name
# MLflow asks seven times and waits two minutes each: right for a server that is busy, not for one that is not there
FIRST_QUESTION = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
Value = TypeVar("Value")


def export(records: Iterable[RunRecord], output: str) -> int:
    """Write the runs to a tracking server, or into `mlflow.db` of a folder; how many were not there yet.

    output : a URI with '://', or a folder
    Raises PredictorError where MLflow is not installed, and for what it refuses: within 15 seconds where no server
    answers, unless the environment says how long MLflow shall wait.
    """
    try:
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise lacking("mlflow") from None
    try:
        return _export(records, output)
    except MlflowException as error:
        reason = " ".join(str(error).split())[:LONGEST].rstrip(".")
        raise PredictorError(
            f"MLflow took no more runs: {reason}; needed: a tracking server that answers, or a folder",
            where=output,
            remedy="check the URI and that its server runs, then give the same command again: it goes on; "
            f"to wait longer for a slow one set {' and '.join(FIRST_QUESTION)}",
        ) from None


def _export(records: Iterable[RunRecord], output: str) -> int:
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    if "://" in output:
        client, artifacts = MlflowClient(tracking_uri=output), None
        with _soon():
            client.search_experiments(max_results=1)
    else:
        folder = Path(output).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        client, artifacts = (
            MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"),
            (folder / "artifacts").as_uri(),
        )
    experiments: dict[str, str] = {}
    known: dict[str, set[str]] = {}
    added = 0
    for record in records:
        if record.study not in experiments:
            found = client.get_experiment_by_name(record.study)
            own = found.experiment_id if found else client.create_experiment(record.study, artifact_location=artifacts)
            experiments[record.study], known[record.study] = own, _known(client, own)
        if record.run_id in known[record.study]:
            continue
        begun, ended = (_milliseconds(text) for text in (record.started_at, record.ended_at))
        run = client.create_run(experiments[record.study], start_time=begun, run_name=record.run_id)
        now = begun or int(datetime.now(UTC).timestamp() * 1000)
        params = [Param(name, str(value)[:LONGEST]) for name, value in allowed(settings(record)).items()]
        metrics = [Metric(name, value, now, 0) for name, value in allowed(measured(record)).items()]
        for start in range(0, max(len(params), 1), PARAMS):
            client.log_batch(run.info.run_id, metrics if start == 0 else [], params[start : start + PARAMS])
        client.log_batch(run.info.run_id, tags=[RunTag(TAG, record.run_id)])
        status = "FINISHED" if record.status == "completed" else "FAILED"
        client.set_terminated(run.info.run_id, status=status, end_time=ended)
        added += 1
    return added


@contextmanager
def _soon() -> Iterator[None]:
    """MLflow answers or gives up soon, where the environment does not say otherwise."""
    own = {name: value for name, value in FIRST_QUESTION.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            del os.environ[name]


def allowed(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values under names that MLflow takes; two names that become one are told apart by a number.

    >>> allowed({"count:cat|dog": 1, "count:cat_dog": 2})
    {'count:cat_dog': 1, 'count:cat_dog_2': 2}
    """
    found: dict[str, Value] = {}
    for name, value in values.items():
        own = first = re.sub(r"[^\w\-. :/]", "_", name)[:LONGEST_NAME]
        number = 1
        while own in found:
            number += 1
            own = f"{first}_{number}"
        found[own] = value
    return found


def _known(client: object, experiment: str) -> set[str]:
    """Runs of an experiment that were exported; one that an export left unfinished is not."""
    ids: set[str] = set()
    token = None
    while True:
        page = client.search_runs([experiment], max_results=PAGE, page_token=token)  # type: ignore[attr-defined]
        ids |= {run.data.tags[TAG] for run in page if TAG in run.data.tags and run.info.status != "RUNNING"}
        token = page.token
        if not token:
            return ids


def _milliseconds(text: str | None) -> int | None:
    found = moment(text)
    return None if found is None else int(found.timestamp() * 1000)
