"""Options of `trainer run` for clusters: the words of submitit and of Ray, on the line or in a small YAML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from predictor.errors import SpecError

IN_FILE_ONLY = ("additional_parameters", "cluster")  # of SLURM
WORDS = {
    "slurm": (
        "partition", "account", "qos", "constraint", "gpus_per_node", "cpus_per_task", "mem_gb", "timeout_min",
        "array_parallelism", "setup", *IN_FILE_ONLY,
    ),
    "ray": ("address", "gpus_per_worker", "cpus_per_task"),
}  # fmt: skip
OPTIONS = (
    click.option(
        "--launcher",
        type=click.Choice(["local", "slurm", "ray"]),
        default="local",
        show_default=True,
        help="Where the workers run.",
    ),
    click.option(
        "--cluster-config",
        type=click.Path(path_type=Path),
        metavar="YAML",
        help="YAML file of these options, in submitit's words.",
    ),
    click.option("--partition", help="SLURM: where jobs run."),
    click.option("--account", help="SLURM: who pays."),
    click.option("--qos", help="SLURM: quality of service."),
    click.option("--constraint", help="SLURM: features that a node needs, such as a100."),
    click.option("--gpus-per-node", type=click.IntRange(min=0), help="SLURM: GPUs of a worker; it uses one."),
    click.option("--cpus-per-task", type=click.IntRange(min=1), help="SLURM and Ray: cores of a worker."),
    click.option("--mem-gb", type=click.FloatRange(min=0, min_open=True), help="SLURM: memory of a worker."),
    click.option("--timeout-min", type=click.IntRange(min=1), help="SLURM: minutes until a worker is requeued."),
    click.option("--array-parallelism", type=click.IntRange(min=1), help="SLURM: workers that run at once."),
    click.option("--setup", multiple=True, metavar="COMMAND", help="SLURM: run before each worker; repeat for more."),
    click.option("--address", help="Ray: address of the cluster (default: the one that this machine belongs to)."),
    click.option(
        "--gpus-per-worker", type=click.FloatRange(min=0), help="Ray: share of a GPU; 0.25 puts four workers on one."
    ),
)


def CLUSTER(command: Callable[..., Any]) -> Callable[..., Any]:
    """All of these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def cluster_settings(options: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """Take the options of clusters out of all options; gives the settings of a launcher.

    Raises SpecError for a file that says something else, and for options that belong to another launcher.
    """
    file = options.pop("cluster_config")
    names = {name for words in WORDS.values() for name in words if name not in IN_FILE_ONLY}
    stated = {name: options.pop(name) for name in sorted(names)}
    stated["setup"] = list(stated["setup"]) or None

    def of(launcher: str) -> dict[str, Any]:
        given = {name: value for name, value in stated.items() if value is not None}
        if foreign := sorted(set(given) - set(WORDS[launcher])):
            option = "--" + foreign[0].replace("_", "-")
            raise SpecError(f"{option} is no option of the launcher {launcher}", remedy="leave it out")
        return {**_of_file(file, WORDS[launcher]), **given}

    return of


def _of_file(file: Path | None, words: tuple[str, ...]) -> dict[str, Any]:
    if file is None:
        return {}
    from predictor.grids import read_grid

    found = read_grid(file)
    if unknown := sorted(set(found) - set(words)):
        raise SpecError(f"unknown word {unknown[0]!r}", where=str(file), remedy=f"use one of {', '.join(words)}")
    return found
