"""Ray: workers as tasks of an existing cluster, with a share of a GPU each; a lost node's workers start elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from predictor.errors import PredictorError
from predictor.text import command
from trainer.launch.drain import Drain


def launch(
    drain: Drain, n_workers: int, study_dir: Path, settings: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    """Run so many workers on the cluster and wait for them; Ctrl-C cancels them.

    settings : address of the cluster (default: the one that this machine belongs to), gpus_per_worker (a fraction lets
        several share one), cpus_per_task
    Raises PredictorError where Ray is not installed or there is no cluster, and where workers failed.
    """
    try:
        import ray
    except ImportError:
        raise PredictorError(
            "the launcher ray needs Ray, which is not installed", remedy='install it: pip install "predictor[ray]"'
        ) from None
    address = settings.get("address") or "auto"
    started = not ray.is_initialized()
    try:
        if started:
            ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise PredictorError(
            f"no Ray cluster at {address}: {' '.join(str(error).split())}",
            remedy="start one (ray start --head), or name it with --address HOST:PORT",
        ) from None
    task = ray.remote(
        num_cpus=settings.get("cpus_per_task") or 1,
        num_gpus=settings.get("gpus_per_worker") or 0,
        max_retries=-1,  # a node that is lost: the task starts on another one
    )(_drained)
    waiting = [task.remote(drain) for _ in range(n_workers)]
    faults: list[str] = []
    try:
        while waiting:
            done, waiting = ray.wait(waiting)
            for worker in done:
                if fault := ray.get(worker):
                    faults.append(fault)
    finally:
        for worker in waiting:
            ray.cancel(worker, force=True)
        if started:
            ray.shutdown()
    if faults:
        raise PredictorError(faults[0], where=str(study_dir / "attempts"))
    say(f"see what they reached: {command('trainer', 'status', drain.grid_file, '--runs', drain.runs_dir)}")


def _drained(drain: Drain) -> str:
    """What one worker could not do, in words; '' where all went well. An error of one never ends the others."""
    try:
        drain()
    except PredictorError as error:
        return str(error)
    return ""
