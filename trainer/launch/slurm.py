"""SLURM, through submitit: an array of workers, submitted at once. Requeued on time-out and preemption."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from predictor.errors import PredictorError
from predictor.text import command
from trainer.launch.drain import Drain

MAX_ARRAY = 1_000  # jobs of an array where SLURM does not say; its own default is 1,001
REQUEUES = 10_000  # times a worker is submitted again after a time-out: it has lost nothing


def launch(
    drain: Drain, n_workers: int, study_dir: Path, settings: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    """Submit so many workers and return. Logs lie below the study's checkpoints.

    settings : submitit's words, `trainer.cluster_options.WORDS`; cluster 'local' runs them on this machine, for trials
    Raises PredictorError where submitit is not installed, there is no SLURM, or it refuses the submission.
    """
    try:
        import submitit
    except ImportError:
        raise PredictorError(
            "the launcher slurm needs submitit, which is not installed",
            remedy='install it: pip install "predictor[slurm]"',
        ) from None
    folder = study_dir / "checkpoints" / "slurm"
    words = {name: value for name, value in settings.items() if value is not None}
    cluster = words.pop("cluster", None)
    if cluster is None and shutil.which("sbatch") is None:
        raise PredictorError(
            "no SLURM here: the command sbatch is not found", remedy="run this on a machine that submits jobs"
        )
    executor = submitit.AutoExecutor(folder=folder.resolve(), cluster=cluster, slurm_max_num_timeout=REQUEUES)
    executor.update_parameters(**_parameters(words), name=study_dir.name)
    try:
        jobs = []
        for first in range(0, n_workers, most := _max_array()):
            with executor.batch():
                jobs += [executor.submit(drain) for _ in range(min(most, n_workers - first))]
    except (submitit.core.utils.FailedJobError, subprocess.CalledProcessError, OSError) as error:
        reason = getattr(error, "stderr", None) or error
        raise PredictorError(
            f"SLURM took no jobs: {' '.join(str(reason).split())}", remedy="check partition, account and limits"
        ) from None
    ids = sorted({str(job.job_id).split("_")[0] for job in jobs})
    say(f"submitted {len(jobs)} workers as {', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}; logs in {folder}")
    say(f"see how far they are: {command('trainer', 'status', drain.grid_file, '--runs', drain.runs_dir)}")


def _parameters(words: Mapping[str, Any]) -> dict[str, Any]:
    """submitit's own words; those that only SLURM knows bear its prefix there."""
    shared = {"gpus_per_node", "cpus_per_task", "mem_gb", "timeout_min"}
    return {name if name in shared else f"slurm_{name}": value for name, value in words.items()}


def _max_array() -> int:
    """Jobs that one array may have here."""
    if shutil.which("scontrol") is None:
        return MAX_ARRAY
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=False).stdout
    sizes = [line.split("=")[1].strip() for line in shown.splitlines() if line.startswith("MaxArraySize")]
    return max(1, int(sizes[0]) - 1) if sizes and sizes[0].isdigit() else MAX_ARRAY
