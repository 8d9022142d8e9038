"""MLflow: an experiment a study, a run a record. A run that is there already (tag `predictor.run_id`) is not added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from predictor.records.schema import RunRecord, moment
from trainer.exporters.flat import lacking, measured, settings

TAG = "predictor.run_id"
PAGE = 1_000  # runs that are listed at once; entries of a batch
PARAMS = 100  # of a batch
LONGEST, LONGEST_NAME = 500, 240  # characters of a value, of a name
Value = TypeVar("Value")


def export(records: Iterable[RunRecord], output: str) -> int:
    """Write the runs to a tracking server, or into `mlflow.db` of a folder; how many were not there yet.

    output : a URI with '://', or a folder
    """
    try:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise lacking("mlflow") from None
    if "://" in output:
        client, artifacts = MlflowClient(tracking_uri=output), None
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
