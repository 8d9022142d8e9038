"""Workers on clusters give the records that one machine gives: submitit and Ray, as they are."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import slurm_made
from launch_made import GRID
from trainer_command import trainer_command

from predictor.records import read_registry

ROOT = Path(__file__).parents[1]
SUBMITIT = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="needs the extra [slurm]")


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("STEPS", "64").replace("SEEDS", "[0, 1]").replace("SIZES", "[4, 6]"))
    return path


def waited_for(there: Callable[[], object]) -> None:
    for _ in range(900):  # bounded; ends as soon as it is there
        if there():
            return
        time.sleep(1)
    raise AssertionError("is not there after 900 looks")


def outcomes(runs: Path) -> dict[str, dict]:
    return {r.run_id: {k: o.model_dump() for k, o in r.outcomes.items()} for r in read_registry(runs)}


@SUBMITIT
@pytest.mark.slurm
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its jobs outlive its own handles
def test_submitit_submits_workers_that_drain_the_study(grid, tmp_path) -> None:
    config = tmp_path / "cluster.yaml"
    config.write_text("cluster: local\ntimeout_min: 10\n")
    here, there = tmp_path / "here", tmp_path / "there"
    assert trainer_command("run", grid, "--runs", here, "--workers", 1).returncode == 0
    submitted = trainer_command(
        "run", grid, "--runs", there, "--launcher", "slurm", "--workers", 2, "--cluster-config", config
    )
    assert submitted.returncode == 0, submitted.stderr
    assert "4 runs left, 2 workers" in submitted.stderr and "submitted 2 workers as" in submitted.stderr
    look = submitted.stderr.split("see how far they are: trainer ")[1].split("\n")[0]
    waited_for(
        lambda: json.loads(trainer_command(*look.split(), "--format", "json").stdout)["summary"]["n_finished"] == 4
    )
    assert outcomes(there) == outcomes(here) and len(outcomes(here)) == 4
    again = trainer_command("run", grid, "--runs", there, "--launcher", "slurm", "--workers", 2)
    assert again.returncode == 0 and "no run is left to train" in again.stderr


@SUBMITIT
@pytest.mark.slurm
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not slurm_made.possible(), reason="needs root, and slurm-wlm and munge of Debian")
def test_slurm_drains_the_study_although_its_node_is_drained_and_a_worker_requeued(grid, tmp_path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert trainer_command("run", grid, "--runs", here, "--workers", 1).returncode == 0
    with slurm_made.cluster(tmp_path / "slurm") as node:
        submitted = trainer_command(
            "run", grid, "--runs", there, "--launcher", "slurm", "--workers", 3, "--threads", 1,
            "--partition", "small", "--timeout-min", 30, "--setup", f"export PYTHONPATH={ROOT}",
        )  # fmt: skip
        assert submitted.returncode == 0, submitted.stderr
        assert "submitted 3 workers as" in submitted.stderr  # arrays may have two jobs here: they became two arrays
        arrays = submitted.stderr.split("submitted 3 workers as ")[1].split(";")[0].split(", ")
        assert len(arrays) == 2
        waited_for(lambda: list(there.glob("tiny/*.json")))
        slurm_made.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
        slurm_made.slurm("scontrol", "requeue", f"{arrays[0]}_0")  # as preemption does
        slurm_made.slurm("scontrol", "update", f"nodename={node}", "state=resume")
        waited_for(lambda: len(outcomes(there)) == 4)
    assert outcomes(there) == outcomes(here) and len(outcomes(here)) == 4


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra [ray]")
def test_ray_drains_the_study_although_a_node_is_lost(grid, tmp_path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    here, there = tmp_path / "here", tmp_path / "there"
    assert trainer_command("run", grid, "--runs", here, "--workers", 1).returncode == 0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        lost = [cluster.add_node(num_cpus=1) for _ in range(2)][1]
        ray.init(address=cluster.address, log_to_driver=False)
        with ThreadPoolExecutor(1) as pool:  # in the middle: whatever that node trains starts again on another one
            loss = pool.submit(lambda: (waited_for(lambda: list(there.glob("tiny/*.json"))), cluster.remove_node(lost)))
            done = trainer_command("run", grid, "--runs", there, "--launcher", "ray", "--workers", 3)
            loss.result()
        assert done.returncode == 0, done.stderr
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert outcomes(there) == outcomes(here) and len(outcomes(here)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--launcher", "slurm", "--workers", "auto"), "a cluster needs a number"),
        (("--launcher", "slurm", "--workers", "2", "--address", "x:1"), "--address is no option of the launcher slurm"),
        (("--launcher", "ray", "--workers", "2", "--partition", "gpu"), "--partition is no option of the launcher ray"),
        (("--launcher", "slurm", "--workers", "0"), "--workers is '0'"),
    ],
)
def test_bad_requests_to_a_cluster_are_refused(grid, tmp_path, options, message) -> None:
    done = trainer_command("run", grid, "--runs", tmp_path / "runs", *options)
    assert done.returncode == 2 and message in done.stderr
    assert not (tmp_path / "runs").exists()


def test_an_unknown_word_of_the_cluster_is_named(grid, tmp_path) -> None:
    (tmp_path / "c.yaml").write_text("partitoin: gpu\n")
    done = trainer_command(
        "run",
        grid,
        "--runs",
        tmp_path / "runs",
        "--launcher",
        "slurm",
        "--workers",
        1,
        "--cluster-config",
        tmp_path / "c.yaml",
    )
    assert done.returncode == 2 and "unknown word 'partitoin'" in done.stderr


@SUBMITIT
def test_without_slurm_it_says_so(grid, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = trainer_command("run", grid, "--runs", tmp_path / "runs", "--launcher", "slurm", "--workers", 1)
    assert done.returncode == 2 and "no SLURM here: the command sbatch is not found" in done.stderr
